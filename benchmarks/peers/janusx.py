"""JanusX: the centred matrix of all variants, then every variant at its own heritability.

Its p-values are those of a chi-square, where GEMMA and nextlmm take F with its degrees of freedom,
so that -log10 p cannot agree to all digits; the statistic does.
"""

import polars as pl

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


def _prepare(job: Job) -> None:
    """Tables that begin with the sample: the trait with a header, the covariates without."""
    place = 2 + job.cohort.traits.index(job.trait)
    rows = [[row[1], row[place]] for row in numbers(job.cohort.pheno)]
    write_rows(job.path("trait"), [["sample", job.trait], *rows])
    if job.cohort.covar:
        write_rows(job.path("covariates"), [row[1:] for row in numbers(job.cohort.covar)])


def _commands(job: Job) -> list[Command]:
    files = ["-bfile", str(job.cohort.bfile), "-p", job.path("trait")]
    files += [*job.with_covariates("-c", job.path("covariates")), "-o", str(job.folder)]
    filters = ["-maf", MINOR_ALLELE_FREQUENCY, "-geno", LARGEST_MISSING_RATE]
    # without -force-model it may take one heritability for all variants, which -fvlmm stands for
    model = ["-lmm", "-k", "1", "-force-model", "-t", str(job.threads), "-prefix", "scan"]
    return [[job.executable, "gwas", *files, *filters, *model]]


def _read(job: Job) -> pl.DataFrame:
    path = job.path(f"scan.{job.trait}.lmm.tsv")
    return read_table(path, variant="snp", p="pwald", chi2="chisq", separator="\t")


PEER = Peer(
    name="janusx",
    executables=("jx",),
    obtain="PyPI: janusx",
    version=lambda executable: said([executable, "--version"], r"v?(\d+\.\d\S*)"),
    ways=(
        Way(
            name="JanusX -lmm",
            model="one matrix, own h2",
            commands=_commands,
            read=_read,
            prepare=_prepare,
            matrices=2.0,
        ),
    ),
)
