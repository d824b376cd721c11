"""Runs that are stopped and go on: the same bytes, and nothing of another run."""

import errno
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nextlmm.cli.main import main
from nextlmm.errors import FormatError, OutputError, UsageError
from nextlmm.output.stored import packed, write_atomically
from nextlmm.run import checkpoint, identity, problem
from nextlmm.run.compressed import find as compressed
from nextlmm.run.exact import plan
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .conftest import make_cohort, write_cohort

ROUTES = {
    "dense": {"mode": "dense"},
    "dense, own h2": {"mode": "dense", "per_variant_h2": "always", "loco_h2": "per-chromosome"},
    "dense, no loco": {"route": "dense", "loco": False, "test": "lrt"},
    "single": {"route": "dense", "z_tolerance": 1e-4},
    "hodlr route": {"route": "hodlr", "test": "score"},
    "components": {"route": "components", "loco_h2": "per-chromosome"},
    "plain": {"route": "plain", "hit_threshold": 0.05, "per_variant_h2": "hits"},
    "compressed, dense": {"mode": "hodlr", "leaf_size": 16, "per_variant_h2": "hits"},
    "compressed": {"mode": "hodlr", "leaf_size": 16, "test": "lrt"},
    "compressed, h2 by chromosome": {"mode": "hodlr", "leaf_size": 16, "loco_h2": "per-chromosome"},
}


class Killed(BaseException):
    """Stands for a process that is no more."""


@pytest.fixture
def route(request, monkeypatch):
    """The options of a route, which is taken at any size; chromosomes have several blocks."""
    monkeypatch.setattr(problem, "_TILE", 32)
    if request.param == "single":
        monkeypatch.setattr(plan, "LARGEST_DOUBLE", 0)
    if request.param.startswith("compressed") and request.param != "compressed, dense":
        monkeypatch.setattr(compressed, "SMALLEST", 0)
    return ROUTES[request.param]


