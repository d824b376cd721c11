"""``nextlmm clump``: the independent lead variants of a finished run."""

import sys

from nextlmm.cli.commands.shared import PROGRAM_BEGIN, Debug, show_paragraphs
from nextlmm.cli.progress import ScreenProgress
from nextlmm.run.clump_options import ClumpOptions


def clump(document: str, /, options: ClumpOptions, *, debug: Debug = False) -> None:
    """Find the independent lead variants of a finished run, with LD from genotypes.

    Writes OUT.leads.tsv, in the columns of the table of leads that the run wrote itself, and
    OUT.clump.json (what it was made of).

    Parameters
    ----------
    document
        The result document of the run, as in results/height.json.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.clumps import describe_clumps  # noqa: PLC0415
    from nextlmm.run.clump import clump as find  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = find(document, options, progress, begin=PROGRAM_BEGIN.get())
    show_paragraphs(describe_clumps(run.document, run.leads), str(run.files[-1]))
