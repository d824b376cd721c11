"""Runs where something about the machine is not as usual, each ending well or in one sentence."""

import errno
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nextlmm
from nextlmm.cli.main import main
from nextlmm.genotype import bed, packed_file
from nextlmm.output import publication
from nextlmm.run import pipeline
from nextlmm.run.options import GwasOptions

from ..run.conftest import make_cohort, write_cohort

EXECUTABLE = Path(sys.executable).with_name("nextlmm")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """A cohort on disk, and the options of a run on it."""
    return write_cohort(tmp_path, make_cohort(n=60, m=90))


def arguments(files: dict[str, Any], **others: Any) -> list[str]:
    return ["gwas", *GwasOptions(**(files | others)).to_arguments()]


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def fails(capsys: pytest.CaptureFixture[str], status: int, words: list[str], *texts: str) -> str:
    """The one sentence of a command that fails."""
    capsys.readouterr()
    assert main(words) == status
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("See: ")]
    assert len(lines) == 1
    for text in texts:
        assert text in lines[0]
    return lines[0]


# Where results go


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "free some space"), (errno.EIO, "choose")],
)
def test_a_full_or_failing_disk(
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    advice: str,
) -> None:
    """Space that is gone when a file is to reach the disk, with an older result in place."""
    assert main(arguments(files)) == 0
    before = listing(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(publication.os, "fsync", full)
    fails(capsys, 5, arguments(files, seed=1), os.strerror(number), advice)
    assert listing(tmp_path) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_files_that_may_not_be_large(tmp_path: Path, files: dict[str, Any]) -> None:
    """A limit of the shell (ulimit -f), which the system enforces by a signal."""
    before = listing(tmp_path)
    done = subprocess.run(
        [EXECUTABLE, *arguments(files)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ONE_THREAD},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert done.returncode == 5
    assert "File too large" in done.stderr
    assert "ulimit -f" in done.stderr
    assert listing(tmp_path) == before


def test_a_read_only_file_system(
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is refused before any work."""
    opened = os.open

    def refuse(path: Any, flags: int, *rest: Any, **others: Any) -> int:
        if flags & os.O_CREAT and str(path).endswith(".part"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *rest, **others)

    def never(*_: Any) -> None:
        raise AssertionError("the run went on")

    monkeypatch.setattr(publication.os, "open", refuse)
    monkeypatch.setattr(pipeline, "run_traits", never)
    fails(capsys, 5, arguments(files), "Read-only file system", "choose another --out")
    assert main(["check", *arguments(files)[1:]]) == 1
    assert "Read-only file system" in capsys.readouterr().out


def test_results_that_exist(tmp_path: Path, files: dict[str, Any]) -> None:
    """They are replaced by a run that ends well, and only by one."""
    assert main(arguments(files, trait="y")) == 0
    old = listing(tmp_path)
    assert main(arguments(files, trait="z")) == 3
    assert listing(tmp_path) == old
    assert main(arguments(files, maf=0.3)) == 0
    assert listing(tmp_path)["result.y.tsv.gz"] != old["result.y.tsv.gz"]


# Where inputs come from


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen after the inputs are read and before the results are written."""

    def install(action: Callable[[], object]) -> None:
        analysed = pipeline.run_traits

        def run_traits(*rest: Any) -> Any:
            result = analysed(*rest)
            time.sleep(0.3)  # in which the inputs are hashed
            action()
            return result

        monkeypatch.setattr(pipeline, "run_traits", run_traits)

    return install


@pytest.mark.parametrize("name", ["traits.txt", "covariates.txt", "geno.bed", "geno.fam"])
def test_an_input_that_changes_during_the_run(
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    meanwhile: Callable[[Callable[[], object]], None],
    name: str,
) -> None:
    path = tmp_path / name
    meanwhile(lambda: path.write_bytes(path.read_bytes() + b"\n"))
    names = set(listing(tmp_path))
    fails(capsys, 3, arguments(files), f"{path} has changed during the run (it had", "run again")
    assert set(listing(tmp_path)) == names


def test_an_input_of_another_content_and_the_same_size(
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    meanwhile: Callable[[Callable[[], object]], None],
) -> None:
    path = tmp_path / "geno.bed"

    def change() -> None:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 3]))

    meanwhile(change)
    fails(capsys, 3, arguments(files), "its content is another one")


