"""JAMMA, GEMMA's model and options in Python and C; also leaving out a chromosome at a time.

It takes its threads from the variable of its own and looks for no other.
"""

import polars as pl

from peers.contract import Command, Job, Peer, Way, read_table, said
from peers.gemma import prepare, start


def _read(job: Job) -> pl.DataFrame:
    return read_table(
        job.path("scan.assoc.txt"), variant="rs", p="p_wald", effect=("beta", "se"), separator="\t"
    )


def _scan(job: Job, *options: str) -> Command:
    covariates = job.with_covariates("-c", job.path("covariates"))
    return [*start(job), "--no-telemetry", *covariates, "-lmm", "1", *options, "-o", "scan"]


def _commands(job: Job) -> list[Command]:
    matrix = [*start(job), "--no-telemetry", "-gk", "1", "-o", "matrix"]
    return [matrix, _scan(job, "-k", job.path("matrix.cXX.npy"))]


PEER = Peer(
    name="jamma",
    executables=("jamma",),
    obtain="PyPI: jamma",
    version=lambda executable: said([executable, "--version"], r"(\d+\.\S+)"),
    ways=(
        Way(
            name="JAMMA -lmm 1",
            model="one matrix, own h2",
            commands=_commands,
            read=_read,
            same_model=True,
            prepare=prepare,
            matrices=2.0,
            threads_variable="JAMMA_BLAS_THREADS",
        ),
        Way(
            name="JAMMA -lmm 1 -loco",
            model="loco, own h2",
            commands=lambda job: [_scan(job, "-loco")],
            read=_read,
            same_model=True,
            prepare=prepare,
            matrices=2.0,
            threads_variable="JAMMA_BLAS_THREADS",
        ),
    ),
)
