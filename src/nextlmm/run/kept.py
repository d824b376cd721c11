"""Stage values that outlive the process, and the share of the variants that is this process's.

A run is a chain of values, each of which follows from what was read.  `Kept` makes each once: where
there is a checkpoint, what was made before comes back from its files, and what took long to make is
written there.  Without one, values are just made.  A part of a job array meets its share of the
variants alone, and stops where all are needed.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from nextlmm.genotype.tables import IndexArray
from nextlmm.output.stored import settled
from nextlmm.progress import Progress
from nextlmm.run.variant_tile import in_threads

Value = TypeVar("Value")


class OthersAwaitedError(Exception):
    """A part has met its share of the variants, and what follows needs those of the others.

    Not for users: whoever runs a part catches it.
    """


@dataclass(frozen=True)
class Part:
    """The part ``number``, from 1, of ``of`` parts of about as many variants each."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def ends(self, count: int) -> tuple[int, int]:
        """The first of its places among so many, and the one after the last."""
        return (self.number - 1) * count // self.of, self.number * count // self.of


class Store(Protocol):
    """Where values are kept, by names that say what they are."""

    def load(self, name: str, kinds: Sequence[type]) -> Any:
        """The value of that name, None if there is none."""

    def load_all(self, start: str, kinds: Sequence[type]) -> list[Any]:
        """All values whose names begin so."""

    def is_worth(self, seconds: float, value: object) -> bool:
        """Whether a value that took so long to make is to be kept."""

    def is_due(self, seconds: float) -> bool:
        """Whether what was made in the last so many seconds is to be kept before there is more."""

    def save(self, name: str, value: object, kinds: Sequence[type]) -> None:
        """Keep a value."""


