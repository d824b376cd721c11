"""GEMMA: the centred matrix of all variants, then every variant at its own heritability."""

from peers.contract import (
    LARGEST_MISSING_RATE,
    MINOR_ALLELE_FREQUENCY,
    Command,
    Job,
    Peer,
    Way,
    numbers,
    read_table,
    said,
    write_rows,
)


def start(job: Job) -> Command:
    """What the commands of GEMMA, and of the program that takes its options, begin with."""
    files = [job.executable, "-bfile", str(job.cohort.bfile), "-outdir", str(job.folder)]
    return [*files, "-maf", MINOR_ALLELE_FREQUENCY, "-miss", LARGEST_MISSING_RATE]


def prepare(job: Job) -> None:
    """The covariates without header, in the order of the samples, with an intercept."""
    if job.cohort.covar:
        rows = [["1", *row[2:]] for row in numbers(job.cohort.covar)]
        write_rows(job.path("covariates"), rows)


def _commands(job: Job) -> list[Command]:
    matrix = job.path("matrix.cXX.txt")
    covariates = job.with_covariates("-c", job.path("covariates"))
    return [
        [*start(job), "-gk", "1", "-o", "matrix"],
        [*start(job), *covariates, "-k", matrix, "-lmm", "1", "-o", "scan"],
    ]


PEER = Peer(
    name="gemma",
    executables=("gemma",),
    obtain="Debian package gemma; source at genetics-statistics/GEMMA",
    version=lambda executable: said([executable, "-h"], r"GEMMA\s+v?(\d\S*)"),
    ways=(
        Way(
            name="GEMMA -lmm 1",
            model="one matrix, own h2",
            commands=_commands,
            read=lambda job: read_table(
                job.path("scan.assoc.txt"),
                variant="rs",
                p="p_wald",
                effect=("beta", "se"),
                separator="\t",
            ),
            same_model=True,
            prepare=prepare,
            matrices=2.0,
        ),
    ),
)
