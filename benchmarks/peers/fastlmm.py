"""FaST-LMM: single_snp with its defaults, one heritability for each chromosome left out.

It scales a variant by the deviation of its calls, nextlmm by that of its dosages once missing ones
are imputed; without missing calls both give the same digits.
"""

from pathlib import Path

from peers.contract import Command, Job, Peer, Way, read_table, said

SCRIPT = Path(__file__).with_name("single_snp.py")


def _commands(job: Job) -> list[Command]:
    files = [str(job.cohort.bfile), str(job.cohort.pheno), job.trait, job.path("scan.tsv")]
    covariates = [str(job.cohort.covar)] if job.cohort.covar else []
    # -I: the folder of the script, which has a fastlmm of its own, is no place to import from
    return [[job.executable, "-I", str(SCRIPT), *files, *covariates]]


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
            matrices=2.0,
        ),
    ),
)
