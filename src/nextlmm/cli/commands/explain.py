"""``nextlmm explain``: what an error code or the status of a variant means."""

import difflib
import sys
import textwrap

from nextlmm.cli.commands.shared import Debug
from nextlmm.errors import UsageError
from nextlmm.report.codes import EXPLANATIONS

_WIDTH = 80


def explain(code: str | None = None, /, *, debug: Debug = False) -> None:
    """Say what an error code or the status of a variant means, and what to do.

    Parameters
    ----------
    code
        A code such as E320 or a status such as monomorphic. All are listed unless one is given.
    """
    del debug  # read by the entry point, which handles errors
    if code is None:
        lines = [f"{name:<12} {found.title}" for name, found in EXPLANATIONS.items()]
        sys.stdout.write("\n".join(lines) + "\n")
        return
    name = _named(code)
    found = EXPLANATIONS[name]
    paragraphs = [textwrap.fill(paragraph, _WIDTH) for paragraph in found.paragraphs()]
    sys.stdout.write("\n\n".join([f"{name}: {found.title}", *paragraphs]) + "\n")


def _named(code: str) -> str:
    """The code as it is spelt here.

    Raises
    ------
    UsageError
        If there is none.
    """
    by_key = {name.casefold(): name for name in EXPLANATIONS}
    key = code.casefold()
    if key in by_key:
        return by_key[key]
    near = difflib.get_close_matches(key, by_key, 1)
    hint = f"did you mean {by_key[near[0]]}?" if near else "nextlmm explain lists all."
    raise UsageError(f"There is no code or status {code!r}; {hint}")
