"""What workers run.  They find these functions by name, and so need the same version of nextlmm."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any, Protocol

from nextlmm.cluster.files import FileMark
from nextlmm.cluster.tree import FloatArray, Sums, folded
from nextlmm.linalg.threads import one_thread

Apply = Callable[[Any, Any], FloatArray]
"""``apply(piece, request)``: what a loaded piece adds to the total."""


class Parcel(Protocol):
    """A piece as it travels."""

    def load(self) -> Any:
        """The piece as it is computed with, made on its worker."""


@dataclass(frozen=True)
class WorkerFacts:
    """What a worker says of itself.

    version : of nextlmm there.
    memory : bytes that it may use, None if it does not limit itself.
    sees_files : whether it sees the files that it was asked for.
    sent_bytes : that it has sent to other workers so far.
    """

    version: str
    memory: float | None
    sees_files: bool
    sent_bytes: float


def describe(marks: Sequence[FileMark], dask_worker: Any = None) -> WorkerFacts:
    """What the worker that runs this is; Dask hands it over by the name of the argument."""
    limit = dask_worker.memory_manager.memory_limit
    return WorkerFacts(
        version=metadata.version("nextlmm"),
        memory=float(limit) if limit else None,
        sees_files=bool(marks) and all(mark.is_here() for mark in marks),
        sent_bytes=float(dask_worker.transfer_outgoing_bytes_total),
    )


def load(parcel: Parcel) -> Any:
    """The piece of a parcel."""
    return parcel.load()


def itself(value: Any) -> Any:
    """A value, which is on the worker that computes this from then on."""
    return value


def sum_of_pieces(
    apply: Apply,
    request: Any,
    numbers: Sequence[int],
    count: int,
    threads: int,
    pieces: Sequence[Any],
) -> Sums:
    """What the pieces with these numbers, rising, add to the total, as few nodes of its tree.

    Memory: an array for each thread, and some for the nodes.
    """
    sums: Sums = {}
    with one_thread(), ThreadPoolExecutor(threads) as pool:
        values = pool.map(partial(_applied, apply, request), pieces)
        for number, value in zip(numbers, values, strict=True):
            sums = folded({**sums, (number, number + 1): value}, count)
    return sums


def merged(first: Sums, second: Sums, count: int) -> Sums:
    """The sums of both, added up where they meet."""
    return folded({**first, **second}, count)


def _applied(apply: Apply, request: Any, piece: Any) -> FloatArray:
    return apply(piece, request)
