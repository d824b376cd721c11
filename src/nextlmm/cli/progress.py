"""Progress on the screen: a bar on a terminal, plain lines elsewhere, nothing for what is quick."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

QUICK_S = 2.0
"""A stage that ends before this is not mentioned."""
LINE_EVERY_S = 10.0
"""Without a terminal, a long stage says how far it is this often."""


class ScreenProgress:
    """A progress listener that writes to a text stream; a context manager that tidies up.

    On a terminal a stage that lasts gets a bar, which disappears when the stage ends. Elsewhere it
    gets a line now and then and one at its end.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._bar: _Bar | None = None
        self._label = ""
        self._total = 0
        self._done = 0
        self._started = self._last_line = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar off the screen, whatever happened."""
        self._close_bar()

    def start(self, label: str, total: int) -> None:
        """Begin a stage of ``total`` units."""
        self._close_bar()
        self._label, self._total, self._done = label, total, 0
        self._started = self._last_line = self._clock()
        if self._stream.isatty():
            self._bar = _Bar(label, total, self._stream)

    def advance(self, amount: int = 1) -> None:
        """Report ``amount`` more units done."""
        self._done += amount
        if self._bar is not None:
            self._bar.advance(amount)
        elif self._clock() - self._last_line >= LINE_EVERY_S and self._total:
            self._last_line = self._clock()
            self._line(f"{self._label}: {100 * self._done // self._total} %")

    def finish(self) -> None:
        """End the stage."""
        elapsed = self._clock() - self._started
        self._close_bar()
        if elapsed >= QUICK_S:
            self._line(f"{self._label}: done in {elapsed:.0f} s")

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Bar:
    """A bar that shows itself after `QUICK_S`, even while one long step keeps the program busy."""

    def __init__(self, label: str, total: int, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream),
            transient=True,
        )
        # One unit cannot be partly done: show that something moves, and not 0 %.
        self._task = self._progress.add_task(label, total=total if total > 1 else None)
        self._lock = threading.Lock()
        self._closed = False
        self._timer = threading.Timer(QUICK_S, self._show)
        self._timer.daemon = True
        self._timer.start()

    def advance(self, amount: int) -> None:
        self._progress.advance(self._task, amount)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._timer.cancel()
            self._progress.stop()

    def _show(self) -> None:
        with self._lock:
            if not self._closed:
                self._progress.start()
