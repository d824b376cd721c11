"""Wall-clock time, processor time and peak memory of one command.

The command is started from a process that has imported next to nothing, which is this file run as a
script: the kernel counts the memory of the process that a command is started from in the command's
own peak, so that a starter with arrays in memory would put a floor under every figure.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What a command cost: seconds on the clock, seconds of all processors, bytes in memory."""

    wall_s: float
    cpu_s: float
    peak_bytes: int

    def followed_by(self, other: "Cost") -> "Cost":
        """The cost of two commands one after the other."""
        peak = max(self.peak_bytes, other.peak_bytes)
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, peak)


class CommandFailedError(Exception):
    """A command that was to be measured did not succeed."""


def measure(command: Sequence[str], *, environment: Mapping[str, str]) -> Cost:
    """Run a command with these variables added to the environment, and return its cost.

    Raises
    ------
    CommandFailedError
        With the end of what the command printed, if its exit status is not zero.
    """
    starter = [sys.executable, "-I", "-S", __file__]
    with tempfile.NamedTemporaryFile("r") as report:
        result = subprocess.run(
            [*starter, report.name, *command],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if result.returncode:
            raise CommandFailedError(f"{' '.join(command)}\n{result.stdout[-2000:]}")
        return Cost(**json.load(report))


def _main() -> int:
    report, *command = sys.argv[1:]
    begin = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - begin
    unit = 1 if sys.platform == "darwin" else 1024
    cost = Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
    Path(report).write_text(json.dumps(cost._asdict()), encoding="ascii")
    return abs(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    sys.exit(_main())
