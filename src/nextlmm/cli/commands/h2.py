"""``nextlmm h2``: the heritability of traits, without testing a variant."""

import sys

from nextlmm.cli.commands.shared import PROGRAM_BEGIN, Debug, DryRun, show_paragraphs, show_plan
from nextlmm.cli.progress import ScreenProgress
from nextlmm.run.null_options import H2Options


def h2(options: H2Options, *, dry_run: DryRun = False, debug: Debug = False) -> None:
    """Estimate the heritability of a trait, and test nothing.

    Writes OUT.h2.tsv (one row per trait) and OUT.h2.json (everything about the run). The numbers
    are those of nextlmm gwas with the same options.
    """
    del debug  # read by the entry point, which handles errors
    if dry_run:
        show_plan(options)
        return
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.summary import summarise  # noqa: PLC0415
    from nextlmm.run.heritability import estimate_h2  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = estimate_h2(options, progress, begin=PROGRAM_BEGIN.get())
    show_paragraphs(summarise(run.document), str(run.files[-1]))
