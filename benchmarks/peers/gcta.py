"""GCTA: fastGWA with its sparse matrix, and the exact model leaving out a chromosome at a time."""

from peers.contract import (
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

SPARSE_CUT_OFF = "0.05"


def _prepare(job: Job) -> None:
    """Trait and covariates without headers."""
    place = 2 + job.cohort.traits.index(job.trait)
    rows = [[*row[:2], row[place]] for row in numbers(job.cohort.pheno)]
    write_rows(job.path("trait"), rows)
    if job.cohort.covar:
        write_rows(job.path("covariates"), numbers(job.cohort.covar))


def _genotypes(job: Job) -> Command:
    threads = ["--thread-num", str(job.threads)]
    # --geno is not for all of its commands
    return [
        job.executable,
        "--bfile",
        str(job.cohort.bfile),
        "--maf",
        MINOR_ALLELE_FREQUENCY,
        *threads,
    ]


def _model(job: Job) -> Command:
    return ["--pheno", job.path("trait"), *job.with_covariates("--qcovar", job.path("covariates"))]


def _fastgwa(job: Job) -> list[Command]:
    full, sparse, scan = (job.path(name) for name in ("full", "sparse", "scan"))
    threads = ["--thread-num", str(job.threads)]
    make_sparse = ["--make-bK-sparse", SPARSE_CUT_OFF]
    return [
        [*_genotypes(job), "--make-grm", "--out", full],
        [job.executable, "--grm", full, *make_sparse, *threads, "--out", sparse],
        [*_genotypes(job), *_model(job), "--grm-sparse", sparse, "--fastGWA-mlm", "--out", scan],
    ]


PEER = Peer(
    name="gcta",
    executables=("gcta64", "gcta"),
    obtain="source at jianyangqt/gcta, or from its authors",
    version=lambda executable: said([executable], r"version v?(\d\S*)"),
    ways=(
        Way(
            name="GCTA fastGWA",
            model="loco",
            commands=_fastgwa,
            read=lambda job: read_table(
                job.path("scan.fastGWA"),
                variant="SNP",
                p="P",
                effect=("BETA", "SE"),
                separator="\t",
            ),
            prepare=_prepare,
            matrices=0.5,
            bytes_per_number=4,
        ),
        Way(
            name="GCTA --mlma-loco",
            model="loco, h2 of each chromosome",
            commands=lambda job: [
                [*_genotypes(job), *_model(job), "--mlma-loco", "--out", job.path("scan")]
            ],
            read=lambda job: read_table(
                job.path("scan.loco.mlma"), variant="SNP", p="p", effect=("b", "se"), separator="\t"
            ),
            prepare=_prepare,
            matrices=3.0,
        ),
    ),
)