@dataclass(frozen=True)
class _Segment:
    """Values of some of the blocks, by their places among all."""

    at: IndexArray
    values: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Kept:
    """Makes values, or brings them back.

    Attributes
    ----------
    store : where values are kept; None if nowhere.
    scope : the trait, and whatever else the values belong to.
    part : the share of the variants that is met; None for all.
    """

    store: Store | None = None
    scope: tuple[str, ...] = ()
    part: Part | None = None
    _ends: tuple[int, int] = field(default=(0, 0))

    def under(self, *scope: str) -> "Kept":
        """The same for values of something narrower."""
        return replace(self, scope=(*self.scope, *scope))

    def of_variants(self, variants: IndexArray) -> "Kept":
        """The same where these variants, ascending, are all that are tested."""
        if self.part is None or not len(variants):
            return self
        first, end = self.part.ends(len(variants))
        last = int(variants[-1]) + 1
        places = tuple(int(variants[at]) if at < len(variants) else last for at in (first, end))
        return replace(self, _ends=cast("tuple[int, int]", places))

    def once(
        self, name: str, of: tuple[object, ...], make: Callable[[], Value], *kinds: type
    ) -> Value:
        """The value of that name, and of all that it depends on within its scope.

        ``kinds`` are the dataclasses that it is made of.
        """
        if self.store is None:
            return settled(make())
        key = self._key(name, of)
        found = self.store.load(key, kinds)
        if found is not None:
            return cast("Value", found)
        begin = time.monotonic()
        value = settled(make())
        if self.store.is_worth(time.monotonic() - begin, value):
            self.store.save(key, value, kinds)
        return value

    def known(self, name: str, of: tuple[object, ...], *kinds: type) -> Any:
        """The value if it was made before; None if not."""
        return None if self.store is None else self.store.load(self._key(name, of), kinds)

    def blocks(
        self, work: "Blocks", begin: Callable[[], Callable[[IndexArray], Value]]
    ) -> list[Value]:
        """The values of blocks of variants, in order, from several threads.

        ``begin`` returns what makes the value of a block; it is called if there is one to make.

        Raises
        ------
        OthersAwaitedError
            In a part, once its blocks are met, if others are missing.
        """
        found = dict(work.found)
        own = [at for at, block in enumerate(work.blocks) if self._is_own(block)]
        for at in found:
            work.progress.advance(len(work.blocks[at]))
        missing = [at for at in own if at not in found]
        if missing:
            make = begin()
            found |= self._made(work, missing, lambda at: settled(make(work.blocks[at])))
        if len(found) < len(work.blocks):
            raise OthersAwaitedError
        return [found[at] for at in range(len(work.blocks))]

    def met_before(self, work: "Blocks") -> "Blocks":
        """The same blocks with the values that came back."""
        if self.store is None:
            return work
        found: dict[int, Any] = {}
        kinds = (_Segment, *work.kinds)
        for segment in self.store.load_all(f"{self._key(work.name, work.of)}.", kinds):
            found.update(zip(segment.at.tolist(), segment.values, strict=True))
        return replace(work, found=found)

    def lacks(self, work: "Blocks") -> bool:
        """Whether a value of these blocks is to be made by this process."""
        return any(
            at not in work.found for at, block in enumerate(work.blocks) if self._is_own(block)
        )

    def owns(self, variants: IndexArray) -> bool:
        """Whether any of these variants is for this process."""
        first, end = self._ends
        return self.part is None or bool(np.any((first <= variants) & (variants < end)))

    @contextmanager
    def others_aside(self) -> Iterator[None]:
        """In a part, go on after the block where it can go no further; elsewhere no matter."""
        try:
            yield
        except OthersAwaitedError:
            if self.part is None:
                raise

    def await_others(self) -> None:
        """Stop here in a part."""
        if self.part is not None:
            raise OthersAwaitedError

    def _is_own(self, block: IndexArray) -> bool:
        first, end = self._ends
        return self.part is None or first <= int(block[0]) < end

    def _key(self, name: str, of: tuple[object, ...]) -> str:
        """A name for a file: what it is, and a digest of all that it depends on."""
        digest = hashlib.sha256()
        for each in (*self.scope, name, *of):
            digest.update(_identity(each))
        return f"{name.replace(' ', '-')}.{digest.hexdigest()[:24]}"

    def _made(
        self, work: "Blocks", missing: Sequence[int], make: Callable[[int], Value]
    ) -> dict[int, Value]:
        """The values of the blocks at some places, kept now and then on the way."""
        if self.store is None:
            return dict(zip(missing, _all(make, missing, work.threads), strict=True))
        recorder = _Recorder(self.store, self._key(work.name, work.of), work.kinds)

        def recorded(at: int) -> Value:
            value = make(at)
            recorder.add(at, value)
            return value

        is_done = False
        try:
            values = _all(recorded, missing, work.threads)
            is_done = True
        finally:
            # What follows a part, or an interruption, is another process.
            if self.part is not None or not is_done:
                recorder.flush()
        return dict(zip(missing, values, strict=True))


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of variants whose values are to be made.

    Attributes
    ----------
    name, of : what the values are, and all that they depend on beside the block.
    blocks : positions of variants.
    kinds : the dataclasses that a value is made of.
    found : values that came back, by the places of their blocks.
    progress : told of the variants that need not be met again.
    threads : at work at a time; 0 for this one, with all cores for its linear algebra.
    """

    name: str
    of: tuple[object, ...]
    blocks: Sequence[IndexArray]
    kinds: tuple[type, ...]
    threads: int
    progress: Progress
    found: Mapping[int, Any] = field(default_factory=dict)


class _Recorder:
    """Keeps the values of blocks, many in a file, as often as the store thinks it is due."""

    def __init__(self, store: Store, key: str, kinds: Sequence[type]) -> None:
        self._store, self._key, self._kinds = store, key, (_Segment, *kinds)
        self._lock = Lock()
        self._last = time.monotonic()
        self._waiting: dict[int, Any] = {}

    def add(self, at: int, value: object) -> None:
        with self._lock:
            self._waiting[at] = value
            if self._store.is_due(time.monotonic() - self._last):
                self._write()

    def flush(self) -> None:
        with self._lock:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        at = np.array(sorted(self._waiting))
        segment = _Segment(at, tuple(self._waiting[place] for place in at.tolist()))
        name = f"{self._key}.{hashlib.sha256(at.tobytes()).hexdigest()[:16]}"
        self._store.save(name, segment, self._kinds)
        self._waiting, self._last = {}, time.monotonic()


def _all(make: Callable[[int], Value], at: Sequence[int], threads: int) -> list[Value]:
    return in_threads(make, at, threads) if threads else [make(place) for place in at]


def _identity(value: object) -> bytes:
    """Bytes that two values share if and only if they are the same."""
    if isinstance(value, np.ndarray):
        head = f"{value.dtype.str}{value.shape}".encode()
        return head + hashlib.sha256(np.ascontiguousarray(value).data).digest()
    if isinstance(value, float):
        return f"{float(value).hex()};".encode()
    if isinstance(value, int | np.integer | str | None):
        return f"{type(value).__name__[:3]}{value};".encode()
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_identity, value)) + b")"
    raise TypeError(f"a {type(value).__name__} is no part of a name")
