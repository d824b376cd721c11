"""Calls of one function with many items, which any worker may take."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from nextlmm.cluster.files import FileMark
from nextlmm.cluster.pool import MOST_LOSSES, Cluster, LostError
from nextlmm.cluster.traffic import bytes_of
from nextlmm.errors import MissingFileError

Value = TypeVar("Value")
Item = Callable[[bool], Any]
"""Makes an item: of where to read it if workers see the files (True), of the data if not."""


def mapped(
    cluster: Cluster,
    function: Callable[[Any, Any], Any],
    common: Any,
    items: Iterable[Item],
    *,
    files: Sequence[str] = (),
) -> Iterator[Any]:
    """``function(common, item)`` of every item, in their order, some at a time.

    Parameters
    ----------
    function : found by its name on workers.
    common : sent to every worker once.
    items : made when their turn comes.
    files : that items can be read from.

    Raises
    ------
    NextlmmError
        What the function raised, or that workers are not to be had.
    """
    calls = _Calls(cluster, function, common)
    sees_files, most = calls.looked_around([FileMark.of(path) for path in files])
    waiting: deque[tuple[Item, Any]] = deque()
    for item in items:
        waiting.append((item, calls.begun(item, sees_files)))
        if len(waiting) > most:
            yield calls.finished(*waiting.popleft())
    while waiting:
        yield calls.finished(*waiting.popleft())


class _Calls:
    """Calls of a function that share a value; a loss of workers begins them again."""

    def __init__(self, cluster: Cluster, function: Callable[[Any, Any], Any], common: Any) -> None:
        self._cluster, self._function, self._common = cluster, function, common
        self._shared = self._retried(self._spread)

    def looked_around(self, marks: Sequence[FileMark]) -> tuple[bool, int]:
        """Whether all workers see files, and how many calls keep them busy."""

        def look() -> tuple[bool, int]:
            threads = self._cluster.threads()
            facts = self._cluster.describe(marks, threads)
            return all(each.sees_files for each in facts.values()), 2 * sum(threads.values())

        return self._retried(look)

    def begun(self, item: Item, sees_files: bool) -> Any:
        """A call as a future."""

        def begin() -> Any:
            data = self._cluster.sent(item(sees_files))
            return self._cluster.submit(self._function, self._shared, data)

        self._cluster.account.add(tasks=1)
        return self._retried(begin)

    def finished(self, item: Item, future: Any) -> Any:
        """The result of a call."""
        for _ in range(MOST_LOSSES):
            try:
                result = self._cluster.result(future, ())
            except LostError:
                self._cluster.begin_again(1)
                self._shared = self._retried(self._spread)
                future = self.begun(item, sees_files=False)
            except MissingFileError:  # of a worker that came later and does not see it
                future = self.begun(item, sees_files=False)
            else:
                self._cluster.account.add(results=bytes_of(result))
                return result
        raise self._cluster.too_many_losses()

    def _spread(self) -> Any:
        # Workers have it from each other when they need it.
        copies = len(self._cluster.threads())
        self._cluster.account.add(requests=copies * bytes_of(self._common))
        return self._cluster.sent(self._common)

    def _retried(self, begin: Callable[[], Value]) -> Value:
        for _ in range(MOST_LOSSES):
            try:
                return begin()
            except LostError:
                self._cluster.begin_again(1)
        raise self._cluster.too_many_losses()
