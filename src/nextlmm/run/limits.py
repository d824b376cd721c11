"""The memory that this process may take, whoever limits it: machine, system, or scheduler.

Control groups limit what containers and most schedulers run (Slurm, LSF and PBS with cgroups);
limits of the process are what Grid Engine enforces ``h_vmem`` by (``ulimit -v``) and where LSF
leaves the ``-M`` of a job (``ulimit -m``); Slurm without control groups says its limit in the
environment alone, and kills what exceeds it.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nextlmm.errors import UsageError
from nextlmm.output.provenance import memory_bytes

if sys.platform != "win32":
    import resource

GIB = 2.0**30
_NO_LIMIT = 2.0**60
"""So many bytes and more are no limit, whatever the file says."""

_V1_FILES: tuple[str, ...] = ("memory.limit_in_bytes",)
_V2_FILES: tuple[str, ...] = ("memory.max", "memory.high")
_UNITS = {"": 2.0**20, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40}  # Slurm's: MiB


@dataclass(frozen=True)
class MemoryLimit:
    """A number of bytes, and who allows no more of them."""

    n_bytes: float
    source: str


def memory_limit() -> MemoryLimit | None:
    """The smallest of all limits; None where nothing is known, not even of the machine."""
    limits = tuple(memory_limits())
    return min(limits, key=lambda limit: limit.n_bytes) if limits else None


def memory_limits(
    environment: Mapping[str, str] = os.environ, system: Path = Path("/")
) -> Iterator[MemoryLimit]:
    """Every limit that is known.

    Parameters
    ----------
    environment : where a scheduler may have left its limit.
    system : the root of the file system that has ``proc`` and the control groups.
    """
    machine = memory_bytes()
    if machine is not None:
        yield MemoryLimit(float(machine), "the memory of this machine")
    yield from _of_groups(system)
    yield from _of_process(system)
    yield from _of_slurm(environment)


def check_fits(n_bytes: float, what: str, instead: str) -> None:
    """Refuse a run that needs more memory than this process may take.

    Parameters
    ----------
    n_bytes : that it needs, the program itself included.
    what : the run, as a noun with its size.
    instead : what to do, as an imperative.

    Raises
    ------
    UsageError
        If no limit allows so much.
    """
    limit = memory_limit()
    if limit is not None and n_bytes > limit.n_bytes:
        raise UsageError(
            f"{what} needs about {n_bytes / GIB:,.3g} GiB of memory, but {limit.source} allows "
            f"{limit.n_bytes / GIB:,.3g} GiB; {instead}."
        )


def _of_groups(system: Path) -> Iterator[MemoryLimit]:
    """Limits of the control group of this process and of all groups that it lies in."""
    for folder, top, names in _group_folders(system):
        while True:
            for name in names:
                n_bytes = _number(folder / name)
                if n_bytes is not None:
                    yield MemoryLimit(n_bytes, f"the control group ({folder / name})")
            if folder == top or top not in folder.parents:
                break
            folder = folder.parent


def _group_folders(system: Path) -> Iterator[tuple[Path, Path, tuple[str, ...]]]:
    """The folder of this process's group in each mounted hierarchy, its top, and its files."""
    groups = {}
    for line in _lines(system / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        groups[controllers] = path
    own_v1 = next((path for key, path in groups.items() if "memory" in key.split(",")), None)
    for root, mount, kind, options in _mounts(system):
        if kind == "cgroup2" and "" in groups:
            path, names = groups[""], _V2_FILES
        elif kind == "cgroup" and "memory" in options and own_v1 is not None:
            path, names = own_v1, _V1_FILES
        else:
            continue
        top = system / mount.lstrip("/")
        yield _inside(top, root, path), top, names


def _inside(top: Path, root: str, path: str) -> Path:
    """Where a group is below a mount of the part ``root`` of its hierarchy."""
    own = PurePosixPath(path)
    if own.is_relative_to(root):
        folder = top / own.relative_to(root)
        if ".." not in own.parts and folder.is_dir():
            return folder
    return top  # a container that shows its own group as the top


def _mounts(system: Path) -> Iterator[tuple[str, str, str, set[str]]]:
    """Root, mount point, kind and options of every mount; see proc_pid_mountinfo(5)."""
    for line in _lines(system / "proc/self/mountinfo"):
        before, dash, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if dash and len(left) > 4 and len(right) > 2:
            yield left[3], left[4], right[0], set(right[2].split(","))


def _of_process(system: Path) -> Iterator[MemoryLimit]:
    """Limits of address space and data, less what is reserved of them and not used."""
    if sys.platform == "win32":
        return
    status = dict(line.split(":", 1) for line in _lines(system / "proc/self/status") if ":" in line)
    for number, name, field in (
        (resource.RLIMIT_AS, "address space (ulimit -v)", "VmSize"),
        (resource.RLIMIT_DATA, "data (ulimit -d)", "VmData"),
        (resource.RLIMIT_RSS, "resident memory (ulimit -m)", "VmRSS"),
    ):
        soft = resource.getrlimit(number)[0]
        if soft == resource.RLIM_INFINITY or soft >= _NO_LIMIT:
            continue
        unused = max(0.0, _kib(status.get(field)) - _kib(status.get("VmRSS")))
        yield MemoryLimit(max(0.0, soft - unused), f"the limit of {name}")


def _of_slurm(environment: Mapping[str, str]) -> Iterator[MemoryLimit]:
    """What Slurm says in the environment of a job; 0 is all of the machine."""
    whole = _slurm_bytes(environment.get("SLURM_MEM_PER_NODE"))
    if whole:
        yield MemoryLimit(whole, "Slurm (SLURM_MEM_PER_NODE)")
    each = _slurm_bytes(environment.get("SLURM_MEM_PER_CPU"))
    count = environment.get("SLURM_CPUS_ON_NODE", "")
    if each and count.isdecimal():
        yield MemoryLimit(each * int(count), "Slurm (SLURM_MEM_PER_CPU times SLURM_CPUS_ON_NODE)")


def _slurm_bytes(text: str | None) -> float:
    found = re.fullmatch(r"(\d+)([KMGT]?)B?", (text or "").upper())
    return float(found[1]) * _UNITS[found[2]] if found else 0.0


def _number(path: Path) -> float | None:
    """The limit in a file; None if there is none."""
    text = next(iter(_lines(path)), "").strip()
    return float(text) if text.isdecimal() and float(text) < _NO_LIMIT else None


def _kib(text: str | None) -> float:
    number = (text or "").split()
    return 1024.0 * float(number[0]) if number and number[0].isdecimal() else 0.0


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
