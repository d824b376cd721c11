"""REGENIE: ridge regressions in blocks, stacked (step 1), then each variant (step 2)."""

from peers.contract import (
    Command,
    Job,
    Peer,
    Way,
    read_table,
    said,
)

STEP_1_BLOCK = "1000"  # variants, as its documentation recommends
STEP_2_BLOCK = "400"


def _commands(job: Job) -> list[Command]:
    start = [job.executable, "--bed", str(job.cohort.bfile), "--threads", str(job.threads)]
    start += ["--phenoFile", str(job.cohort.pheno), "--phenoCol", job.trait]
    start += job.with_covariates("--covarFile")
    step_2 = ["--step", "2", "--bsize", STEP_2_BLOCK, "--pred", job.path("fit_pred.list")]
    return [
        [*start, "--step", "1", "--bsize", STEP_1_BLOCK, "--out", job.path("fit")],
        [*start, *step_2, "--out", job.path("scan")],
    ]


PEER = Peer(
    name="regenie",
    executables=("regenie",),
    obtain="source at rgcgithub/regenie",
    version=lambda executable: said([executable, "--version"], r"v?(\d+\.\S+)"),
    ways=(
        Way(
            name="REGENIE",
            model="loco",
            commands=_commands,
            read=lambda job: read_table(
                job.path(f"scan_{job.trait}.regenie"), variant="ID", chi2="CHISQ", separator=" "
            ),
        ),
    ),
)
