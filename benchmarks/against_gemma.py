"""Time, memory and agreement of nextlmm and GEMMA, end to end from files to a table.

    python benchmarks/against_gemma.py --out benchmarks/results

The programs take turns, so that whatever else the machine does falls on all of them alike. Writes
against_gemma.jsonl, one line per run of a program, and against_gemma.md, the medians.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agreement import Agreement, compare
from cohort import Cohort, mice, shared_mice, simulate
from measure import CommandFailedError, Cost, measure
from nextlmm.output.provenance import describe_machine
from programs import Program, Result, contestants, thread_environment
from report import SIMULATED, START_UP, markdown, shortcomings

SEED = 2
SIZES = (500, 1000, 2000, 4000)
N_VARIANTS = 10_000
QUICK_SIZES = (100, 200)
QUICK_N_VARIANTS = 500
START_UP_SIZE = (60, 100)  # samples and variants: next to nothing to compute
SLOW_S = 60.0
ROUNDS_IF_SLOW = 3

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A cohort to analyse; ``write`` puts it into a folder."""

    name: str
    write: Callable[[Path], Cohort]


@dataclass(frozen=True)
class Settings:
    """How often, and on how many threads, every program runs; whether a first round is thrown away.

    A program that takes more than a minute runs no more than three times.
    """

    rounds: int
    threads: int
    warm_up: bool


def main() -> int:
    arguments = _arguments()
    gemma = shutil.which(arguments.gemma)
    if gemma is None:
        print(f"GEMMA is skipped: there is no command {arguments.gemma}")
    quick = arguments.quick
    settings = Settings(1 if quick else arguments.rounds, arguments.threads, warm_up=not quick)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (arguments.out / "against_gemma.jsonl").open("w", encoding="utf-8") as lines:
        for task in _tasks(arguments):
            for row in _rows(task, contestants(gemma), settings):
                lines.write(json.dumps(_provenance() | row) + "\n")
                lines.flush()
                rows.append(row)
    text = markdown(rows, describe_machine(settings.threads), smoke=quick)
    (arguments.out / "against_gemma.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    failures = shortcomings(rows)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--quick", action="store_true", help="tiny cohorts, once: does it run?")
    parser.add_argument("--rounds", type=int, default=5, help="runs of every program (5)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every program")
    parser.add_argument("--gemma", default="gemma", help="command of GEMMA (gemma)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help="samples of the simulated cohorts"
    )
    return parser.parse_args()


def _tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    yield Task(START_UP, partial(_simulate, *START_UP_SIZE))
    if arguments.quick:
        sizes, m = QUICK_SIZES, QUICK_N_VARIANTS
    else:
        sizes, m = arguments.sizes, N_VARIANTS
        root = shared_mice()
        if root is None:
            print("the mice are skipped: there is no folder shared/data beside the checkout")
        else:
            yield Task("mice, CD8", partial(mice, root))
    for n in sizes:
        yield Task(f"{SIMULATED} {n}", partial(_simulate, n, m))


def _simulate(n: int, m: int, folder: Path) -> Cohort:
    return simulate(n, m, folder, seed=SEED)


def _rows(task: Task, programs: Sequence[Program], settings: Settings) -> Iterator[Row]:
    """Run the programs in turns; one row for every run that counts."""
    with TemporaryDirectory() as scratch:
        cohort = task.write(Path(scratch))
        latest: dict[str, Result] = {}
        slow: set[str] = set()
        for number in range(0 if settings.warm_up else 1, settings.rounds + 1):
            for program in programs:
                if program.name in slow and number > ROUNDS_IF_SLOW:
                    continue
                cost, latest[program.name] = _run(program, cohort, settings.threads)
                print(
                    f"{task.name}, round {number}, {program.name}: {cost.wall_s:.2f} s", flush=True
                )
                if cost.wall_s > SLOW_S:
                    slow.add(program.name)
                if number:
                    row = {"task": task.name, "round": number, "threads": settings.threads}
                    yield row | cost._asdict() | _findings(program, latest)


def _run(program: Program, cohort: Cohort, threads: int) -> tuple[Cost, Result]:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cost = Cost(0.0, 0.0, 0)
        for command in program.commands(cohort, folder, threads):
            spent = measure(command, environment=thread_environment(threads))
            cost = cost.followed_by(spent)
        return cost, program.read(cohort, folder)


def _findings(program: Program, latest: dict[str, Result]) -> Row:
    """What a program is, what it found, and how far that is from its reference."""
    result = latest[program.name]
    row: Row = {
        "program": program.name,
        "version": program.version,
        "n": result.n,
        "m": len(result.table),
        "reference": program.reference,
        "same_model": program.same_model,
        "account": dict(result.account),
    }
    if program.reference is None:
        return row | dict.fromkeys(field.name for field in fields(Agreement))
    return row | asdict(compare(result.table, latest[program.reference].table))


def _provenance() -> Row:
    """When, on what, and at which commit of the checkout."""
    machine = describe_machine(0)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        **{name: machine[name] for name in ("system", "processor", "cores", "memory_bytes")},
    }


def _commit() -> str | None:
    """Name of the commit, with a mark if files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CommandFailedError as error:
        sys.exit(f"a command failed: {error}")