def test_an_input_that_is_gone(
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    meanwhile: Callable[[Callable[[], object]], None],
) -> None:
    meanwhile((tmp_path / "covariates.txt").unlink)
    fails(capsys, 3, arguments(files), "covariates.txt has changed during the run (it is gone)")


def test_an_input_that_is_merely_touched(
    tmp_path: Path,
    files: dict[str, Any],
    meanwhile: Callable[[Callable[[], object]], None],
) -> None:
    meanwhile((tmp_path / "traits.txt").touch)
    assert main(arguments(files)) == 0


class Failing(packed_file.PackedFile):
    """A .bed file whose disk fails after a while."""

    reads = 0

    def _read(self, first: int, rows: Any) -> None:
        type(self).reads += 1
        if type(self).reads > 2:
            self._file = Broken()
        super()._read(first, rows)


class Broken:
    """A file on a disk that fails."""

    def seek(self, place: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_genotypes_on_a_disk_that_fails(
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bed, "PackedFile", Failing)
    monkeypatch.setattr(Failing, "reads", 0)
    before = listing(tmp_path)
    fails(
        capsys,
        3,
        arguments(files),
        "geno.bed cannot be read any more (Input/output error)",
        "check the disk that it lies on",
    )
    assert listing(tmp_path) == before


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
def test_a_table_on_a_disk_that_fails(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Reading the beginning of /proc/self/mem is an input/output error."""
    fails(
        capsys,
        3,
        arguments(files, covar="/proc/self/mem"),
        "/proc/self/mem cannot be read (Input/output error); check the disk or network",
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("option", ["pheno", "covar", "keep", "bfile", "extract"])
def test_a_pipe_is_no_input(
    tmp_path: Path, files: dict[str, Any], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """It would wait for ever, or be empty when it is read again."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fails(capsys, 3, arguments(files, **{option: str(pipe)}), f"{pipe} is a pipe", "to a file")


def test_slow_genotypes_give_the_same(
    tmp_path: Path, files: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(packed_file.PackedFile):
        def _read(self, first: int, rows: Any) -> None:
            time.sleep(0.01)
            super()._read(first, rows)

    assert main(arguments(files)) == 0
    before = listing(tmp_path)["result.y.tsv.gz"]
    monkeypatch.setattr(bed, "PackedFile", Slow)
    assert main(arguments(files)) == 0
    assert listing(tmp_path)["result.y.tsv.gz"] == before


# Who runs it


def test_one_thread_gives_the_same(tmp_path: Path, files: dict[str, Any]) -> None:
    tables = []
    for threads in (1, 2):
        assert main(arguments(files, threads=threads, route="hodlr")) == 0
        tables.append(listing(tmp_path)["result.y.tsv.gz"])
    assert tables[0] == tables[1]


def bare(folder: Path, files: dict[str, Any], **environment: str) -> subprocess.CompletedProcess:
    """Run with plots and report, without a terminal, and in no environment but this one."""
    words = arguments(files, plots=True, report=True)
    return subprocess.run(
        [EXECUTABLE, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=folder,
        env={"PATH": os.defpath, **ONE_THREAD, **environment},
    )


def complaints(done: subprocess.CompletedProcess) -> list[bytes]:
    """What a run said beside how far it was, which it says on a slow machine."""
    progress = re.compile(rb"[A-Z][a-z A-Z]+: (done in \d+ s|\d+ %)")
    return [line for line in done.stderr.splitlines() if not progress.fullmatch(line)]


def test_no_home_no_terminal_and_an_ascii_locale(tmp_path: Path) -> None:
    folder = tmp_path / "results of \N{GREEK SMALL LETTER ALPHA}"
    folder.mkdir()
    files = write_cohort(folder, make_cohort(n=60, m=90))
    done = bare(folder, files, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert complaints(done) == []
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert (folder / "result.html").stat().st_size > 0


@pytest.mark.parametrize("home", ["/nonexistent", "/dev/null"])
def test_a_home_and_caches_that_cannot_be_written(
    tmp_path: Path, files: dict[str, Any], home: str
) -> None:
    """And nothing is written into the package, which may be read-only."""
    package = Path(nextlmm.__file__).parent
    before = {path for path in package.rglob("*") if path.suffix != ".pyc"}
    caches = dict.fromkeys(("MPLCONFIGDIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"), f"{home}/cache")
    done = bare(tmp_path, files, HOME=home, PYTHONDONTWRITEBYTECODE="1", **caches)
    assert complaints(done) == []
    assert done.returncode == 0
    assert (tmp_path / "result.y.manhattan.png").stat().st_size > 0
    assert {path for path in package.rglob("*") if path.suffix != ".pyc"} == before


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        'it\'s "quoted"',
        "new\nline",
        "-dash",
        "gr\xf6\xdfe",
    ],
)
def test_odd_names(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of folders, of files, and of the command that repeats the run."""
    folder = tmp_path / name
    folder.mkdir()
    files = write_cohort(folder, make_cohort(n=60, m=90)) | {"out": str(folder / name)}
    assert main(arguments(files, plots=True, report=True)) == 0
    names = {path.name for path in folder.iterdir()}
    assert {f"{name}.json", f"{name}.y.tsv.gz", f"{name}.html", f"{name}.y.qq.png"} <= names
    document = json.loads((folder / f"{name}.json").read_bytes())
    assert document["options"]["out"] == str(folder / name)
    assert main(["check", *arguments(files)[1:]]) == 0
    assert main([*arguments(files), "--dry-run"]) == 0
    assert main(["report", str(folder / f"{name}.json")]) == 0
    capsys.readouterr()


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"not \xff UTF-8")
    folder = tmp_path / name
    folder.mkdir()
    files = write_cohort(folder, make_cohort(n=60, m=90)) | {"out": str(folder / name)}
    done = bare(folder, files)
    assert complaints(done) == []
    assert done.returncode == 0
    names = {path.name for path in folder.iterdir()}
    assert {f"{name}.json", f"{name}.y.tsv.gz", f"{name}.html", f"{name}.y.qq.png"} <= names
    assert rb"not \udcff UTF-8.json" in done.stdout
    json.loads((folder / f"{name}.json").read_bytes())


def test_identifiers_that_are_not_utf_8(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(files["pheno"])
    path.write_bytes(path.read_bytes().replace(b"s3 ", b"J\xf6rg "))
    fails(capsys, 3, arguments(files), f"{path} is not UTF-8 text: line 5", "0xf6", "UTF-8")


# Who stops it


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_half_way(
    tmp_path: Path, files: dict[str, Any], number: signal.Signals, status: int
) -> None:
    """The older results stay, and no part of a new one."""
    assert main(arguments(files)) == 0
    before = listing(tmp_path)
    program = (
        "import sys, time\n"
        "from nextlmm.output.publication import Publication\n"
        "write = Publication.write\n"
        "def slow(self, path, writer):\n"
        "    write(self, path, writer)\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
        "Publication.write = slow\n"
        "from nextlmm.cli.main import run\n"
        "run()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments(files, seed=1)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert b"Traceback" not in said
    assert (b"nextlmm: Interrupted" in said) == (number == signal.SIGINT)
    assert listing(tmp_path) == before


def test_the_permissions_of_results_are_the_usual_ones(
    tmp_path: Path, files: dict[str, Any]
) -> None:
    before = os.umask(0o027)
    try:
        assert main(arguments(files)) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "result.json").stat().st_mode) == 0o640
