"""The programs that are compared: how each is run, and how its results are read.

All of them analyse the same files with the same filters, on the same number of threads.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from cohort import Cohort

MINOR_ALLELE_FREQUENCY = "0.01"
LARGEST_MISSING_RATE = "0.05"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True, eq=False)
class Result:
    """What a program found: samples analysed, variant_id and -log10 p, and what it says of itself.

    ``account`` holds the program's own statement of its libraries, threads and stages.
    """

    n: int
    table: pl.DataFrame
    account: Mapping[str, Any]


class Program(Protocol):
    """A way to analyse a cohort, from files to a table."""

    @property
    def name(self) -> str:
        """Program and settings, as they stand in the results."""
        ...

    @property
    def version(self) -> str:
        """Version of the program."""
        ...

    @property
    def reference(self) -> str | None:
        """Name of the program whose -log10 p this one is compared with."""
        ...

    @property
    def same_model(self) -> bool:
        """Whether the two compute the same, so that a difference is an error."""
        ...

    def commands(self, cohort: Cohort, folder: Path, threads: int) -> list[list[str]]:
        """The commands, one after the other, that write the results into a folder."""
        ...

    def read(self, cohort: Cohort, folder: Path) -> Result:
        """The results that the commands left in the folder."""
        ...


@dataclass(frozen=True)
class Gemma:
    """Centred relationship matrix, then a Wald test of each variant at its own heritability."""

    executable: str
    name: str = "GEMMA -gk 1, -lmm 1"
    reference: str | None = None
    same_model: bool = False

    @property
    def version(self) -> str:
        banner = subprocess.run([self.executable, "-h"], capture_output=True, text=True, check=True)
        found = re.search(r"GEMMA\s+v?(\d\S*)", banner.stdout + banner.stderr)
        return found[1] if found else "unknown"

    def commands(self, cohort: Cohort, folder: Path, threads: int) -> list[list[str]]:
        # GEMMA has no option for threads; it obeys the variables of its linear algebra library
        start = [self.executable, "-bfile", str(cohort.bfile), "-outdir", str(folder)]
        start += ["-maf", MINOR_ALLELE_FREQUENCY, "-miss", LARGEST_MISSING_RATE]
        matrix = str(folder / "matrix.cXX.txt")
        return [
            [*start, "-gk", "1", "-o", "matrix"],
            [*start, "-k", matrix, "-lmm", "1", "-o", "scan"],
        ]

    def read(self, cohort: Cohort, folder: Path) -> Result:
        table = pl.read_csv(folder / "scan.assoc.txt", separator="\t", infer_schema_length=None)
        log = (folder / "scan.log.txt").read_text(encoding="utf-8", errors="replace")
        said = dict(re.findall(r"^##\s+(\S.*?)\s*=\s*(\S.*?)\s*$", log, re.MULTILINE))
        return Result(
            n=int(said["number of analyzed individuals"]),
            table=table.select(
                pl.col("rs").alias("variant_id"),
                (-pl.col("p_wald").log10()).alias("neg_log_10_p_value"),
            ),
            account={key: said[key] for key in ("OpenBlas", "arch", "threads") if key in said},
        )


@dataclass(frozen=True)
class Nextlmm:
    """`nextlmm gwas` with some options."""

    name: str
    options: tuple[str, ...]
    reference: str | None = None
    same_model: bool = False

    @property
    def version(self) -> str:
        return metadata.version("nextlmm")

    def commands(self, cohort: Cohort, folder: Path, threads: int) -> list[list[str]]:
        files = {"bfile": cohort.bfile, "pheno": cohort.pheno, "out": folder / "result"}
        options = {name: str(path) for name, path in files.items()} | {
            "trait": cohort.trait,
            "maf": MINOR_ALLELE_FREQUENCY,
            "max-missing": LARGEST_MISSING_RATE,
            "threads": str(threads),
        }
        flags = [text for name, value in options.items() for text in (f"--{name}", value)]
        return [[_installed("nextlmm"), "gwas", *flags, *self.options]]

    def read(self, cohort: Cohort, folder: Path) -> Result:
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        facts = document["traits"][cohort.trait]
        table = pl.read_csv(
            folder / f"result.{cohort.trait}.tsv.gz", separator="\t", null_values="#NA"
        )
        return Result(
            n=facts["n"],
            table=table.select("variant_id", "neg_log_10_p_value"),
            account={
                "versions": document["versions"],
                "blas": document["machine"]["blas"],
                "seconds": document["seconds"],
                "stages": facts["timings"],
            },
        )


def contestants(gemma: str | None) -> list[Program]:
    """Every program that can be run here, each after the one it is compared with."""
    # GEMMA draws nothing, so neither do the runs that are compared with it
    exact = ("--mode", "dense", "--no-plots")
    as_gemma = (*exact, "--no-loco", "--grm-weighting", "centered")
    own_h2 = (*as_gemma, "--per-variant-h2", "always")
    peers: list[Program] = [Gemma(gemma)] if gemma else []
    peer = peers[0].name if peers else None
    loco = Nextlmm("nextlmm dense, LOCO", exact)
    return [
        *peers,
        Nextlmm("nextlmm dense, own h2", own_h2, peer, same_model=peer is not None),
        Nextlmm("nextlmm dense, shared h2", as_gemma, peer),
        loco,
        Nextlmm("nextlmm as it comes", (), loco.name),
    ]


def thread_environment(threads: int) -> dict[str, str]:
    """Variables that hold every program, and each of its libraries, to a number of threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def _installed(command: str) -> str:
    """The command of the package that this Python would import."""
    beside = Path(sys.executable).with_name(command)
    return str(beside) if beside.exists() else shutil.which(command) or command
