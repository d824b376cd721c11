"""What the option ``cluster`` names: workers of this machine, a scheduler, or a launcher."""

import re
from dataclasses import dataclass

from nextlmm.errors import UsageError


@dataclass(frozen=True)
class LocalWorkers:
    """So many worker processes of this machine, for the time of the run."""

    count: int


@dataclass(frozen=True)
class Scheduler:
    """A scheduler that is running, by its address."""

    address: str


@dataclass(frozen=True)
class SchedulerFile:
    """A scheduler that is running, by the file that it wrote its address to."""

    path: str


@dataclass(frozen=True)
class LauncherFile:
    """A launcher of Dask, by the file that says which one and with what."""

    path: str


Where = LocalWorkers | Scheduler | SchedulerFile | LauncherFile

_LOCAL = re.compile(r"local:([1-9]\d*)")
_ADDRESS = re.compile(r"[a-z]+://\S+:\d+")


def parse_cluster(text: str) -> Where:
    """Tell what a value of the option names; no file is opened.

    Raises
    ------
    UsageError
        If it is none of them.
    """
    local = _LOCAL.fullmatch(text)
    if local:
        return LocalWorkers(int(local[1]))
    if _ADDRESS.fullmatch(text):
        return Scheduler(text)
    if text.endswith(".json"):
        return SchedulerFile(text)
    if text.endswith((".yaml", ".yml")):
        return LauncherFile(text)
    raise UsageError(
        f"Option cluster is {text!r}, but it must be local:N for N processes of this machine, the "
        "address of a Dask scheduler such as tcp://10.0.0.5:8786, the .json file that a scheduler "
        "wrote, or the .yaml file of a launcher (docs/cluster.md)."
    )
