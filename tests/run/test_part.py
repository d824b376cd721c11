"""Runs in parts: merged, they are the run at once, to the byte."""

import itertools
import re
import shutil
from pathlib import Path

import pytest

from nextlmm.cli.main import main
from nextlmm.errors import MissingFileError, UsageError
from nextlmm.run.checkpoint import folder_of
from nextlmm.run.kept import Part
from nextlmm.run.part import gwas_part, merge
from nextlmm.run.pipeline import gwas
from nextlmm.run.problem import Problem

from . import test_checkpoint
from .test_checkpoint import ROUTES, Killed, options, results, stop_after

route, idle_disk = test_checkpoint.route, test_checkpoint.idle_disk


ALIKE = ("dense, no loco", "components", "compressed, h2 by chromosome")
"""Routes that meet their variants as others do."""


def do_parts(files, of, numbers=None, **choices):
    """Some parts of a run, in no order."""
    for number in numbers or reversed(range(1, of + 1)):
        run = gwas_part(options(files, part=f"{number}/{of}", **choices))
    return run


@pytest.mark.parametrize(
    ("route", "of"),
    [
        *((name, 2) for name in ROUTES if name not in ALIKE),
        ("dense", 1),
        ("dense", 7),
        ("plain", 3),
        ("plain", 7),
    ],
    indirect=["route"],
)
def test_merged_parts_are_the_run_at_once(files, route, of):
    whole = files | {"out": files["out"] + "-whole"}
    gwas(options(whole, **route))
    run = do_parts(files, of, **route)
    assert not run.missing
    assert merge(files["out"]).document["checkpoint"]["resumed"]
    assert results(files["out"]) == results(whole["out"])
    assert not folder_of(files["out"]).exists()


def test_parts_that_keep_nothing_but_their_variants(files):
    """What is quick is found by each part anew, and comes out the same."""
    whole = files | {"out": files["out"] + "-whole", "report": True}
    gwas(options(whole, route="plain", checkpoint_after=1e6))
    do_parts(files | {"report": True}, 3, route="plain", checkpoint_after=1e6)
    names = {path.name.partition(".")[0] for path in folder_of(files["out"]).iterdir()}
    assert names == {"run", "variants", "part-1-of-3", "part-2-of-3", "part-3-of-3"}
    merge(files["out"])
    assert results(files["out"]) == results(whole["out"])


def test_a_part_meets_its_share_alone(files, monkeypatch):
    met = []
    original = Problem.tile

    def seen(self, variants):
        met.extend(variants.tolist())
        return original(self, variants)

    monkeypatch.setattr(Problem, "tile", seen)
    shares = []
    for number in (1, 2, 3):
        met.clear()
        do_parts(files, 3, [number], route="plain")
        shares.append(sorted(met))
    assert sorted(variant for share in shares for variant in share) == list(range(240))
    assert all(share[-1] < following[0] for share, following in itertools.pairwise(shares))


def test_a_part_that_was_killed_goes_on(files, monkeypatch):
    whole = files | {"out": files["out"] + "-whole"}
    gwas(options(whole, route="plain"))
    with monkeypatch.context() as patch:
        stop_after(patch, 6)
        with pytest.raises(Killed):
            do_parts(files, 2, [1], route="plain")
    do_parts(files, 2, route="plain")
    merge(files["out"])
    assert results(files["out"]) == results(whole["out"])


def test_a_merge_that_was_killed_goes_on(files, monkeypatch):
    whole = files | {"out": files["out"] + "-whole"}
    gwas(options(whole, route="plain"))
    do_parts(files, 2, route="plain")
    with monkeypatch.context() as patch:
        stop_after(patch, 0)
        with pytest.raises(Killed):
            merge(files["out"])
    merge(files["out"])
    assert results(files["out"]) == results(whole["out"])


def test_folders_of_parts_may_be_put_together(files, tmp_path):
    """As from machines without a disk in common."""
    whole = files | {"out": files["out"] + "-whole"}
    gwas(options(whole, route="plain"))
    for number in (1, 2):
        do_parts(files | {"out": str(tmp_path / f"apart{number}")}, 2, [number], route="plain")
    shutil.copytree(folder_of(tmp_path / "apart1"), folder_of(files["out"]))
    shutil.copytree(folder_of(tmp_path / "apart2"), folder_of(files["out"]), dirs_exist_ok=True)
    merge(files["out"])
    assert results(files["out"]) == results(whole["out"])


def test_a_missing_part_is_named(files):
    run = do_parts(files, 9, [1, 5])
    assert run.missing == tuple(Part(number, 9) for number in (2, 3, 4, 6, 7, 8, 9))
    with pytest.raises(MissingFileError) as caught:
        merge(files["out"])
    sentence = str(caught.value)
    assert "Of the 9 parts of the run" in sentence
    assert "7 are not done: 2/9, 3/9, 4/9, 6/9, 7/9 and 2 more; do the first of them by" in sentence
    assert re.search(r"nextlmm gwas --bfile .* --part 2/9\.$", sentence)


def test_parts_of_another_command_are_refused(files):
    do_parts(files, 2, [1])
    with pytest.raises(UsageError, match=r"of another run: option maf is 0\.0 there and 0.1 here"):
        do_parts(files, 2, [2], maf=0.1)
    with pytest.raises(UsageError, match="of another run: option maf"):
        gwas(options(files, maf=0.1))
    with pytest.raises(UsageError, match="add --resume"):
        gwas(options(files))


def test_merge_of_nothing(files, monkeypatch):
    with pytest.raises(
        MissingFileError, match=r"There are no parts of a run .*nextlmm gwas --part"
    ):
        merge(files["out"])
    test_checkpoint.stopped(files, monkeypatch, 3)
    with pytest.raises(MissingFileError, match="go on with the whole run by --resume"):
        merge(files["out"])


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "1/2/3", "-1/3", ""])
def test_parts_that_cannot_be(files, text):
    with pytest.raises(UsageError, match=r"Option part is .* from 1/20 to 20/20"):
        options(files, part=text)


def test_gwas_does_no_part(files):
    with pytest.raises(UsageError, match=r"a part is done by nextlmm\.gwas_part"):
        gwas(options(files, part="1/2"))
    with pytest.raises(UsageError, match="No part was named"):
        gwas_part(options(files))


def test_parts_from_the_command_line(files, capsys):
    arguments = ["gwas", *options(files).to_arguments()]
    assert main([*arguments, "--part", "1/2"]) == 0
    assert re.fullmatch(
        r"part 1/2 is done in .*; 1 of 2 parts are missing\n", capsys.readouterr().out
    )
    assert main([*arguments, "--part", "2/2"]) == 0
    assert capsys.readouterr().out.endswith(f"all are there: nextlmm merge {files['out']}\n")
    assert main(["merge", files["out"]]) == 0
    assert "resumed" in capsys.readouterr().out
    assert Path(f"{files['out']}.y.tsv.gz").exists()


@pytest.mark.parametrize("of", [1, 2, 3, 10, 250])
def test_part__shares_are_all_there_is(of):
    ends = [Part(number, of).ends(240) for number in range(1, of + 1)]
    assert ends[0][0] == 0
    assert ends[-1][1] == 240
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(ends))
