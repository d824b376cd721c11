"""What a run does and how fast: seconds, operations and genotypes by stage.

Whoever does heavy work says how much of it with `count`, without knowing who asks; whoever wants
to know opens stages of a `Ledger`.  A stage may have parts, named within it by `part`.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

SEPARATOR = " / "
"""Between the name of a stage and that of its part: "association / scores"."""


@dataclass(frozen=True)
class Work:
    """What was done in a stage, its parts included.

    Attributes
    ----------
    seconds : wall-clock time.
    processor_seconds : time of all processor cores together, whatever the process did meanwhile.
    operations : floating-point additions and multiplications that were counted.
    genotypes : genotypes decoded or multiplied that were counted, each time anew.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    operations: float = 0.0
    genotypes: float = 0.0


class Ledger:
    """Work by stage; a stage that comes back adds up.

    A stage within a stage of the same ledger is a part of it.
    """

    def __init__(self) -> None:
        self._amounts: dict[str, list[float]] = {}  # the four of `Work`
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record what the block does under ``name``; not to be held open across a ``yield``."""
        outer = _ACTIVE.get()
        chain: tuple[str, ...] = outer.names if outer is not None and outer.ledger is self else ()
        names = (*chain, SEPARATOR.join((*chain[-1:], name)))
        self.add(names[-1:])  # stages are in the order in which they began
        token = _ACTIVE.set(_Stage(self, names))
        begin, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            seconds, spent = time.perf_counter() - begin, time.process_time() - processor
            _ACTIVE.reset(token)
            self.add(names[-1:], seconds=seconds, processor_seconds=spent)

    def add(
        self,
        names: Iterable[str],
        *,
        seconds: float = 0.0,
        processor_seconds: float = 0.0,
        operations: float = 0.0,
        genotypes: float = 0.0,
    ) -> None:
        """Add to the work of each of the stages ``names``."""
        with self._lock:
            for name in names:
                amounts = self._amounts.setdefault(name, [0.0, 0.0, 0.0, 0.0])
                amounts[0] += seconds
                amounts[1] += processor_seconds
                amounts[2] += operations
                amounts[3] += genotypes

    def stages(self) -> dict[str, Work]:
        """Work by stage and part, in the order in which they first began."""
        with self._lock:
            return {name: Work(*amounts) for name, amounts in self._amounts.items()}


@dataclass(frozen=True, eq=False)
class _Stage:
    """A stage that is open, and the names of those that it is a part of, itself last."""

    ledger: Ledger
    names: tuple[str, ...]


_ACTIVE: ContextVar[_Stage | None] = ContextVar("stage", default=None)


def count(*, operations: float = 0.0, genotypes: float = 0.0) -> None:
    """Add to the work of the open stage; nothing where none is open.

    A thread of a pool does not know the stage of the thread that gave it work, so the work of a
    pool is counted where it is handed out.

    Cost: about a microsecond; once for a block of work, not for every step of a loop.
    """
    stage = _ACTIVE.get()
    if stage is not None:
        stage.ledger.add(stage.names, operations=operations, genotypes=genotypes)


@contextmanager
def part(name: str) -> Iterator[None]:
    """Record what the block does as a part of the open stage; nothing where none is open."""
    stage = _ACTIVE.get()
    if stage is None:
        yield
        return
    with stage.ledger.stage(name):
        yield
