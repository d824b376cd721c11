"""LDAK: linear regression with its matrix as covariance, and KVIK, which predicts first."""

import polars as pl

from peers.contract import (
    MINOR_ALLELE_FREQUENCY,
    Command,
    Job,
    Peer,
    Way,
    read_table,
    said,
)


def _common(job: Job) -> Command:
    return ["--bfile", str(job.cohort.bfile), "--max-threads", str(job.threads)]


def _model(job: Job) -> Command:
    place = str(1 + job.cohort.traits.index(job.trait))
    traits = ["--pheno", str(job.cohort.pheno), "--mpheno", place]
    return [*traits, *job.with_covariates("--covar")]


def _linear(job: Job) -> list[Command]:
    matrix = job.path("matrix")
    common = [*_common(job), "--min-maf", MINOR_ALLELE_FREQUENCY]
    weighting = ["--power", "-1", "--ignore-weights", "YES"]
    scan = job.path("scan")
    return [
        [job.executable, "--calc-kins-direct", matrix, *common, *weighting],
        [job.executable, "--linear", scan, *common, *_model(job), "--grm", matrix],
    ]


def _kvik(job: Job) -> list[Command]:
    out = job.path("scan")
    return [
        [job.executable, f"--kvik-step{step}", out, *_common(job), *_model(job)] for step in (1, 2)
    ]


def _read(path: str) -> pl.DataFrame:
    return read_table(
        path, variant="Predictor", p="Wald_P", effect=("Effect", "SE"), separator="\t"
    )


PEER = Peer(
    name="ldak",
    executables=("ldak6", "ldak"),
    obtain="source, or an executable, at dougspeed/LDAK",
    version=lambda executable: said([executable], r"Version (\S+)"),
    ways=(
        Way(
            name="LDAK --linear --grm",
            model="one matrix",
            commands=_linear,
            read=lambda job: _read(job.path("scan.assoc")),
            matrices=1.0,
        ),
        Way(
            name="LDAK-KVIK",
            model="loco",
            commands=_kvik,
            read=lambda job: _read(job.path("scan.step2.assoc")),
        ),
    ),
)