@pytest.fixture(autouse=True)
def idle_disk(monkeypatch):
    """Take no time to flush files: nothing here loses its power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def options(files, **choices):
    return GwasOptions(**(files | {"checkpoint_after": 0, "threads": 1} | choices))


def folder(files):
    return Path(f"{files['out']}.checkpoint")


def results(out):
    """Every result file by the end of its name, the document without what may differ."""
    found = {}
    for path in sorted(Path(out).parent.glob(f"{Path(out).name}.*")):
        name = path.name.removeprefix(Path(out).name)
        if name == ".json":
            found[name] = without_times(json.loads(path.read_text()), str(out))
        elif name not in (".log", ".html", ".checkpoint"):
            found[name] = path.read_bytes()
    return found


def without_times(value, out):
    if isinstance(value, dict):
        return {
            key: without_times(each, out)
            for key, each in value.items()
            if key not in ("seconds", "work", "timings", "started", "checkpoint")
            and key != "peak_memory_bytes"
        }
    if isinstance(value, list):
        return [without_times(each, out) for each in value]
    return value.replace(out, "OUT") if isinstance(value, str) else value


def stop_after(monkeypatch, count):
    """Have the process die once it has written so many files of a checkpoint."""
    written = []

    def write(path, pieces):
        if len(written) == count:
            raise Killed
        write_atomically(path, pieces)
        written.append(path)

    monkeypatch.setattr(checkpoint, "write_atomically", write)
    return written


def stopped(files, monkeypatch, count, **choices):
    """Leave a checkpoint with so many files."""
    with monkeypatch.context() as patch:
        stop_after(patch, count)
        with pytest.raises(Killed):
            gwas(options(files, **choices))


@pytest.mark.parametrize("route", ROUTES, indirect=True)
def test_a_run_that_is_stopped_again_and_again_ends_with_the_same_bytes(files, route, monkeypatch):
    """Each run is stopped after some more values, or after one, and the next goes on."""
    step = 1 if route == ROUTES["dense"] else 2 if "per_variant_h2" in route else 8
    whole = files | {"out": files["out"] + "-whole"}
    gwas(options(whole, **route))
    runs, is_done = 0, False
    while not is_done:
        runs += 1
        assert runs < 100, "no run gets any further"
        with monkeypatch.context() as patch:
            stop_after(patch, step)
            try:
                run = gwas(options(files, **route, resume=runs > 1))
                is_done = True
            except Killed:
                assert not Path(f"{files['out']}.json").exists()
    assert runs > 1
    assert run.document["checkpoint"]["resumed"]
    assert results(files["out"]) == results(whole["out"])
    assert not folder(files).exists()


def test_two_traits_whose_samples_differ(cohort, tmp_path, monkeypatch):
    files = write_cohort(tmp_path, cohort) | {"report": True}
    rows = (tmp_path / "traits.txt").read_text().splitlines()
    more = [
        f"{row} {'z' if at == 0 else 'NA' if at < 9 else at % 7}" for at, row in enumerate(rows)
    ]
    (tmp_path / "traits.txt").write_text("\n".join(more) + "\n")
    whole = files | {"out": files["out"] + "-whole"}
    both = {"route": "plain", "trait": ("y", "z")}
    gwas(options(whole, **both))
    stopped(files, monkeypatch, 11, **both)
    gwas(options(files, resume=True, **both))
    assert results(files["out"]) == results(whole["out"])


def test_a_quick_run_leaves_nothing_behind(files, monkeypatch):
    written = stop_after(monkeypatch, 10**6)
    run = gwas(GwasOptions(**files))
    assert not written
    assert "checkpoint" not in run.document
    assert not folder(files).exists()


def test_nothing_to_resume_is_no_mistake(files):
    run = gwas(GwasOptions(**files, resume=True))
    assert "checkpoint" not in run.document
    assert "--resume" not in run.document["command"]


def test_without_a_word_a_checkpoint_of_the_same_command_is_refused(files, monkeypatch):
    stopped(files, monkeypatch, 3)
    with pytest.raises(UsageError, match="add --resume to go on from there, or delete the folder"):
        gwas(options(files))
    assert folder(files).exists()


def test_without_a_word_that_of_another_command_is_replaced(files, monkeypatch):
    stopped(files, monkeypatch, 3)
    run = gwas(options(files, maf=0.1))
    assert "checkpoint" not in run.document
    assert not folder(files).exists()


@pytest.mark.parametrize(
    ("choices", "difference"),
    [
        ({"maf": 0.1}, "option maf is 0.0 there and 0.1 here"),
        ({"seed": 3}, "option seed is 0 there and 3 here"),
        ({"threads": 2}, "option threads is 1 there and 2 here"),
        ({"covar": None}, "it has the size of the covar file, and this run has not"),
        ({"chr": "1-2"}, "option chr is not given there and 1-2 here"),
    ],
)
def test_a_checkpoint_of_another_command_is_refused(files, monkeypatch, choices, difference):
    stopped(files, monkeypatch, 3)
    with pytest.raises(UsageError, match="is of another run: ") as caught:
        gwas(options(files, resume=True, **choices))
    assert difference in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("library_versions", {"numpy": "0.1"}),
        ("describe_machine", {"blas": []}),
    ],
)
def test_a_checkpoint_of_other_libraries_is_refused(files, monkeypatch, name, value):
    stopped(files, monkeypatch, 3)
    monkeypatch.setattr(identity, name, lambda *_: value)
    with pytest.raises(UsageError, match="is of another run: "):
        gwas(options(files, resume=True))


def test_results_may_be_asked_for_in_other_forms(files, monkeypatch):
    stopped(files, monkeypatch, 4)
    run = gwas(options(files, resume=True, out_format="regenie", plots=True))
    assert run.document["checkpoint"]["resumed"]


def test_an_input_that_was_written_since_is_refused(files, monkeypatch):
    stopped(files, monkeypatch, 4)
    path = Path(files["pheno"])
    path.write_text(path.read_text().replace("1", "2", 1))
    os.utime(path, ns=(1, 1))
    with pytest.raises(FormatError, match=r"The pheno file .* has changed since the checkpoint"):
        gwas(options(files, resume=True))


def test_an_input_that_was_copied_back_is_the_same(files, monkeypatch):
    """The hashes are in the checkpoint once they are known."""
    stopped(files, monkeypatch, 6)
    manifest = checkpoint.read_manifest(folder(files))
    run, known = "run.value", {"sha256": identity.hash_inputs({"pheno": files["pheno"]})}
    manifest["inputs"]["pheno"]["sha256"] = known["sha256"]["pheno"]["sha256"]
    name = checkpoint.unpacked(folder(files) / run, ())[0]
    write_atomically(folder(files) / run, packed((name, manifest), ()))
    os.utime(files["pheno"], ns=(1, 1))
    gwas(options(files, resume=True))


def test_an_input_that_changed_unseen_is_refused_at_the_end(files, monkeypatch):
    """Same size, same time of writing: only the hash tells."""
    stopped(files, monkeypatch, 6)
    path = folder(files) / "run.value"
    name, manifest = checkpoint.unpacked(path, ())
    manifest["inputs"]["pheno"]["sha256"] = "0" * 64
    write_atomically(path, packed((name, manifest), ()))
    with pytest.raises(FormatError, match="has changed since the checkpoint"):
        gwas(options(files, resume=True))
    assert not Path(f"{files['out']}.json").exists()


def damaged(path, how):
    content = path.read_bytes()
    if how == "a byte":
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes(content[:-7] if how == "cut" else b"" if how == "empty" else content)


@pytest.mark.parametrize("how", ["a byte", "cut", "empty"])
def test_every_damaged_file_is_refused_and_can_be_deleted(files, monkeypatch, how):
    stopped(files, monkeypatch, 5, route="plain")
    copy = Path(f"{folder(files)}-copy")
    shutil.copytree(folder(files), copy)
    names = sorted(path.name for path in copy.glob("*.value"))
    assert len(names) >= 4
    for name in names:
        damaged(folder(files) / name, how)
        with pytest.raises(FormatError, match="delete") as caught:
            gwas(options(files, route="plain", resume=True))
        assert name in str(caught.value)
        shutil.copy(copy / name, folder(files) / name)
    (folder(files) / next(name for name in names if name.startswith("null-model"))).unlink()
    gwas(options(files, route="plain", resume=True))


def test_a_file_of_another_checkpoint_is_refused(files, monkeypatch):
    stopped(files, monkeypatch, 5, route="plain")
    other = files | {"out": files["out"] + "-other"}
    stopped(other, monkeypatch, 5, route="plain", seed=1)
    mine, theirs = (
        {path.name.partition(".")[0]: path for path in folder(each).glob("*.value")}
        for each in (files, other)
    )
    shutil.copy(theirs["components"], mine["components"])
    with pytest.raises(FormatError, match="belongs to another run"):
        gwas(options(files, route="plain", resume=True))


def test_a_folder_that_is_no_checkpoint_is_left_alone(files):
    folder(files).mkdir()
    (folder(files) / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"no checkpoint \(thesis.txt is in its place\)"):
        gwas(options(files))
    assert (folder(files) / "thesis.txt").read_text() == "mine"


def test_what_else_is_in_the_folder_stays(files, monkeypatch):
    stopped(files, monkeypatch, 3)
    (folder(files) / "thesis.txt").write_text("mine")
    gwas(options(files, resume=True))
    assert os.listdir(folder(files)) == ["thesis.txt"]


def full_disk(monkeypatch, after):
    written = []

    def write(path, pieces):
        if len(written) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_atomically(path, pieces)
        written.append(path)

    monkeypatch.setattr(checkpoint, "write_atomically", write)


@pytest.mark.parametrize("after", [0, 4])
def test_a_full_disk_does_not_stop_the_run(files, monkeypatch, after):
    whole = files | {"out": files["out"] + "-whole"}
    gwas(options(whole))
    full_disk(monkeypatch, after)
    run = gwas(options(files))
    assert run.document["checkpoint"]["trouble"] == "No space left on device"
    assert (
        "could not be written (No space left on device)" in Path(f"{files['out']}.log").read_text()
    )
    assert results(files["out"]) == results(whole["out"])
    assert not folder(files).exists()


def test_a_full_disk_stops_a_part(files, monkeypatch):
    full_disk(monkeypatch, 2)
    assert (
        main(["gwas", *options(files).to_arguments(), "--part", "1/2"]) == OutputError.exit_status
    )


def test_the_folder_is_private(files, monkeypatch):
    stopped(files, monkeypatch, 3)
    if os.name == "posix":
        assert folder(files).stat().st_mode & 0o777 == 0o700
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder(files).iterdir())


def test_the_summary_says_what_came_back(files, monkeypatch):
    stopped(files, monkeypatch, 5, route="plain")
    gwas(options(files, route="plain", resume=True))
    log = " ".join(Path(f"{files['out']}.log").read_text().split())
    assert re.search(
        "resumed components, hierarchy, null model, relatives(, scores)?: found before", log
    )


@pytest.mark.parametrize(
    ("stop", "status"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)], ids=["ctrl-c", "term"]
)
def test_whoever_stops_a_run_is_told_how_it_goes_on(files, monkeypatch, capsys, stop, status):
    written = []

    def write(path, pieces):
        if len(written) == 4:
            raise stop
        write_atomically(path, pieces)
        written.append(path)

    monkeypatch.setattr(checkpoint, "write_atomically", write)
    arguments = ["gwas", *options(files).to_arguments()]
    if status == 130:
        assert main(arguments) == status
    else:
        with pytest.raises(SystemExit):
            main(arguments)
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == (
        f"nextlmm: What was finished is in {folder(files)}: the same command with --resume goes on "
        "from there."
    )


def test_kept_by_its_time_and_its_size(tmp_path):
    kept = checkpoint.Checkpoint(tmp_path / "c", dict, {}, after_s=5.0)
    assert not kept.is_worth(4.9, 1.0)
    assert kept.is_worth(5.1, np.zeros(1000))
    assert not kept.is_worth(5.1, (np.zeros(2_000_000), 1))
    assert kept.is_worth(10.0, (np.zeros(2_000_000), 1))
    assert not kept.is_due(9.0)
    assert kept.is_due(10.0)


def test_killed_at_random_moments(tmp_path):
    """A few of the moments of `validation/test_killed.py`."""
    files = write_cohort(tmp_path, make_cohort(n=128, m=600))
    kill_and_resume(files, kills=2, seed=1, route="hodlr")


def kill_and_resume(files, *, kills, seed, **choices):
    """Kill processes of one run at moments that chance chooses, and compare what the last wrote."""
    rng = random.Random(seed)
    whole = files | {"out": files["out"] + "-whole"}
    begin = time.perf_counter()
    assert run_process(options(whole, **choices)).wait() == 0
    seconds = time.perf_counter() - begin
    done = 0
    while done < kills:
        process = run_process(options(files, **choices))
        try:
            process.wait(rng.uniform(0.0, seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            done += 1
        assert process.wait() in (0, -9)
        if process.returncode == 0:
            assert results(files["out"]) == results(whole["out"])
            for path in Path(files["out"]).parent.glob(f"{Path(files['out']).name}.*"):
                path.unlink()
    assert run_process(options(files, **choices)).wait() == 0
    assert results(files["out"]) == results(whole["out"])


def run_process(chosen):
    command = ["gwas", *chosen.to_arguments(), "--resume"]
    return subprocess.Popen(
        [sys.executable, "-c", "from nextlmm.cli.main import run; run()", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
