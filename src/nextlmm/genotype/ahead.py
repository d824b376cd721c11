"""Reading ahead: the next part of what does not fit in memory is read while this one is used."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


def read_ahead(
    read: Callable[[Item], Value], items: Iterable[Item]
) -> Iterator[tuple[Item, Value]]:
    """Every item with ``read(item)``, in order; the next one is read by a thread meanwhile.

    What ``read`` raises is raised in the turn of its item.  Whoever stops early waits for the one
    that is being read.

    Memory: the value in use and the next one.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        coming: tuple[Item, Future[Value]] | None = None
        for item in items:
            following = item, reader.submit(read, item)
            if coming is not None:
                yield coming[0], coming[1].result()
            coming = following
        if coming is not None:
            yield coming[0], coming[1].result()
