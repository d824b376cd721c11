"""Entry point of the ``nextlmm`` command: commands, exit statuses, and errors as sentences.

Exit statuses: 0 done, 1 a problem in the program itself, 2 usage, 3 data, 4 numerics, 5 output,
130 interrupted, 143 terminated.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from types import FrameType

from cyclopts import App, CycloptsError

from nextlmm.cli.commands.example import example
from nextlmm.cli.commands.gwas import gwas
from nextlmm.cli.commands.shared import DEBUG_FLAG
from nextlmm.cli.sentences import failure_sentence, usage_sentence
from nextlmm.errors import NextlmmError

_INTERRUPTED, _BROKEN_PIPE, _TERMINATED = 130, 141, 143


def run() -> None:
    """Run the command line of this process and leave with its exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run the command given by ``arguments`` and return its exit status."""
    app = build_app()
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        command = " ".join(["nextlmm", *(error.command_chain or ())])
        _report(usage_sentence(error, _flags(app, error.command_chain or ())))
        sys.stderr.write(f"See: {command} --help\n")
        return 2
    except KeyboardInterrupt:
        _report("Interrupted; result files appear only when complete, so none is left half done.")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; give Python nothing left to complain about at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:  # the last resort: no user sees a traceback without asking for it
        if DEBUG_FLAG in arguments:
            traceback.print_exc()
        _report(failure_sentence(error))
        return error.exit_status if isinstance(error, NextlmmError) else 1
    return 0


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
        help_epilogue=(
            "Example: nextlmm gwas --bfile cohort --pheno traits.txt --trait height "
            "--covar covariates.txt --out results/height"
        ),
    )
    app.command(example)
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


def _terminate(number: int, frame: FrameType | None) -> None:
    # An exception, and not the default death, lets unfinished files be removed on the way out.
    raise SystemExit(_TERMINATED)
