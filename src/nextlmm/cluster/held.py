"""Pieces on workers, and what all of them add up to.

A piece can be made again at any time, and a total is a pure function of its request.  So when a
worker is gone, its pieces are made on others, and what was begun is begun again: nothing is lost
but time.  Contributions are added in the order of :mod:`tree`, so that neither the number of
workers nor a loss changes a bit of the total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nextlmm.cluster.files import FileMark
from nextlmm.cluster.placement import placed
from nextlmm.cluster.pool import MOST_LOSSES, Cluster, LostError
from nextlmm.cluster.tree import FloatArray, nodes_of
from nextlmm.cluster.worker import Apply, Parcel, WorkerFacts, load, merged, sum_of_pieces
from nextlmm.errors import ClusterError

_HELD_SHARE = 0.6  # of a worker's memory, for pieces; Dask moves data to disk beyond that
_GIB = 2.0**30


class Piece(Protocol):
    """A part of the whole that a worker can hold."""

    @property
    def nbytes(self) -> int:
        """Bytes in the memory of its worker."""

    def parcel(self, *, sees_files: bool, is_held: bool) -> Parcel:
        """What travels: where to read it if the worker sees the files, else the data.

        ``is_held`` says whether it is to stay in memory; it is read in every pass if not.
        """


@dataclass(frozen=True, eq=False)
class _Place:
    """A piece on a worker, as a future of Dask, and the bytes that it holds there."""

    worker: str
    future: Any
    nbytes: int


class Held:
    """Pieces on the workers of a cluster, placed when they are first needed.

    Parameters
    ----------
    cluster : the workers.
    pieces : in their order, on which totals depend.
    files : that workers can read the pieces from, if they see them.
    """

    def __init__(self, cluster: Cluster, pieces: Sequence[Piece], files: Sequence[str]) -> None:
        self._cluster, self._pieces = cluster, pieces
        self._marks = [FileMark.of(path) for path in files]
        self._facts: dict[str, WorkerFacts] = {}
        self._threads: dict[str, int] = {}
        self._places: dict[int, _Place] = {}

    def __repr__(self) -> str:
        return f"<{len(self._pieces)} pieces on {self._cluster!r}>"

    def total(self, apply: Apply, request: Any) -> FloatArray:
        """The sum over all pieces of ``apply(piece, request)``; the same bytes on any workers.

        Raises
        ------
        NextlmmError
            What ``apply`` raised, or that workers are not to be had.

        Cost: the request to every worker, one array from each to another, and one back.
        """
        for _ in range(MOST_LOSSES):
            try:
                self._place()
                total = self._summed(apply, request)
            except LostError:
                self._cluster.begin_again(len(self._threads))
                self._forget()
            else:
                self._cluster.account.add(products=1, results=total.nbytes)
                return total
        raise self._cluster.too_many_losses()

    def _forget(self) -> None:
        """Give up what is not where it was put."""
        self._places = {
            number: place
            for number, place in self._places.items()
            if place.future.status == "finished"
        }

    def _place(self) -> None:
        """Have every piece on a worker that is there, and all of them at work."""
        threads = self._cluster.threads()
        if threads == self._threads and len(self._places) == len(self._pieces):
            return
        new = threads.keys() - self._facts.keys()
        if new:
            self._facts |= self._cluster.describe(self._marks, new)
        held: dict[str, list[int]] = {}
        for number, place in self._places.items():
            held.setdefault(place.worker, []).append(number)
        wanted = placed(len(self._pieces), threads, held)
        kept = {(name, number) for name, numbers in wanted.items() for number in numbers}
        self._places = {
            number: place
            for number, place in self._places.items()
            if (place.worker, number) in kept
        }
        self._threads = threads
        self._load(wanted)

    def _load(self, wanted: Mapping[str, Sequence[int]]) -> None:
        """Load what is missing, on every worker one piece after the other."""
        missing = {
            name: [number for number in numbers if number not in self._places]
            for name, numbers in wanted.items()
        }
        for turn in range(max(map(len, missing.values()), default=0)):
            now = [
                (name, numbers[turn]) for name, numbers in missing.items() if turn < len(numbers)
            ]
            for number, place in [(number, self._loading(name, number)) for name, number in now]:
                self._cluster.ready(place.future, self._threads)
                self._places[number] = place

    def _loading(self, worker: str, number: int) -> _Place:
        """A piece on its way to a worker, held there if it fits."""
        piece, facts = self._pieces[number], self._facts[worker]
        before = sum(place.nbytes for place in self._places.values() if place.worker == worker)
        room = None if facts.memory is None else _HELD_SHARE * facts.memory
        is_held = room is None or before + piece.nbytes <= room
        if not is_held and not facts.sees_files:
            raise ClusterError(
                f"worker {worker} is to hold {(before + piece.nbytes) / _GIB:.3g} GiB of genotypes "
                f"or more, but {_HELD_SHARE:.0%} of its memory are {(room or 0.0) / _GIB:.3g} GiB, "
                "and it does not see the file to read them in every pass: start more workers, give "
                "each more memory, or put the file where all of them see it under the same path"
            )
        parcel = piece.parcel(sees_files=facts.sees_files, is_held=is_held)
        future = self._cluster.submit(load, self._cluster.sent(parcel, worker), worker=worker)
        return _Place(worker, future, piece.nbytes if is_held else 0)

    def _summed(self, apply: Apply, request: Any) -> FloatArray:
        count, cluster = len(self._pieces), self._cluster
        numbers: dict[str, list[int]] = {}
        for number in sorted(self._places):
            numbers.setdefault(self._places[number].worker, []).append(number)
        shared = cluster.spread(request, list(numbers))
        parts = [
            (
                nodes_of(own, count),
                cluster.submit(
                    *(sum_of_pieces, apply, shared[name], own, count, self._threads[name]),
                    [self._places[number].future for number in own],
                    worker=name,
                ),
            )
            for name, own in numbers.items()
        ]
        arrays = 0  # that pass from worker to worker
        while len(parts) > 1:
            pairs = list(zip(parts[::2], parts[1::2], strict=False))
            arrays += sum(min(len(first), len(second)) for (first, _), (second, _) in pairs)
            rest = parts[2 * len(pairs) :]
            parts = [
                (_joined(first, second, count), cluster.submit(merged, one, other, count))
                for (first, one), (second, other) in pairs
            ] + rest
        total: FloatArray = cluster.result(parts[0][1], numbers)[0, count]
        cluster.account.add(between=arrays * total.nbytes)
        return total


def _joined(
    first: Sequence[tuple[int, int]], second: Sequence[tuple[int, int]], count: int
) -> list[tuple[int, int]]:
    """The nodes of both after they are added up where they meet."""
    return nodes_of([number for node in (*first, *second) for number in range(*node)], count)
