"""How far the plan of a run is from the run: time, memory and disk, predicted over measured.

    python benchmarks/plan_accuracy.py --out benchmarks/results

Simulates cohorts, asks `nextlmm.plan` what a run on each by each route would cost, runs
`nextlmm gwas`, and writes plan_accuracy.jsonl, one line per run, and plan_accuracy.md: a table and
the farthest ratios.  A time means something only on a machine that does nothing else; processor
time and memory are good on a busy one too.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nextlmm
from cohort import Cohort, simulate
from measure import measure
from nextlmm.output.provenance import describe_machine
from options import parser_of
from peers.contract import find, thread_environment

SIZES = ((500, 20_000), (1_000, 50_000), (2_000, 20_000), (4_000, 20_000), (8_000, 10_000))
QUICK_SIZES = ((120, 300), (240, 600))
WAYS: dict[str, dict[str, Any]] = {
    "auto": {},
    "dense": {"route": "dense"},
    "hodlr": {"route": "hodlr"},
    "no plots, no report": {"plots": False, "report": False},
    "mode hodlr": {"mode": "hodlr"},
}
LARGEST_DENSE = 4_000
RATIOS = ("seconds", "memory", "disk")

Row = dict[str, Any]


def main() -> int:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (arguments.out / "plan_accuracy.jsonl").open("w", encoding="utf-8") as lines:
        for row in _rows(arguments):
            print(_line(row), flush=True)
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            rows.append(row)
    text = "\n".join(_report(rows, arguments.threads)) + "\n"
    (arguments.out / "plan_accuracy.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument(
        "--sizes", nargs="+", type=_size, default=SIZES, help="samples x variants, as in 2000x50000"
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes = QUICK_SIZES
    return arguments


def _size(text: str) -> tuple[int, int]:
    n, m = text.split("x")
    return int(n), int(m)


def _rows(arguments: argparse.Namespace) -> Iterator[Row]:
    for n, m in arguments.sizes:
        with TemporaryDirectory() as scratch:
            cohort = simulate("mixture", Path(scratch), n=n, m=m)
            for way in arguments.ways:
                if way != "dense" or n <= LARGEST_DENSE:
                    yield _run(cohort, way, arguments.threads) | {"n": n, "m": m}


def _run(cohort: Cohort, way: str, threads: int) -> Row:
    executable = find(("nextlmm",)) or "nextlmm"
    with TemporaryDirectory() as scratch:
        options = nextlmm.GwasOptions(
            bfile=cohort.bfile,
            pheno=cohort.pheno,
            trait=cohort.traits[0],
            covar=cohort.covar,
            out=Path(scratch) / "result",
            threads=threads,
            **WAYS[way],
        )
        plan = nextlmm.plan(options)
        command = [str(executable), "gwas", *options.to_arguments()]
        cost = measure(command, environment=thread_environment(threads))
        disk = sum(path.stat().st_size for path in Path(scratch).iterdir())
        document = json.loads((Path(scratch) / "result.json").read_text(encoding="utf-8"))
    (name, facts), *_ = document["traits"].items()
    predicted = {
        "seconds": plan.seconds,
        "memory": plan.memory_bytes,
        "disk": plan.disk_bytes,
    }
    measured = {"seconds": cost.wall_s, "memory": cost.peak_bytes, "disk": disk}
    return {
        "way": way,
        "route": plan.routes[name],
        "took": (facts["certificate"].get("plan") or {}).get("route"),
        "speed": plan.document["predicted"]["machine_speed"],
        "predicted": predicted,
        "measured": measured,
        "processor_s": cost.cpu_s,
        "work": facts["work"],
        "ratio": {key: predicted[key] / measured[key] for key in RATIOS},
    }


def _line(row: Row) -> str:
    ratios = ", ".join(f"{key} {row['ratio'][key]:.2f}" for key in RATIOS)
    return f"{row['way']}, n = {row['n']}, m = {row['m']}: predicted over measured {ratios}"


def _report(rows: Sequence[Row], threads: int) -> Iterator[str]:
    machine = describe_machine(threads)
    yield "# Plans beside runs"
    yield ""
    yield f"{machine['processor']}, {threads} threads; one run each, from files to table."
    yield ""
    yield (
        "| options | route | n | m | time, s | predicted, s | ratio | peak, MB | predicted, MB | "
        "ratio | files, MB | predicted, MB | ratio |"
    )
    yield "|" + "---|" * 13
    for row in rows:
        cells = [row["way"], row["took"] or row["route"], f"{row['n']:,}", f"{row['m']:,}"]
        for key, unit, digits in (("seconds", 1.0, 1), ("memory", 1e6, 0), ("disk", 1e6, 1)):
            cells += [
                f"{row['measured'][key] / unit:.{digits}f}",
                f"{row['predicted'][key] / unit:.{digits}f}",
                f"{row['ratio'][key]:.2f}",
            ]
        yield "| " + " | ".join(cells) + " |"
    yield ""
    yield from _farthest(rows)


def _farthest(rows: Iterable[Row]) -> Iterator[str]:
    rows = list(rows)
    yield "| predicted over measured | smallest | largest |"
    yield "|---|---|---|"
    for key in RATIOS:
        ratios = [row["ratio"][key] for row in rows]
        yield f"| {key} | {min(ratios):.2f} | {max(ratios):.2f} |"


if __name__ == "__main__":
    sys.exit(main())
