"""The loop of a fuzzer: change an input, read it, judge the answer, keep what reaches new lines."""

import os
import random
import re
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from nextlmm.errors import NextlmmError
from validation.fuzz.mutate import Files, mutated
from validation.fuzz.reader import Reader, RefusedError, UnknownError, plain, write_files

SECONDS_EACH = 10
"""A reader that takes more of a processor for one small input hangs, however busy the machine."""

LONGEST_SENTENCE = 1500
_MOST_KEPT = 2000
_OURS = re.compile(r"/src/nextlmm/")


class HangError(BaseException):
    """The time for one input is over; no reader may catch it."""


@dataclass(frozen=True)
class Finding:
    """What must not be: its kind, where it comes from, and the words of it."""

    kind: str
    place: str
    words: str

    @property
    def key(self) -> str:
        """Findings of one cause have the same."""
        return f"{self.kind}: {self.place}"


class Coverage:
    """Lines of this package that were run, since it began and by the last input."""

    def __init__(self) -> None:
        self._seen: set[tuple[CodeType, int]] = set()
        self._is_ours: dict[CodeType, bool] = {}
        self._new = 0

    def __len__(self) -> int:
        return len(self._seen)

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._new = len(self._seen)
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(before)

    @property
    def n_new(self) -> int:
        """Lines that the last input was the first to reach."""
        return len(self._seen) - self._new

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if code not in self._is_ours:
            self._is_ours[code] = bool(_OURS.search(code.co_filename.replace(os.sep, "/")))
        return self._line if self._is_ours[code] else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self._seen.add((frame.f_code, frame.f_lineno))
        return self._line


def judge(reader: Reader, folder: Path, files: Files) -> Finding | None:
    """Read the files of a folder; what is wrong with the answer, None if it is as it should be."""
    try:
        with _limited(SECONDS_EACH):
            value = reader.read(folder)
    except NextlmmError as error:
        return _odd_sentence(str(error))
    except HangError:
        return Finding("hang", _innermost(sys.exc_info()[2]), f"over {SECONDS_EACH} s")
    except MemoryError as error:
        return Finding("memory", _innermost(error.__traceback__), str(error))
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"[:500]
        return Finding(type(error).__name__, _innermost(error.__traceback__), words)
    return None if reader.oracle is None else _compared(reader, files, value)


def _compared(reader: Reader, files: Files, value: Any) -> Finding | None:
    """What differs from what the oracle reads."""
    try:
        expected = reader.oracle(files)
    except UnknownError:
        return None
    except RefusedError as error:
        return Finding("silent", f"{reader.name}: {_without_digits(str(error))}", str(error))
    found, expected = plain(value), plain(expected)
    if found == expected:
        return None
    keys = [key for key in expected if found.get(key) != expected[key]]
    words = f"{keys}: {[(found.get(key), expected[key]) for key in keys[:1]]}"[:600]
    return Finding("differs", f"{reader.name}: {', '.join(map(str, keys))}", words)


def _odd_sentence(text: str) -> Finding | None:
    """Whether an error is more than a sentence."""
    place = _without_digits(text[-60:])
    if "\n" in text or "\r" in text:
        return Finding("several lines", place, text[:500])
    if len(text) > LONGEST_SENTENCE:
        return Finding("long sentence", place, f"{len(text)} characters: {text[:300]}")
    return None


def _without_digits(text: str) -> str:
    return re.sub(r"[^a-z .:;,]+", "#", text, flags=re.IGNORECASE)[:80]


def _innermost(trace: Any) -> str:
    """The innermost line of this package in a traceback."""
    frames = traceback.extract_tb(trace)
    ours = [frame for frame in frames if _OURS.search(frame.filename)] or frames
    frame = ours[-1]
    return f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fuzz(
    reader: Reader,
    corpus: list[Files],
    folder: Path,
    *,
    seed: int,
    first: int,
    goes_on: Callable[[int], bool],
    told: Callable[[int, int, Files, Finding | None], None],
) -> None:
    """Read changed inputs until ``goes_on``, asked before each, says no.

    Parameters
    ----------
    corpus : inputs to change; grows by those that reach new lines.
    folder : where an input is written, one at a time.
    seed : of all random numbers; with ``first``, the number of the first input, they are the same.
    told : told of every input: its number, new lines, its files, and what was wrong.
    """
    coverage = Coverage()
    number = first
    for files in list(corpus):
        _fresh(folder, files)
        with coverage.watching():
            finding = judge(reader, folder, files)
        told(0, coverage.n_new, files, finding)
    while goes_on(number):
        rng = random.Random(f"{seed} {reader.name} {number}")
        chosen = rng.choice(corpus[-50:] if rng.random() < 0.3 else corpus)
        files = mutated(chosen, rng, corpus, reader.tokens)
        _fresh(folder, files)
        with coverage.watching():
            finding = judge(reader, folder, files)
        if coverage.n_new and finding is None and len(corpus) < _MOST_KEPT:
            corpus.append(files)
        told(number, coverage.n_new, files, finding)
        number += 1


def _fresh(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_files(folder, files)


def now() -> float:
    return time.monotonic()
