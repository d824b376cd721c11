"""Wall-clock time, processor time and peak memory of one command.

The command is started from a process that has imported next to nothing, which is this file run as a
script: the kernel counts the memory of the process that a command is started from in the command's
own peak, so that a starter with arrays in memory would put a floor under every figure.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What a command cost: seconds on the clock, seconds of all processors, bytes in memory.

    Memory is that of the largest of the processes that the command consists of.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int

    def followed_by(self, other: "Cost") -> "Cost":
        """The cost of two commands one after the other."""
        peak = max(self.peak_bytes, other.peak_bytes)
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, peak)


NOTHING = Cost(0.0, 0.0, 0)


class CommandFailedError(Exception):
    """A command that was to be measured did not succeed."""


class TimeLimitError(Exception):
    """A command was stopped at its time limit; ``cost`` is what it had cost by then."""

    def __init__(self, cost: Cost):
        super().__init__(f"stopped after {cost.wall_s:.0f} s")
        self.cost = cost


def measure(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    limit_s: float | None = None,
    processors: int | None = None,
) -> Cost:
    """Run a command with these variables added to the environment, and return its cost.

    ``folder`` is its working directory. ``processors`` keeps it, where the system can, on that many
    of the processors, whatever it believes of their number.

    Raises
    ------
    CommandFailedError
        With the end of what the command printed, if its exit status is not zero.
    TimeLimitError
        If it had not ended after ``limit_s`` seconds; it and its children are killed.
    """
    starter = [sys.executable, "-I", "-S", __file__, str(limit_s or 0), str(processors or 0)]
    with tempfile.NamedTemporaryFile("r") as report:
        result = subprocess.run(
            [*starter, report.name, *command],
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if result.returncode:
            raise CommandFailedError(f"{' '.join(command)}\n{result.stdout[-2000:]}")
        stopped, *cost = json.load(report)
        if stopped:
            raise TimeLimitError(Cost(*cost))
        return Cost(*cost)


class _LimitReachedError(Exception):
    """The alarm rang."""


def _ring(_signal: int, _frame: object) -> None:
    raise _LimitReachedError


def _main() -> int:
    limit_s, processors, report, *command = sys.argv[1:]
    if int(processors) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(processors)])
    signal.signal(signal.SIGALRM, _ring)
    begin = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, setpgroup=0)
    stopped = False
    try:
        signal.setitimer(signal.ITIMER_REAL, float(limit_s))
        _, status, usage = os.wait4(child, 0)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    except _LimitReachedError:
        stopped = True
        _kill(child)
        _, status, usage = os.wait4(child, 0)
    except BaseException:
        _kill(child)
        raise
    wall_s = time.perf_counter() - begin
    unit = 1 if sys.platform == "darwin" else 1024
    cost = Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
    Path(report).write_text(json.dumps([stopped, *cost]), encoding="ascii")
    return 0 if stopped else abs(os.waitstatus_to_exitcode(status))


def _kill(child: int) -> None:
    """End the command and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_main())
