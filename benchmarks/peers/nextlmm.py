"""nextlmm itself, in the Python that runs the suite."""

import json
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl

from peers.contract import (
    LARGEST_MISSING_RATE,
    MINOR_ALLELE_FREQUENCY,
    Command,
    Job,
    Peer,
    Way,
)

EXECUTABLES = ("nextlmm",)
PLAIN = (
    "--no-plots",
    "--no-report",
)  # no peer draws anything


def command(job: Job, *options: str, traits: int = 1) -> Command:
    """`nextlmm gwas` of the first traits of a cohort."""
    files = ["--bfile", str(job.cohort.bfile), "--pheno", str(job.cohort.pheno)]
    files += [*job.with_covariates("--covar"), "--out", job.path("result")]
    filters = ["--maf", MINOR_ALLELE_FREQUENCY, "--max-missing", LARGEST_MISSING_RATE]
    chosen = ["--trait", ",".join(job.cohort.traits[:traits]), "--threads", str(job.threads)]
    return [job.executable, "gwas", *files, *filters, *chosen, *options]


def read(job: Job) -> pl.DataFrame:
    """The results of the first trait."""
    table = pl.read_csv(
        job.path(f"result.{job.trait}.tsv.gz"), separator="\t", null_values=["#NA", "NA"]
    )
    return table.select("variant_id", "neg_log_10_p_value", chi2="statistic")


def account(job: Job) -> Mapping[str, Any]:
    """Versions, libraries, stages and certificate as the run reports them."""
    document = json.loads(Path(job.path("result.json")).read_text(encoding="utf-8"))
    facts = document["traits"][job.trait]
    return {
        "versions": document["versions"],
        "blas": document["machine"]["blas"],
        "seconds": document["seconds"],
        "stages": facts["timings"],
        "n": facts["n"],
        "h2": facts["h2"],
    }


def _version(_executable: str) -> str:
    """The version, and in a checkout the last commit that changed the package."""
    version = metadata.version("nextlmm")
    here = ["git", "-C", str(Path(__file__).parent.parent.parent)]
    try:
        log = [*here, "log", "-1", "--format=%h", "--", "src"]
        commit = subprocess.run(log, capture_output=True, text=True, check=True).stdout.strip()
        clean = subprocess.run([*here, "diff", "--quiet", "HEAD", "--", "src"], check=False)
    except (OSError, subprocess.CalledProcessError):
        return version
    return (
        f"{version} ({commit}{'' if clean.returncode == 0 else ', changed'})" if commit else version
    )


def _way(
    name: str,
    model: str,
    *options: str,
    same_model: bool = False,
    matrices: float = 0.0,
    traits: int = 1,
) -> Way:
    return Way(
        name=name,
        model=model,
        commands=lambda job: [command(job, *options, *PLAIN, traits=traits)],
        read=read,
        same_model=same_model,
        matrices=matrices,
        traits=traits,
        account=account,
    )


PEER = Peer(
    name="nextlmm",
    executables=EXECUTABLES,
    obtain="this project",
    version=_version,
    ways=(
        _way("nextlmm", "loco"),
        _way("nextlmm --mode hodlr", "loco", "--mode", "hodlr"),
        _way("nextlmm --mode dense", "loco", "--mode", "dense", matrices=2.0),
        _way(
            "nextlmm as GEMMA",
            "one matrix, own h2",
            *("--mode", "dense", "--no-loco", "--grm-weighting", "centered"),
            *("--per-variant-h2", "always"),
            matrices=2.0,
        ),
        _way("nextlmm, 5 traits", "loco", traits=5),
    ),
)
