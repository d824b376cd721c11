"""``nextlmm grm``: from genotypes to a relationship matrix in the format of a program."""

import sys

from nextlmm.cli.commands.shared import PROGRAM_BEGIN, Debug, show_paragraphs
from nextlmm.cli.progress import ScreenProgress
from nextlmm.run.grm_options import GrmOptions


def grm(options: GrmOptions, *, debug: Debug = False) -> None:
    """Make a relationship matrix of genotypes and write it in the format of another program.

    Writes the matrix, the list of its samples, and OUT.grm.json (what it was made of). The files
    appear together when all of them are complete.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.matrix import describe_matrix  # noqa: PLC0415
    from nextlmm.run.grm import write_grm  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = write_grm(options, progress, begin=PROGRAM_BEGIN.get())
    show_paragraphs(describe_matrix(run.document), str(run.files[-1]))
