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


PROGRAM_BEGIN: ContextVar[float | None] = ContextVar("begin of the program", default=None)
"""What ``time.perf_counter`` said then, for the commands, which count its start as their own."""


def show(document: Mapping[str, Any], lines: Iterable[str] = (), *, profile: bool = False) -> None:
    """Print the summary of a run whose files are complete, its profile if asked, further lines.

    Raises
    ------
    OutputError
        If standard output cannot be written.
    """
    with _output(document["files"]["log"]):
        show_summary(document, sys.stdout, profile=profile)
        show_lines(lines, sys.stdout)


def show_paragraphs(paragraphs: Sequence[Paragraph], kept_in: str) -> None:
    """Print paragraphs about files that are complete; ``kept_in`` is one that says the same.

    Raises
    ------
    OutputError
        If standard output cannot be written.
    """
    with _output(kept_in):
        print_paragraphs(paragraphs, sys.stdout)


@contextmanager
def _output(kept_in: str) -> Iterator[None]:
    """Standard output, written to the end."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"The summary cannot be shown, because standard output cannot be written "
            f"({error.strerror}); all result files are complete, and {kept_in} holds the summary."
        ) from error
