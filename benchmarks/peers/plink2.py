"""PLINK 2: linear regression on each variant, samples without its call left out."""

from peers.contract import (
    LARGEST_MISSING_RATE,
    MINOR_ALLELE_FREQUENCY,
    Command,
    Job,
    Peer,
    Way,
    read_table,
    said,
)


def _commands(job: Job) -> list[Command]:
    files = ["--bfile", str(job.cohort.bfile), "--pheno", str(job.cohort.pheno)]
    files += ["--pheno-name", job.trait, "--out", job.path("scan")]
    filters = ["--maf", MINOR_ALLELE_FREQUENCY, "--geno", LARGEST_MISSING_RATE]
    covariates = job.with_covariates("--covar")
    model = ["hide-covar", "omit-ref"] if covariates else ["allow-no-covars", "omit-ref"]
    if covariates:
        covariates.append("--covar-variance-standardize")
    rest = ["--threads", str(job.threads)]
    return [[job.executable, *files, *covariates, *filters, "--glm", *model, *rest]]


PEER = Peer(
    name="plink2",
    executables=("plink2",),
    obtain="Debian package plink2",
    version=lambda executable: said([executable, "--version"], r"PLINK v?(\S+)"),
    ways=(
        Way(
            name="PLINK 2 --glm",
            model="regression",
            commands=_commands,
            read=lambda job: read_table(
                job.path(f"scan.{job.trait}.glm.linear"),
                variant="ID",
                p="P",
                effect=("BETA", "SE"),
                separator="\t",
            ),
            same_model=True,
        ),
    ),
)
