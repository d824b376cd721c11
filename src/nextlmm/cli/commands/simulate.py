"""``nextlmm simulate``: a cohort, or traits on given genotypes."""

import sys

from nextlmm.cli.commands.shared import Debug, show_paragraphs
from nextlmm.cli.progress import ScreenProgress
from nextlmm.run.simulate_options import SimulateOptions


def simulate(options: SimulateOptions, *, debug: Debug = False) -> None:
    """Simulate a cohort with traits and covariates, or traits on given genotypes.

    Writes OUT.bed, OUT.bim and OUT.fam unless genotypes are named, OUT.traits.txt (a heritable
    trait, and noise), OUT.covariates.txt, OUT.truth.tsv (the causal variants and their effects) and
    OUT.simulation.json (how it was made). The same options give the same bytes.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.simulated import describe_cohort  # noqa: PLC0415
    from nextlmm.run.simulate import simulate as make  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        made = make(options, progress)
    show_paragraphs(describe_cohort(made.document), str(made.files[-1]))
