"""``nextlmm report``: the page of a run, made again, and all of its plots as files."""

import sys
from typing import Annotated

from cyclopts import Parameter

from nextlmm.cli.commands.shared import Debug

REPORT_EXAMPLES = """Examples:

* The page again: nextlmm report results/height.json
* Every plot as a file, in results/height.figures: nextlmm report results/height.json
  --figures png pdf
"""


def report(
    document: str,
    /,
    *,
    out: Annotated[str | None, Parameter(alias="-o")] = None,
    figures: Annotated[
        tuple[str, ...],
        Parameter(consume_multiple=True, negative="", show_default=False),
    ] = (),
    debug: Debug = False,
) -> None:
    """Write the HTML report of a finished run again, or its plots as files.

    It is made from the document and the tables of the run; no genotypes are needed.

    Parameters
    ----------
    document
        The result document of the run, OUT.json.
    out
        The page to write, OUT.html unless given; with --figures the folder, OUT.figures unless
        given.
    figures
        In place of the page, draw every plot as a file of its own: png, pdf, svg or several.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    if figures:
        from nextlmm.plots.write import write_figures  # noqa: PLC0415

        paths = write_figures(document, out, figures)
        sys.stdout.write("".join(f"{path}\n" for path in paths))
        return
    from nextlmm.run.rebuild import rebuild_report  # noqa: PLC0415

    sys.stdout.write(f"{rebuild_report(document, out)}\n")
