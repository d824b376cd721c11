"""Where a result came from: program, command, machine, and the exact bytes of the inputs."""

import contextlib
import hashlib
import os
import platform
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import threadpoolctl

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.output.schema import column_meanings

_LIBRARIES = ("numpy", "scipy", "polars", "matplotlib", "threadpoolctl")
_CHUNK_BYTES = 1 << 20


def describe_run(
    *,
    command: str,
    options: Mapping[str, Any],
    inputs: Mapping[str, Any],
    threads: int,
    started: datetime | None = None,
    has_results: bool = True,
) -> dict[str, Any]:
    """The part of the result document that does not depend on the results.

    Parameters
    ----------
    command
        Shell command that repeats the run.
    options
        Every option by name, defaults included.
    inputs
        What `hash_inputs` returned.
    threads
        Processor cores that the run was allowed to use.
    started
        When the run began; now unless given.
    has_results
        Whether the run tested variants, so that there are result tables to explain.
    """
    header = {
        "nextlmm": {"version": program_version()},
        "command": command,
        "started": (started or datetime.now(UTC)).isoformat(timespec="seconds"),
        "versions": library_versions(),
        "machine": describe_machine(threads),
        "options": dict(options),
        "inputs": dict(inputs),
    }
    return header | {"columns": column_meanings()} if has_results else header


def program_version() -> str:
    """Version of the installed package."""
    return metadata.version("nextlmm")


def library_versions() -> dict[str, str]:
    """Versions of this package, of Python and of every library that can change a digit or pixel."""
    found = {name: metadata.version(name) for name in _LIBRARIES}
    return {"nextlmm": program_version(), "python": platform.python_version(), **found}


def describe_machine(threads: int) -> dict[str, Any]:
    """System, processor, memory, and the BLAS libraries with the threads they really use."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": memory_bytes(),
        "threads": threads,
        "blas": [
            {
                "library": pool["internal_api"],
                "version": pool["version"],
                "architecture": pool.get("architecture"),
                "threads": pool["num_threads"],
            }
            for pool in sorted(threadpoolctl.threadpool_info(), key=_library)
            if pool["user_api"] == "blas"
        ],
    }


InputFacts = dict[str, dict[str, Any]]
"""Path, size in bytes and SHA-256 of every input file by role."""


def hash_inputs(paths: Mapping[str, str], *, stop: threading.Event | None = None) -> InputFacts:
    """Size and SHA-256 of every input file by role.

    Raises
    ------
    MissingFileError
        If a file is not there or cannot be read.
    CancelledError
        If ``stop`` is set before the end.
    """
    order = stop or threading.Event()
    sizes = {role: _size(role, path) for role, path in paths.items()}
    return {
        role: {"path": path, "bytes": sizes[role], "sha256": _sha256(path, order)}
        for role, path in paths.items()
    }


Stamps = Mapping[str, tuple[int, int]]
"""Size and time of the last change of files, by path; those that are not there have none."""


def stamps_of(paths: Iterable[str]) -> Stamps:
    """Size and time of the last change, in nanoseconds, of files."""
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            entry = Path(path).stat()
            found[path] = entry.st_size, entry.st_mtime_ns
    return found


@dataclass(frozen=True, eq=False)
class Hashes:
    """Sizes and hashes of inputs that are being made, and what the files were like before."""

    before: Stamps
    future: "Future[InputFacts]"

    @property
    def is_known(self) -> bool:
        """Whether every hash has been made."""
        return self.future.done() and self.future.exception() is None

    def result(self, timeout: float | None = None) -> InputFacts:
        """What `hash_inputs` returns, once it is there, of files that are still the same.

        A file whose time has changed is hashed again, so that one that was merely touched is none
        that changed.

        Raises
        ------
        MissingFileError
            As `hash_inputs`.
        FormatError
            If a file has changed since its stamp was taken.
        """
        facts = self.future.result(timeout)
        of_path = {entry["path"]: entry for entry in facts.values()}
        after = stamps_of(self.before)
        for path, stamp in self.before.items():
            if after.get(path) != stamp and path in of_path:
                _check_same(path, of_path[path], stamp, after.get(path))
        return facts


def _check_same(
    path: str, facts: Mapping[str, Any], before: tuple[int, int], after: tuple[int, int] | None
) -> None:
    if after is not None and after[0] == before[0] == facts["bytes"]:
        if _sha256(path, threading.Event()) == facts["sha256"]:
            return
        seen = "its content is another one"
    elif after is None:
        seen = "it is gone"
    else:
        seen = f"it had {before[0]:,} bytes and has {after[0]:,}"
    raise FormatError(
        f"{path} has changed during the run ({seen}), so that nobody could say what the results "
        "are of, and none are written; run again, and leave the inputs alone meanwhile"
    )


@contextmanager
def hashing(paths: Mapping[str, str], before: Stamps | None = None) -> Iterator[Hashes]:
    """What `hash_inputs` returns, made in a thread of its own while the block does other work.

    A block that ends without having waited for it stops the thread.  Files must be as they were at
    the start of the block, or as they were when the stamps ``before`` were taken.
    """
    stop = threading.Event()
    stamps = {**stamps_of(paths.values()), **(before or {})}
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            yield Hashes(stamps, pool.submit(hash_inputs, paths, stop=stop))
        finally:
            stop.set()


def _size(role: str, path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise MissingFileError(
            f"The {role} file {path} cannot be read: {error.strerror}."
        ) from error


def _sha256(path: str, stop: threading.Event) -> str:
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as handle:
            while chunk := handle.read(_CHUNK_BYTES):
                if stop.is_set():
                    raise CancelledError
                digest.update(chunk)
    except OSError as error:
        raise MissingFileError(f"{path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


def _library(pool: Mapping[str, Any]) -> tuple[str, str]:
    """What libraries are ordered by: they come in the order of the memory that they are in."""
    return str(pool["internal_api"]), str(pool["version"])


def _processor() -> str:
    """Model of the processor; Python itself often knows only the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """Memory of the machine, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
