"""``nextlmm predict``: effects of all variants at once, and genetic values by them."""

import sys

from nextlmm.cli.commands.shared import PROGRAM_BEGIN, Debug, DryRun, show_paragraphs, show_plan
from nextlmm.cli.progress import ScreenProgress
from nextlmm.run.null_options import PredictOptions


def predict(options: PredictOptions, *, dry_run: DryRun = False, debug: Debug = False) -> None:
    """Predict the genetic values of samples with and without the trait.

    Writes OUT.TRAIT.weights.tsv.gz (the effect of every variant by best linear unbiased
    prediction, as plink2 --score takes them), OUT.TRAIT.blup.tsv (the genetic value of every
    sample), OUT.predict.tsv (heritability and leave-one-out accuracy, one row per trait) and
    OUT.predict.json (everything about the run).
    """
    del debug  # read by the entry point, which handles errors
    if dry_run:
        show_plan(options)
        return
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.summary import summarise  # noqa: PLC0415
    from nextlmm.run.predict import predict as run_predict  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = run_predict(options, progress, begin=PROGRAM_BEGIN.get())
    show_paragraphs(summarise(run.document), str(run.files[-1]))
