import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import pytest

import nextlmm
from nextlmm import errors
from nextlmm.cli import app as app_module
from nextlmm.cli.commands import shared
from nextlmm.cli.main import main
from nextlmm.run import pipeline
from nextlmm.run.options import GwasOptions

from ..run.conftest import make_cohort, write_cohort

REQUIRED = ("gwas", "--bfile", "b", "--pheno", "p", "--out", "o")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the main job end with an exception of the test's choice."""

    def install(problem: BaseException) -> None:
        def gwas(options: GwasOptions, progress: object, **_: object) -> None:
            raise problem

        monkeypatch.setattr(pipeline, "gwas", gwas)

    return install


def fails(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """The only line, beside a pointer to the help, that a failing command prints."""
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.startswith("See: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gwas", "--bfil", "b", "--pheno", "p", "--out", "o"), "did you mean --bfile?"),
        ((*REQUIRED, "--mod", "dense"), "There is no option --mod; did you mean --mode?"),
        ((*REQUIRED, "--no-locco"), "did you mean --no-loco?"),
        ((*REQUIRED, "--mpheno", "2"), "There is no option --mpheno; name the column instead"),
        ((*REQUIRED, "--qcovar", "x"), "no option --qcovar; numbers and categories stand in one"),
        ((*REQUIRED, "--covar-col-nums", "3-5"), "--covar-name column3"),
        ((*REQUIRED, "--mlma"), "There is no option --mlma; leave it out"),
        (("gwas", "-g", "x", "-p", "y", "-o", "z"), "There is no option -g; name PLINK 1"),
        ((*REQUIRED, "--covar-formula", "age"), "name the file by the option covar"),
        ((*REQUIRED, "--xyzzy=3"), "There is no option --xyzzy."),
        ((*REQUIRED, "-q"), "There is no option -q."),
        (("gwas", "--bfile", "b", "--pheno", "p"), "--out is required but was not given."),
        (("gwas", "--bfile", "b", "--pheno", "p", "--out"), "--out needs a value."),
        ((*REQUIRED, "extra"), "'extra' belongs to no option"),
        ((*REQUIRED, "--mode", "dens"), "must be one of exact, hodlr, dense; did you mean dense?"),
        ((*REQUIRED, "--maf", "a"), "--maf is 'a', but it must be a number."),
        ((*REQUIRED, "--rank", "2.5"), "--rank is '2.5', but it must be a whole number."),
        ((*REQUIRED, "--loco=maybe"), "--loco is 'maybe', but it must be true or false."),
        ((*REQUIRED, "--bfile", "c"), "--bfile specified multiple times"),
        (
            (*REQUIRED, "--maf", "0.9"),
            "Option maf is 0.9, but it must be a number between 0 and 0.5.",
        ),
        ((*REQUIRED, "--mode", "hodlr", "--per-variant-h2", "always"), "choose mode 'dense'"),
        (("gwaz",), "There is no command 'gwaz'; did you mean gwas?"),
        (("gwa", "--bfile", "x"), "There is no command 'gwa'; did you mean gwas?"),
        (("xyz",), "There is no command 'xyz'; there are gwas, check, merge, h2, predict, grm,"),
        (("--bfile", "x"), "did you mean nextlmm gwas --bfile?"),
        (("--xyzzy",), "There is no option --xyzzy."),
        (("--vresion",), "did you mean --version?"),
    ],
)
def test_usage_errors(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in fails(capsys, 2, *arguments)


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (errors.UsageError("No."), 2),
        (errors.AlignmentError("No."), 3),
        (errors.FormatError("No."), 3),
        (errors.ConvergenceError("No."), 4),
        (errors.OutputError("No."), 5),
    ],
)
def test_every_kind_of_error_has_its_exit_status(
    answer: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    problem: errors.NextlmmError,
    status: int,
) -> None:
    answer(problem)
    code = "" if isinstance(problem, errors.UsageError) else f" [{problem.code}]"
    assert fails(capsys, status, *REQUIRED) == f"nextlmm: No.{code}"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("the trait is constant; check it", "The trait is constant; check it."),
        ("traits.txt, line 3: no", "traits.txt, line 3: no."),
        ("b does not exist; did you mean bb?", "b does not exist; did you mean bb?"),
        ("'x' is no number", "'x' is no number."),
    ],
)
def test_an_error_is_shown_as_a_sentence(
    answer: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    message: str,
    shown: str,
) -> None:
    answer(errors.TraitError(message))
    assert fails(capsys, 3, *REQUIRED) == f"nextlmm: {shown} [E340]"


