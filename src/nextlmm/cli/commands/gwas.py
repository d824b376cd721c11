"""``nextlmm gwas``: from genotype and trait files to association tables."""

import sys

from nextlmm.cli.commands.shared import Debug, show
from nextlmm.cli.progress import ScreenProgress
from nextlmm.run.options import GwasOptions


def gwas(options: GwasOptions, *, debug: Debug = False) -> None:
    """Test every variant for association with a trait.

    Writes OUT.TRAIT.tsv.gz (one row per variant), OUT.TRAIT.manhattan.png, OUT.TRAIT.qq.png,
    OUT.json (everything about the run) and OUT.log. The files appear together when all of them
    are complete.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.run.pipeline import gwas as run_gwas  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = run_gwas(options, progress)
    show(run.document)
