"""What every command has: an option for errors, and a way to show its results."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any

from cyclopts import Group, Parameter

from nextlmm.cli.render import show_lines, show_summary
from nextlmm.cli.render import show_paragraphs as print_paragraphs
from nextlmm.errors import OutputError
from nextlmm.report.summary import Paragraph
from nextlmm.run.options import GwasOptions

DEBUG_FLAG = "--debug"
RUN = Group("Run", sort_key=8)

Debug = Annotated[
    bool,
    Parameter(
        name=DEBUG_FLAG,
        negative="",
        show_default=False,
        help="Show where in the program an error arose.",
        group=RUN,
    ),
]

DryRun = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="Say what the run would do, take and cost, with lines for schedulers, and do nothing.",
        group=RUN,
    ),
]


PROGRAM_BEGIN: ContextVar[float | None] = ContextVar("begin of the program", default=None)
"""What ``time.perf_counter`` said then, for the commands, which count its start as their own."""


def show(document: Mapping[str, Any], lines: Iterable[str] = (), *, profile: bool = False) -> None:
    """Print the summary of a run whose files are complete, its profile if asked, further lines.

    Raises
    ------
    OutputError
        If standard output cannot be written.
    """
    with written(document["files"]["log"]):
        show_summary(document, sys.stdout, profile=profile)
        show_lines(lines, sys.stdout)


def show_paragraphs(paragraphs: Sequence[Paragraph], kept_in: str) -> None:
    """Print paragraphs about files that are complete; ``kept_in`` is one that says the same.

    Raises
    ------
    OutputError
        If standard output cannot be written.
    """
    with written(kept_in):
        print_paragraphs(paragraphs, sys.stdout)


def show_plan(options: GwasOptions) -> None:
    """Print what a run would do and cost.

    Raises
    ------
    NextlmmError
        As `nextlmm.run.forecast.plan`, and if standard output cannot be written.
    """
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.forecast import describe_forecast  # noqa: PLC0415
    from nextlmm.run.forecast import plan  # noqa: PLC0415

    found = plan(options)
    with written(None):
        print_paragraphs(describe_forecast(found.document), sys.stdout)


@contextmanager
def written(kept_in: str | None) -> Iterator[None]:
    """Standard output, written to the end; ``kept_in`` is a file that says the same."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if kept_in is None:
            raise OutputError(f"Standard output cannot be written ({error.strerror}).") from error
        raise OutputError(
            f"The summary cannot be shown, because standard output cannot be written "
            f"({error.strerror}); all result files are complete, and {kept_in} holds the summary."
        ) from error