def test_a_value_out_of_range_points_to_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    main([*REQUIRED, "--maf", "0.9"])
    assert capsys.readouterr().err.splitlines()[-1] == "See: nextlmm gwas --help"


def test_a_full_disk_behind_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(document: object, stream: object, **_: object) -> None:
        raise OSError(28, "No space left on device")

    class Run:
        document: ClassVar = {"files": {"log": "o.log"}}

    monkeypatch.setattr(pipeline, "gwas", lambda options, progress, **_: Run())
    monkeypatch.setattr(shared, "show_summary", fail)
    sentence = fails(capsys, 5, *REQUIRED)
    assert "standard output cannot be written (No space left on device)" in sentence
    assert "all result files are complete, and o.log holds the summary." in sentence


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_help_to_a_full_disk_is_a_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [Path(sys.executable).with_name("nextlmm"), "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("nextlmm: Standard output cannot be written (")
    assert len(done.stderr.splitlines()) == 1


def test_interrupted_while_loading() -> None:
    program = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'cyclopts':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from nextlmm.cli.main import run\n"
        "sys.argv = ['nextlmm', 'gwas', '--help']\n"
        "run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr.startswith("nextlmm: Interrupted;")
    assert len(done.stderr.splitlines()) == 1


def test_a_problem_of_the_program_itself(
    answer: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError: division by zero" in fails(capsys, 1, *REQUIRED)


def test_too_little_memory(
    answer: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(MemoryError())
    assert "too little memory" in fails(capsys, 1, *REQUIRED)


def test_interruption(
    answer: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(KeyboardInterrupt())
    assert "Interrupted" in fails(capsys, 130, *REQUIRED)


def test_debug_shows_the_traceback(
    answer: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(errors.TraitError("Constant."))
    assert main([*REQUIRED, "--debug"]) == 3
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.endswith("nextlmm: Constant. [E340]\n")


@pytest.mark.parametrize("command", app_module._COMMANDS)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    assert f"Usage: nextlmm {command}" in capsys.readouterr().out


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == metadata.version("nextlmm")
    assert main(["--help"]) == 0
    assert "gwas" in capsys.readouterr().out
    assert main(["gwas", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--per-variant-h2" in shown
    assert main([]) == 0


def test_every_option_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    main(["gwas", "--help"])
    shown = capsys.readouterr().out
    for name in GwasOptions.__dataclass_fields__:
        assert "--" + name.replace("_", "-") in shown


def test_help_does_not_load_the_numerical_libraries() -> None:
    program = (
        "import sys\n"
        "from nextlmm.cli.main import main\n"
        "main(['gwas', '--help'])\n"
        "heavy = {'numpy', 'scipy', 'polars', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_reader_that_goes_away_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "build_app", lambda: _raise_broken_pipe)
    with open(os.devnull, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["--help"]) == 141


def _raise_broken_pipe(*args: Any, **keywords: Any) -> None:
    raise BrokenPipeError


def test_the_installed_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("nextlmm")
    done = subprocess.run(
        [command, "gwas", "--bfile", "nothing", "--pheno", "none.txt", "--out", "o"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("nextlmm: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_letters_that_the_locale_cannot_show(tmp_path: Path) -> None:
    prefix = os.fsencode(tmp_path) + b"/gr\xc3\xb6\xc3\x9fe-\xff"
    done = subprocess.run(
        [
            os.fsencode(Path(sys.executable).with_name("nextlmm")),
            *(b"gwas", b"--bfile", prefix, b"--pheno", prefix, b"--out", prefix),
        ],
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )
    assert done.returncode == 3
    assert done.stderr.startswith(b"nextlmm: ")
    assert len(done.stderr.splitlines()) == 1


def test_version_of_the_package() -> None:
    assert nextlmm.__version__ == metadata.version("nextlmm")


def test_profile_shows_where_the_time_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write_cohort(tmp_path, make_cohort())
    arguments = ["gwas", *GwasOptions(**(files | {"plots": False})).to_arguments()]
    begin = time.perf_counter() - 1000.0
    assert main([*arguments, "--profile"], begin) == 0
    shown = capsys.readouterr().out
    rows = {" ".join(line.split()[:-2]): line.split() for line in shown.splitlines()}
    assert float(rows["run start-up"][-2]) >= 1000.0
    assert "Ggenotypes/s" in shown
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "Ggenotypes/s" not in shown
