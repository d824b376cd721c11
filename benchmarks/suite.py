"""Time, memory and accuracy of nextlmm and of every peer that is installed, from files to a table.

    python benchmarks/suite.py --out benchmarks/results

Makes cohorts, runs the programs in turns, so that whatever else the machine does falls on all of
them alike, and writes suite.jsonl, one line per run, suite.md, the medians, and plots. A run that
suite.jsonl holds already is not made again, so the command can be stopped and given once more.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from agreement import compare
from cohort import KINDS, Cohort, mice, shared_mice, simulate
from figures import draw
from measure import NOTHING, CommandFailedError, Cost, TimeLimitError, measure
from nextlmm.output.provenance import describe_machine
from peers import PEERS
from peers.contract import Job, Way, find, thread_environment
from reference import exact_answer, memory_bytes
from report import markdown, shortcomings

SIZES = (2_000, 5_000, 10_000, 20_000, 50_000)
N_VARIANTS = 100_000
QUICK_SIZE, QUICK_VARIANTS = 100, 300
QUICK_WAYS = ["nextlmm", "nextlmm, 5 traits"]
MICE, MICE_SIZE = "mice", (1_940, 10_783)
REASON_LENGTH = 500
LARGEST_EXACT = 10_000
EXACT_LIMIT_S = 900.0
ROUNDS = 5
# Of a program that takes longer than so many seconds no more than so many runs are made.
FEWER_ROUNDS = ((60.0, 3), (600.0, 1))
TIME_LIMIT_S = 3600.0

Row = dict[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A way of using a program that is installed."""

    program: str
    executable: str
    version: str
    way: Way


@dataclass(frozen=True)
class Task:
    """A cohort by its kind and its size."""

    kind: str
    n: int
    m: int

    def __str__(self) -> str:
        return f"{self.kind} {self.n:,} x {self.m:,}"

    def write(self, folder: Path) -> Cohort:
        """Write its files."""
        if self.kind == MICE:
            root = shared_mice()
            if root is None:
                raise FileNotFoundError("there is no folder shared/data beside the checkout")
            return mice(root, folder)
        return simulate(self.kind, folder, n=self.n, m=self.m)


@dataclass(frozen=True)
class Settings:
    """How often, on how many threads and how long every program runs.

    Above ``largest_exact`` samples, or if it takes longer than ``exact_limit_s``, there is no exact
    answer to compare with.
    """

    rounds: int
    threads: int
    limit_s: float
    largest_exact: int
    exact_limit_s: float


class Record:
    """The lines of suite.jsonl, those of former calls among them."""

    def __init__(self, path: Path):
        self.path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self.rows: list[Row] = [json.loads(line) for line in text.splitlines()]

    def append(self, row: Row) -> None:
        """Add a line, to the file at once."""
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        self.rows.append(row)

    def of(self, key: Mapping[str, Any]) -> list[Row]:
        """The lines with these values."""
        return [row for row in self.rows if all(row[name] == key[name] for name in key)]


