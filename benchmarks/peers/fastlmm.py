"""FaST-LMM: single_snp with its defaults, one heritability for each chromosome left out."""

from pathlib import Path

from peers.contract import Command, Job, Peer, Way, read_table, said

SCRIPT = Path(__file__).with_name("single_snp.py")


def _commands(job: Job) -> list[Command]:
    files = [str(job.cohort.bfile), str(job.cohort.pheno), job.trait, job.path("scan.tsv")]
    covariates = [str(job.cohort.covar)] if job.cohort.covar else []
    return [[job.executable, str(SCRIPT), *files, *covariates]]


def _version(executable: str) -> str:
    program = "from importlib.metadata import version; print(version('fastlmm'))"
    return said([executable, "-c", program], r"(\d+\.\S+)")


PEER = Peer(
    name="fastlmm",
    executables=("fastlmm-python",),
    obtain="PyPI: fastlmm (with six); its executable is the Python in which it is installed",
    version=_version,
    ways=(
        Way(
            name="FaST-LMM single_snp",
            model="loco, h2 of each chromosome",
            commands=_commands,
            read=lambda job: read_table(
                job.path("scan.tsv"),
                variant="SNP",
                p="PValue",
                effect=("SnpWeight", "SnpWeightSE"),
                separator="\t",
            ),
            same_model=True,
            matrices=2.0,
        ),
    ),
)
