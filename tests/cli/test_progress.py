import io
import time

import pytest

from nextlmm.cli import progress as progress_module
from nextlmm.cli.progress import ScreenProgress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_quick_stage_is_silent() -> None:
    stream, clock = io.StringIO(), Clock()
    with ScreenProgress(stream, clock=clock) as progress:
        progress.start("reading", 10)
        clock.now = 1.9
        progress.advance(10)
        progress.finish()
    assert stream.getvalue() == ""


def test_a_long_stage_says_how_far_it_is() -> None:
    stream, clock = io.StringIO(), Clock()
    with ScreenProgress(stream, clock=clock) as progress:
        progress.start("testing variants", 50)
        for _ in range(50):
            clock.now += 0.5
            progress.advance()
        progress.finish()
    assert stream.getvalue().splitlines() == [
        "testing variants: 40 %",
        "testing variants: 80 %",
        "testing variants: done in 25 s",
    ]


def test_a_stage_of_unknown_length() -> None:
    stream, clock = io.StringIO(), Clock()
    with ScreenProgress(stream, clock=clock) as progress:
        progress.start("thinking", 0)
        clock.now = 30
        progress.advance()
        progress.finish()
    assert stream.getvalue() == "thinking: done in 30 s\n"


def test_a_terminal_gets_a_bar_that_disappears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "QUICK_S", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with ScreenProgress(stream) as progress:
        progress.start("testing variants", 50)
        deadline = time.monotonic() + 20
        while "testing variants" not in stream.getvalue() and time.monotonic() < deadline:
            progress.advance(0)
            time.sleep(0.01)
        progress.advance(50)
        shown = stream.getvalue()
    assert "testing variants" in shown
    assert stream.getvalue().endswith(("\x1b[2K", "\x1b[?25h"))


def test_a_terminal_sees_nothing_of_a_quick_stage() -> None:
    stream = Terminal()
    with ScreenProgress(stream) as progress:
        progress.start("reading", 10)
        progress.advance(10)
        progress.finish()
        progress.start("one step", 1)
    assert stream.getvalue() == ""
