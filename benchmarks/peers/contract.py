"""What the suite asks of a program, and the few things that most of them need."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import chi2 as chi2_distribution

from cohort import Cohort

MINOR_ALLELE_FREQUENCY = "0.01"
LARGEST_MISSING_RATE = "0.05"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
)

Command = list[str]


@dataclass(frozen=True)
class Job:
    """A cohort to analyse with an executable on some threads; results go into ``folder``."""

    executable: str
    cohort: Cohort
    folder: Path
    threads: int

    @property
    def trait(self) -> str:
        """The trait that every program analyses."""
        return self.cohort.traits[0]

    def path(self, name: str) -> str:
        """Path of a file in the folder of the results."""
        return str(self.folder / name)

    def with_covariates(self, option: str, path: str | None = None) -> Command:
        """The option that names the covariate file, or nothing where there are no covariates."""
        return [option, path or str(self.cohort.covar)] if self.cohort.covar else []


@dataclass(frozen=True)
class Way:
    """One way of using a program.

    Attributes
    ----------
    name : program and settings, as they stand in the results.
    model : name of the exact answer that it is compared with (``reference.MODELS``).
    commands : the commands, one after the other, that leave the results in the folder of the job.
    read : the results: variant_id, neg_log_10_p_value and chi2, which may be null.
    same_model : whether it computes that model, so that a difference is an error.
    prepare : writes what the program wants beside the common files; not measured.
    threads_variable : its own variable for the number of threads, if it has one.
    matrices : numbers of n by n in memory at least, so that what cannot fit is not begun.
    bytes_per_number : of those.
    traits : how many traits it tests.
    account : what the program itself says of its run.
    """

    name: str
    model: str
    commands: Callable[[Job], list[Command]]
    read: Callable[[Job], pl.DataFrame]
    same_model: bool = False
    prepare: Callable[[Job], None] | None = None
    threads_variable: str | None = None
    matrices: float = 0.0
    bytes_per_number: int = 8
    traits: int = 1
    account: Callable[[Job], Mapping[str, Any]] | None = None

    def least_bytes(self, n: int) -> float:
        """Memory below which there is no point in starting."""
        return self.matrices * self.bytes_per_number * float(n) ** 2


@dataclass(frozen=True)
class Peer:
    """A program that may be installed.

    Attributes
    ----------
    name : as in ``--programs`` and ``--program NAME=PATH``.
    executables : names under which it is looked for on the PATH.
    obtain : where it is to be had.
    version : its version, from the executable.
    ways : what the suite runs of it.
    """

    name: str
    executables: tuple[str, ...]
    obtain: str
    version: Callable[[str], str]
    ways: tuple[Way, ...]


def find(names: Sequence[str]) -> str | None:
    """The first of these commands beside the Python that runs, or else on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def said(command: Sequence[str], pattern: str) -> str:
    """What the first group of a pattern finds in all that a command prints, or "unknown"."""
    result = subprocess.run(
        command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )
    found = re.search(pattern, result.stdout + result.stderr)
    return found[1] if found else "unknown"


def read_table(
    path: str,
    *,
    variant: str,
    separator: str,
    p: str | None = None,
    chi2: str | None = None,
    effect: tuple[str, str] | None = None,
) -> pl.DataFrame:
    """A result table by the names of its columns.

    chi2 is a column or comes from an effect and its error; p is a column or comes from chi2.
    """
    table = pl.read_csv(
        path, separator=separator, infer_schema=False, null_values=["NA", "nan", "-nan", "."]
    )
    number = {name: table[name].cast(pl.Float64).to_numpy() for name in (p, chi2) if name}
    if effect:
        beta, error = (table[name].cast(pl.Float64).to_numpy() for name in effect)
        statistic = (beta / error) ** 2
    else:
        statistic = number[str(chi2)]
    log_p = -np.log10(number[p]) if p else -chi2_distribution.logsf(statistic, 1) / np.log(10)
    return pl.DataFrame(
        {"variant_id": table[variant], "neg_log_10_p_value": log_p, "chi2": statistic},
        nan_to_null=True,
    )


def numbers(table: Path) -> list[list[str]]:
    """The rows of a sample table in white space, without its header."""
    return [line.split() for line in table.read_text(encoding="utf-8").splitlines()[1:]]


def write_rows(path: str, rows: Sequence[Sequence[str]], separator: str = "\t") -> None:
    """Write rows of text."""
    Path(path).write_text(
        "".join(separator.join(row) + "\n" for row in rows), encoding="utf-8", newline="\n"
    )


def thread_environment(threads: int, variable: str | None = None) -> dict[str, str]:
    """Variables that hold a program, and each of its libraries, to a number of threads."""
    return dict.fromkeys([*THREAD_VARIABLES, *([variable] if variable else [])], str(threads))
