"""``nextlmm gwas``: from genotype and trait files to association tables."""

import shlex
import sys
from typing import Annotated

from cyclopts import Parameter

from nextlmm.cli.commands.shared import PROGRAM_BEGIN, RUN, Debug, DryRun, show, show_plan
from nextlmm.cli.progress import ScreenProgress
from nextlmm.report.wording import duration
from nextlmm.run.options import GwasOptions

Profile = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="Show where the time went: seconds, cores and speed of every stage.",
        group=RUN,
    ),
]

GWAS_EXAMPLES = """Examples:

* One trait with covariates: nextlmm gwas --bfile cohort --pheno traits.txt --trait height
  --covar covariates.txt --out results/height
* Two traits, imputed genotypes: nextlmm gwas --bgen cohort.bgen --sample cohort.sample
  --pheno traits.txt --trait height bmi --maf 0.01 --out results/imputed
* A table for other programs too: nextlmm gwas --bfile cohort --pheno traits.txt --out results/one
  --out-format regenie cojo
"""


def gwas(
    options: GwasOptions, *, dry_run: DryRun = False, profile: Profile = False, debug: Debug = False
) -> None:
    """Test every variant for association with a trait.

    Writes OUT.TRAIT.tsv.gz (one row per variant) with its index, OUT.TRAIT.manhattan.png,
    OUT.TRAIT.qq.png, OUT.TRAIT.leads.tsv (independent lead variants), OUT.html (a page with all of
    it), OUT.json (everything about the run) and OUT.log. The files appear together when all of them
    are complete. A run that was stopped goes on with --resume.
    """
    del debug  # read by the entry point, which handles errors
    if dry_run:
        show_plan(options)
        return
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    if options.part is not None:
        _do_part(options)
        return
    from nextlmm.run.pipeline import gwas as run_gwas  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = run_gwas(options, progress, begin=PROGRAM_BEGIN.get())
    show(run.document, profile=profile)


def _do_part(options: GwasOptions) -> None:
    from nextlmm.run.part import gwas_part  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = gwas_part(options, progress, begin=PROGRAM_BEGIN.get())
    left = f"{len(run.missing)} of {run.part.of} parts are missing"
    if not run.missing:
        left = f"all are there: nextlmm merge {shlex.quote(options.out)}"
    sys.stdout.write(f"part {run.part} is done in {duration(run.seconds)}; {left}\n")
