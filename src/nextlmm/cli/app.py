"""The command line: its commands, and errors as sentences with an exit status."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata

from cyclopts import App, CycloptsError

from nextlmm.cli.commands.check import check
from nextlmm.cli.commands.clump import clump
from nextlmm.cli.commands.example import example
from nextlmm.cli.commands.explain import explain
from nextlmm.cli.commands.grm import grm
from nextlmm.cli.commands.gwas import GWAS_EXAMPLES, gwas
from nextlmm.cli.commands.h2 import h2
from nextlmm.cli.commands.merge import merge
from nextlmm.cli.commands.pca import pca
from nextlmm.cli.commands.predict import predict
from nextlmm.cli.commands.report import REPORT_EXAMPLES, report
from nextlmm.cli.commands.shared import DEBUG_FLAG, PROGRAM_BEGIN
from nextlmm.cli.commands.simulate import simulate
from nextlmm.cli.sentences import failure_sentence, unknown_option, usage_sentence
from nextlmm.errors import NextlmmError, UsageError

_COMMANDS = (
    "gwas",
    "check",
    "merge",
    "h2",
    "predict",
    "grm",
    "pca",
    "clump",
    "report",
    "explain",
    "simulate",
    "example",
)
_USAGE, _BROKEN_PIPE = 2, 141


def execute(arguments: Sequence[str], begin: float | None = None) -> int:
    """Run the command given by ``arguments`` and return its exit status; see `nextlmm.cli.main`."""
    PROGRAM_BEGIN.set(begin)
    app = build_app()
    try:
        status = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except CycloptsError as error:
        chain = tuple(error.command_chain or ())
        commands = {} if chain else {name: _flags(app, (name,)) for name in _COMMANDS}
        _report(usage_sentence(error, _flags(app, chain), arguments, commands))
        _point_to_help(chain)
        return _USAGE
    except BrokenPipeError:
        _silence_stdout()
        return _BROKEN_PIPE
    except Exception as error:  # the last resort: no user sees a traceback without asking for it
        if DEBUG_FLAG in arguments:
            traceback.print_exc()
        misspelled = None
        if isinstance(error, UsageError) and arguments[0] in _COMMANDS:
            # What is missing or contradictory was most likely misspelled: name that.
            misspelled = unknown_option(arguments, _flags(app, arguments[:1]))
        if isinstance(error, UsageError):
            _report(misspelled or failure_sentence(error, arguments))
            _point_to_help(tuple(arguments[:1]))
        else:
            code = f" [{error.code}]" if isinstance(error, NextlmmError) else ""
            _report(failure_sentence(error, arguments) + code)
        for note in getattr(error, "__notes__", ()):
            _report(note)
        _silence_stdout()
        return error.exit_status if isinstance(error, NextlmmError) else 1
    return status if isinstance(status, int) else 0


def build_app() -> App:
    """The command line with all of its commands."""
    app = App(
        name="nextlmm",
        help=(
            "Genome-wide association with a linear mixed model: near-exact and certified with a "
            "hierarchical relationship matrix, or exact."
        ),
        help_epilogue="First steps: nextlmm example",
        version=lambda: metadata.version("nextlmm"),
        suppress_keyboard_interrupt=False,
    )
    app.command(
        gwas,
        help_epilogue=GWAS_EXAMPLES,
    )
    app.command(
        check,
        help_epilogue=(
            "Example: nextlmm check --bfile cohort --pheno traits.txt --covar covariates.txt "
            "--out results/cohort"
        ),
    )
    app.command(
        merge,
        help_epilogue=(
            "Example: nextlmm gwas --bfile cohort --pheno traits.txt --out results/run1 "
            "--part 1/20, and so on to 20/20, in any order or at the same time; then "
            "nextlmm merge results/run1"
        ),
    )
    app.command(
        h2,
        help_epilogue=(
            "Example: nextlmm h2 --bfile cohort --pheno traits.txt --covar covariates.txt "
            "--out results/cohort"
        ),
    )
    app.command(
        predict,
        help_epilogue=(
            "Example: nextlmm predict --bfile cohort --pheno traits.txt --trait height "
            "--out results/cohort\n\n"
            "Scores of other samples: plink2 --bfile others --score "
            "results/cohort.height.weights.tsv.gz 3 4 7 header"
        ),
    )
    app.command(
        grm,
        help_epilogue=(
            "Example: nextlmm grm --bfile cohort --grm-prune 200,50,0.2 --format gcta "
            "--out results/cohort"
        ),
    )
    app.command(
        pca,
        help_epilogue=(
            "Example: nextlmm pca --bfile cohort --grm-prune 200,50,0.2 --out results/cohort"
        ),
    )
    app.command(
        clump,
        help_epilogue="Example: nextlmm clump results/height.json --r2 0.2 --out results/r02",
    )
    app.command(report, help_epilogue=REPORT_EXAMPLES)
    app.command(explain, help_epilogue="Example: nextlmm explain E320")
    app.command(
        simulate,
        help_epilogue=(
            "Example: nextlmm simulate --samples 2000 --structure families --h2 0.4 --out cohort"
        ),
    )
    app.command(example)
    app.register_install_completion_command(
        help="Install completion of commands and options for the shell in use."
    )
    for at, name in enumerate(_COMMANDS, 1):
        app[name].sort_key = at
    for flag in ("--help", "--version", "--install-completion"):
        app[flag].group = "Options"
    return app


def _flags(app: App, command: Sequence[str]) -> list[str]:
    """Every option name of a command, aliases included."""
    for name in command:
        app = app[name]
    if app.default_command is None:
        return [*app.help_flags, *app.version_flags]
    collection = app.assemble_argument_collection()
    return [name for argument in collection for name in argument.names]


def _report(sentence: str) -> None:
    sys.stderr.write(f"nextlmm: {sentence}\n")


def _point_to_help(command: Sequence[str]) -> None:
    sys.stderr.write(f"See: {' '.join(['nextlmm', *command])} --help\n")


def _silence_stdout() -> None:
    """Where stdout cannot be written, leave Python nothing to complain about at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