def main() -> int:
    arguments = _arguments()
    contestants = _contestants(arguments)
    settings = Settings(
        rounds=arguments.rounds,
        threads=arguments.threads,
        limit_s=arguments.time_limit,
        largest_exact=arguments.largest_exact,
        exact_limit_s=arguments.exact_limit,
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    root = arguments.cohorts or arguments.out / "cohorts"
    record = Record(arguments.out / "suite.jsonl")
    for task in _tasks(arguments):
        _run_task(task, contestants, settings=settings, record=record, root=root)
    text = markdown(record.rows, smoke=arguments.quick)
    (arguments.out / "suite.md").write_text(text, encoding="utf-8")
    draw(record.rows, arguments.out)
    print(f"\n{text}")
    failures = shortcomings(record.rows)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    add = parser.add_argument
    add("--out", type=Path, required=True, help="folder of the results")
    add("--sizes", type=int, nargs="+", default=SIZES, help="samples of the simulated cohorts")
    add("--variants", type=int, nargs="+", default=[N_VARIANTS], help="of them, 100000")
    add("--kinds", nargs="+", choices=[*KINDS, MICE], default=list(KINDS), help="of cohorts")
    add("--programs", nargs="+", metavar="NAME", help="only these: " + ", ".join(PEERS))
    add("--ways", nargs="+", metavar="NAME", help="only these rows of the table, by their names")
    add("--program", action="append", default=[], metavar="NAME=PATH", help="where a program is")
    add("--rounds", type=int, default=ROUNDS, help="runs of every program (5), fewer of slow ones")
    add("--threads", type=int, default=os.cpu_count(), help="of every program (all)")
    add("--time-limit", type=float, default=TIME_LIMIT_S, help="seconds of a run (3600)")
    add("--largest-exact", type=int, default=LARGEST_EXACT, help="samples of an exact answer")
    add("--exact-limit", type=float, default=EXACT_LIMIT_S, help="seconds of an exact answer (900)")
    add("--cohorts", type=Path, help="folder that keeps the cohorts (OUT/cohorts)")
    add("--quick", action="store_true", help="nextlmm alone on tiny cohorts, once: does it run?")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.variants = [QUICK_SIZE], [QUICK_VARIANTS]
        arguments.rounds = 1
        if not arguments.programs:
            arguments.programs, arguments.ways = ["nextlmm"], arguments.ways or QUICK_WAYS
    unknown = sorted(set(arguments.programs or ()) - set(PEERS))
    if unknown:
        parser.error(f"there is no program {unknown[0]}; the suite knows {', '.join(PEERS)}")
    return arguments


def _contestants(arguments: argparse.Namespace) -> list[Contestant]:
    """Every way of every program that is wanted and found; what is not found is named."""
    given = dict(item.split("=", 1) for item in arguments.program)
    found = []
    for name, peer in PEERS.items():
        if arguments.programs and name not in arguments.programs:
            continue
        executable = _find(name, peer.executables, given=given)
        if executable is None:
            print(f"{name} is skipped: it was not found. To be had: {peer.obtain}")
            continue
        version = peer.version(executable)
        found += [Contestant(name, executable, version, way) for way in peer.ways]
    wanted = set(arguments.ways or [contestant.way.name for contestant in found])
    return [contestant for contestant in found if contestant.way.name in wanted]


def _find(name: str, executables: Sequence[str], *, given: Mapping[str, str]) -> str | None:
    """The executable given by an option or by a variable BENCH_NAME, or that on the PATH."""
    path = given.get(name) or os.environ.get(f"BENCH_{name.upper()}")
    return shutil.which(path) if path else find(executables)


def _tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    for kind in arguments.kinds:
        if kind == MICE:
            yield Task(kind, *MICE_SIZE)
            continue
        for m in sorted(arguments.variants):
            yield from (Task(kind, n, m) for n in sorted(arguments.sizes))


def _run_task(
    task: Task,
    contestants: Sequence[Contestant],
    *,
    settings: Settings,
    record: Record,
    root: Path,
) -> None:
    """Run the programs in turns until each has all the runs that are due."""
    failed: set[str] = set()
    cohort = None
    for number in range(1, settings.rounds + 1):
        for contestant in contestants:
            key = _key(task, contestant, settings=settings)
            if contestant.way.name in failed or not _due(record.of(key), number, settings=settings):
                continue
            cohort = cohort or _cohort(task, root)
            obstacle = _obstacle(
                task, cohort, contestant=contestant, settings=settings, record=record
            )
            if obstacle:
                found: Row = _nothing("not begun", obstacle)
            else:
                found = _run(contestant, cohort, settings=settings)
            row = _provenance() | key | {"round": number, "limit_s": settings.limit_s} | found
            record.append(row)
            print(f"{task} | {contestant.way.name} | round {number} | {_in_short(row)}", flush=True)
            if row["outcome"] != "done":
                failed.add(contestant.way.name)


def _key(task: Task, contestant: Contestant, *, settings: Settings) -> Row:
    """What tells the runs of one program on one cohort from all others."""
    machine = describe_machine(0)
    return {
        "kind": task.kind,
        "n": task.n,
        "m": task.m,
        "program": contestant.program,
        "way": contestant.way.name,
        "version": contestant.version,
        "threads": settings.threads,
        "processor": machine["processor"],
    }


def _due(rows: Sequence[Row], number: int, *, settings: Settings) -> bool:
    """Whether a program is to run in this round, after what it did in former ones."""
    for row in rows:
        if row["outcome"] in ("stopped", "not begun") and row["limit_s"] >= settings.limit_s:
            return False
    walls = sorted(row["wall_s"] for row in rows if row["outcome"] == "done")
    allowed = [most for slow, most in FEWER_ROUNDS if walls and walls[len(walls) // 2] > slow]
    return len(walls) < min([number, *allowed])


def _cohort(task: Task, root: Path) -> Cohort:
    """The files of a cohort, made if they are not there; a folder is there once it is complete."""
    folder = root / f"{task.kind}-{task.n}-{task.m}"
    if not folder.exists():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        begin = time.perf_counter()
        task.write(partial)
        partial.rename(folder)
        print(f"{task} | made in {time.perf_counter() - begin:.0f} s", flush=True)
    return Cohort.at(folder)


def _obstacle(
    task: Task, cohort: Cohort, *, contestant: Contestant, settings: Settings, record: Record
) -> str | None:
    """Why there is no point in starting a run, if so."""
    traits = contestant.way.traits
    if traits > len(cohort.traits):
        return f"needs {traits} traits, of which the cohort has {len(cohort.traits)}"
    needed = contestant.way.least_bytes(task.n)
    if needed > memory_bytes():
        return f"needs at least {needed / 2**30:.0f} GiB of memory"
    key = _key(task, contestant, settings=settings)
    for row in record.of({name: key[name] for name in key if name not in ("n", "m")}):
        smaller = (row["n"] <= task.n) and (row["m"] <= task.m)
        if smaller and row["outcome"] == "stopped" and row["limit_s"] >= settings.limit_s:
            size = f"{row['n']:,} samples and {row['m']:,} variants"
            return f"took more than {row['limit_s']:.0f} s for {size}"
    return None


def _nothing(outcome: str, reason: str, *, cost: Cost = NOTHING) -> Row:
    return {"outcome": outcome, "reason": reason, **cost._asdict(), "agreement": None}


def _run(contestant: Contestant, cohort: Cohort, *, settings: Settings) -> Row:
    """One run: what it cost, and how far its results are from the exact answer."""
    way = contestant.way
    environment = thread_environment(settings.threads, way.threads_variable)
    with TemporaryDirectory() as scratch:
        job = Job(contestant.executable, cohort, Path(scratch).resolve(), settings.threads)
        if way.prepare:
            way.prepare(job)
        cost = NOTHING
        try:
            for command in way.commands(job):
                spent = measure(
                    command,
                    environment=environment,
                    folder=job.folder,
                    limit_s=settings.limit_s - cost.wall_s,
                    processors=settings.threads,
                )
                cost = cost.followed_by(spent)
            table = way.read(job)
        except TimeLimitError as error:
            reason = f"more than {settings.limit_s:.0f} s"
            return _nothing("stopped", reason, cost=cost.followed_by(error.cost))
        except (CommandFailedError, OSError, pl.exceptions.PolarsError) as error:
            return _nothing("failed", str(error)[-REASON_LENGTH:], cost=cost)
        account = dict(way.account(job)) if way.account else {}
    exact = None
    if cohort.n <= settings.largest_exact:
        exact = exact_answer(
            cohort, way.model, threads=settings.threads, limit_s=settings.exact_limit_s
        )
    return {
        "outcome": "done",
        "reason": None,
        **cost._asdict(),
        "traits": way.traits,
        "model": way.model,
        "same_model": way.same_model,
        "tested": len(table),
        "agreement": None if exact is None else asdict(compare(table, exact)),
        "account": account,
    }


def _in_short(row: Row) -> str:
    """A run in a few words."""
    if row["outcome"] != "done":
        return f"{row['outcome']}: {' '.join(row['reason'].split())}"
    busy = row["cpu_s"] / row["wall_s"]
    text = f"{row['wall_s']:.2f} s, {busy:.2f} cores, {row['peak_bytes'] / 2**20:.0f} MiB"
    agreement = row["agreement"]
    if agreement is None:
        return text
    return f"{text}, -log10 p within {agreement['max_log_p']:.2g} of {row['model']}"


def _provenance() -> Row:
    """When, on what, and at which commit of the checkout."""
    machine = describe_machine(0)
    names = ("system", "cores", "memory_bytes")
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        **{name: machine[name] for name in names},
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
    except (CommandFailedError, FileNotFoundError) as error:
        sys.exit(f"the suite stops: {error}")
