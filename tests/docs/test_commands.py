"""Every command in the README and on the pages of the site does what it says, or at least works."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from nextlmm.cli.app import build_app
from nextlmm.cli.main import main

from .cohort import write_cohort
from .pages import ROOT, Page, pages

PAGES = pages()

pytestmark = pytest.mark.skipif(len(PAGES) < 3, reason="the pages are not beside the tests")


@dataclass(frozen=True)
class Elsewhere:
    """Commands that are not run here: why, and what .ci/run does in their place, if anything."""

    begin: str
    reason: str
    evidence: str = ""


ELSEWHERE = (
    Elsewhere("python3 -m venv", "the checks begin with it", "-m venv"),
    Elsewhere(".venv/bin/pip install", "the checks begin with it", "/pip"),
    Elsewhere(".venv/bin/pytest", "it is what runs this", "$bin/pytest"),
    Elsewhere(".ci/run", "it is what runs this"),
    Elsewhere(
        ".venv/bin/python -m sphinx -W", "the checks build the site", "-m sphinx -W --keep-going"
    ),
    Elsewhere(".ci/links", "needs a network"),
    Elsewhere(
        "nextlmm gwas --bfile cohort --pheno traits.txt --trait height --out results/shared "
        "--cluster tcp",
        "needs a scheduler that is running",
    ),
)
OTHER_PROGRAMS = ("plink2", "gemma")
SMALLER = {
    "--samples 5000": "--samples 60",
    "--variants 50000": "--variants 400",
    "--causal 200": "--causal 40",
}
"""Sizes of simulations on the pages, and those they are run with."""

QUICKER, WHOLE = ("--no-plots", "--no-report"), 3
"""What is added to commands but for the first three, of which the README has two."""

_PLINK = (
    "--clump --indep-pairwise --make-pgen --score --glm --make-rel --make-grm-bin --make-king "
    "--make-king-table --set-all-var-ids --export --freq --pedmap"
)
_GCTA = "--mlma --mlma-loco --mlma-no-preadj-covar --fastGWA-mlm --cojo-file"
_DASK = "--scheduler-file --local-directory"
_OTHERS = "--lmm --lmmInfOnly --quick --minutes --readers"
OPTIONS_ELSEWHERE = frozenset(f"{_PLINK} {_GCTA} {_DASK} {_OTHERS}".split())


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A folder with everything that the pages name, and the genotypes in it."""
    folder = tmp_path_factory.mktemp("pages")
    dosages = write_cohort(folder)
    for name in ("results", "kin", "sim"):
        (folder / name).mkdir()
    return folder, dosages


@pytest.fixture(scope="module")
def run(workplace: tuple[Path, np.ndarray]) -> Callable[[str], str | None]:
    """Run a command once, and say how it failed; None if it did not."""
    done: dict[str, str | None] = {}

    def once(command: str) -> str | None:
        command = command.removeprefix(".venv/bin/")
        if command not in done:  # pictures and pages are drawn by the first few alone
            done[command] = _outcome(command, workplace[0], is_whole=len(done) < WHOLE)
        return done[command]

    return once


def _outcome(command: str, folder: Path, *, is_whole: bool) -> str | None:
    for size, smaller in SMALLER.items():
        command = command.replace(size, smaller)
    program, *arguments = shlex.split(command)
    if arguments[:1] == ["gwas"] and not is_whole:
        arguments += [word for word in QUICKER if word not in arguments]
    if Path(program).name == "nextlmm":
        heard = StringIO()
        before = Path.cwd()
        os.chdir(folder)
        try:
            with redirect_stdout(heard), redirect_stderr(heard):
                status = main(arguments)
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 0
        finally:
            os.chdir(before)
        return f"{command}\n{heard.getvalue()}" if status else None
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return f"{command}\n{done.stdout}{done.stderr}" if done.returncode else None


def _is_elsewhere(command: str) -> bool:
    return any(command.startswith(one.begin) for one in ELSEWHERE)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_works(page: Page, run: Callable[[str], str | None]) -> None:
    absent = set()
    for command in page.commands():
        program = shlex.split(command)[0]
        if _is_elsewhere(command):
            continue
        if program in OTHER_PROGRAMS and shutil.which(program) is None:
            absent.add(program)
            continue
        assert Path(program).name == "nextlmm" or program in OTHER_PROGRAMS, command
        failure = run(command)
        assert failure is None, failure
    if absent:
        pytest.skip(f"all others passed; not on the path: {', '.join(sorted(absent))}")


@pytest.mark.parametrize("page", [page for page in PAGES if list(page.python())], ids=str)
def test_every_block_of_python_works(
    page: Page, workplace: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, dosages = workplace
    monkeypatch.chdir(folder)
    names = {"y": np.nanmean(dosages[:, :30], axis=1), "genotypes": dosages}
    for block in page.python():
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize(
    ("page", "script"),
    [(page, script) for page in PAGES for script in page.scripts()],
    ids=[str(page) for page in PAGES for _ in page.scripts()],
)
def test_every_script_works(
    page: Page, script: str, workplace: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    done = subprocess.run(
        ["bash", "-euc", script], cwd=workplace[0], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (workplace[0] / "results" / "trait2.json").exists()


def test_what_is_not_run_here_is_run_by_the_checks() -> None:
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = [command for page in PAGES for command in page.commands()]
    for one in ELSEWHERE:
        assert one.evidence in checks, one
        assert any(command.startswith(one.begin) for command in commands), one


def test_there_are_commands_to_run() -> None:
    assert sum(1 for page in PAGES for _ in page.commands()) > 50


def _own_options() -> set[str]:
    app = build_app()
    own = {"--help", "--version", "--install-completion"}
    for name in (name for name in app if not name.startswith("-")):
        for argument in app[name].assemble_argument_collection():
            own |= {*argument.names, *argument.negatives}
    return own


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.path.parent.name != "migrate"], ids=str
)
def test_every_option_in_the_text_exists(page: Page) -> None:
    known = _own_options() | OPTIONS_ELSEWHERE
    named = {
        word.split("=")[0].rstrip(",.;:")
        for code in page.code()
        for word in code.split()
        if word.startswith("--")
    }
    assert named <= known, named - known


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.path.parent.name == "migrate"], ids=str
)
def test_every_option_in_the_column_of_ours_exists(page: Page) -> None:
    """The second cell of a row of a table is what is typed here."""
    known = _own_options() | OPTIONS_ELSEWHERE
    cells = [line.split("|")[2] for line in page.text.splitlines() if line.count("|") >= 4]
    words = {word for cell in cells for part in cell.split("`")[1::2] for word in part.split()}
    named = {word.split("=")[0].rstrip(",.;:") for word in words if word.startswith("--")}
    assert named <= known, named - known
