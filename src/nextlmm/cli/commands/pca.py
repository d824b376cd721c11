"""``nextlmm pca``: from genotypes to their leading principal components."""

import sys

from nextlmm.cli.commands.shared import PROGRAM_BEGIN, Debug, show_paragraphs
from nextlmm.cli.progress import ScreenProgress
from nextlmm.run.pca_options import PcaOptions


def pca(options: PcaOptions, *, debug: Debug = False) -> None:
    """Find the leading principal components of genotypes, each with its residual.

    Writes OUT.eigenvec, which --covar of nextlmm gwas takes, OUT.eigenval, OUT.pca.png, and
    OUT.pca.json (what they were made of, and how accurate they are). The files appear together when
    all of them are complete.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.matrix import describe_components  # noqa: PLC0415
    from nextlmm.run.pca import pca as find  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = find(options, progress, begin=PROGRAM_BEGIN.get())
    show_paragraphs(describe_components(run.document), str(run.files[-1]))
