"""``nextlmm report``: the page of a run, made again."""

import sys
from typing import Annotated

from cyclopts import Parameter

from nextlmm.cli.commands.shared import Debug


def report(
    document: str,
    /,
    *,
    out: Annotated[str | None, Parameter(alias="-o")] = None,
    debug: Debug = False,
) -> None:
    """Write the HTML report of a finished run again.

    It is made from the document and the tables of the run; no genotypes are needed.

    Parameters
    ----------
    document
        The result document of the run, OUT.json.
    out
        The page to write. OUT.html unless given.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.run.rebuild import rebuild_report  # noqa: PLC0415

    sys.stdout.write(f"{rebuild_report(document, out)}\n")
