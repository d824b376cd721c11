"""BOLT-LMM: the infinitesimal model by conjugate gradients, calibrated on 30 variants."""

from peers.contract import LARGEST_MISSING_RATE, Command, Job, Peer, Way, read_table, said


def _commands(job: Job) -> list[Command]:
    files = ["--bfile", str(job.cohort.bfile), "--phenoFile", str(job.cohort.pheno)]
    files += ["--phenoCol", job.trait, "--statsFile", job.path("scan.txt")]
    covariates = job.with_covariates("--covarFile")
    if covariates:
        covariates += [f"--qCovarCol={name}" for name in job.cohort.covariates]
    rest = ["--maxMissingPerSnp", LARGEST_MISSING_RATE, "--numThreads", str(job.threads)]
    # p-values come with two digits, the statistic that --verboseStats adds with more
    return [[job.executable, "--lmmInfOnly", "--verboseStats", *files, *covariates, *rest]]


PEER = Peer(
    name="bolt",
    executables=("bolt",),
    obtain="Debian package bolt-lmm",
    version=lambda executable: said([executable, "-h"], r"BOLT-LMM, v(\S+)"),
    ways=(
        Way(
            name="BOLT-LMM --lmmInfOnly",
            model="loco",
            commands=_commands,
            read=lambda job: read_table(
                job.path("scan.txt"), variant="SNP", chi2="CHISQ_BOLT_LMM_INF", separator="\t"
            ),
        ),
    ),
)
