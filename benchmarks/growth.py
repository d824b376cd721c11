"""How time and memory of the exact mode grow with samples and with variants, by each route.

    python benchmarks/growth.py --out benchmarks/results

Simulates cohorts, runs `nextlmm gwas` once on each by each route, and writes growth.jsonl, one line
per run with its costs and its certificate, and growth.md: a table, and the exponents of time and of
peak memory in n at a fixed number of variants and in the number of variants at a fixed n.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cohort import Cohort, simulate
from measure import measure
from nextlmm.output.provenance import describe_machine
from options import parser_of
from peers import nextlmm
from peers.contract import Job, find, thread_environment

SIZES = (2_500, 5_000, 10_000, 20_000)
VARIANTS = (10_000, 20_000, 40_000)
QUICK_SIZES, QUICK_VARIANTS = (120, 240), (300, 600)
ROUTES = ("hodlr", "dense")
LARGEST_DENSE = 10_000
KEYS = ("iterations", "z_error_max", "chi2_error_predicted", "audit_spread", "h2_monte_carlo_share")
START_UP = (60, 100)
COLUMNS = (
    "route",
    "n",
    "m",
    "time, s",
    "predicted, s",
    "processor, s",
    "peak, MiB",
    "iterations",
    "audit spread",
)

Row = dict[str, Any]


def main() -> int:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (arguments.out / "growth.jsonl").open("w", encoding="utf-8") as lines:
        for row in _rows(arguments):
            print(
                f"{row['route']}, n = {row['n']}, m = {row['m']}: {row['wall_s']:.1f} s", flush=True
            )
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            rows.append(row)
    text = "\n".join(_report(rows, arguments.threads)) + "\n"
    (arguments.out / "growth.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="samples")
    parser.add_argument("--variants", type=int, nargs="+", default=VARIANTS)
    parser.add_argument("--routes", nargs="+", default=ROUTES)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.variants = QUICK_SIZES, QUICK_VARIANTS
    return arguments


def _rows(arguments: argparse.Namespace) -> Iterator[Row]:
    """Every n at the middle number of variants, every number of variants at the middle n."""
    sizes, variants = sorted(arguments.sizes), sorted(arguments.variants)
    fixed_m, fixed_n = variants[len(variants) // 2], sizes[len(sizes) // 2]
    pairs = [START_UP, *((n, fixed_m) for n in sizes), *((fixed_n, m) for m in variants)]
    for n, m in dict.fromkeys(pairs):
        with TemporaryDirectory() as scratch:
            cohort = simulate("mixture", Path(scratch), n=n, m=m)
            for route in arguments.routes:
                if route != "dense" or n <= LARGEST_DENSE:
                    yield _run(cohort, route, arguments.threads) | {"n": n, "m": m}


def _run(cohort: Cohort, route: str, threads: int) -> Row:
    executable = find(nextlmm.EXECUTABLES) or nextlmm.EXECUTABLES[0]
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        job = Job(executable, cohort, folder, threads)
        command = nextlmm.command(job, "--route", route, *nextlmm.PLAIN)
        cost = measure(command, environment=thread_environment(threads))
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    facts = document["traits"][job.trait]
    certificate = facts["certificate"]
    plan = certificate["plan"]
    row = {"route": route, "predicted_s": plan["predicted_seconds"], "h2": facts["h2"]}
    row |= {"predicted_bytes": plan["predicted_bytes"], "stages": facts["timings"]}
    return row | cost._asdict() | {key: certificate.get(key) for key in KEYS}


def _report(rows: Sequence[Row], threads: int) -> Iterator[str]:
    machine = describe_machine(threads)
    yield "# Growth of the exact mode"
    yield ""
    yield f"{machine['processor']}, {threads} threads; one run each, from files to table."
    yield ""
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|" + "---|" * len(COLUMNS)
    for row in rows:
        spread = row["audit_spread"]
        cells = [
            row["route"],
            f"{row['n']:,}",
            f"{row['m']:,}",
            f"{row['wall_s']:.1f}",
            f"{row['predicted_s']:.1f}",
            f"{row['cpu_s']:.1f}",
            f"{row['peak_bytes'] / 2**20:.0f}",
            str(row["iterations"] or ""),
            "" if spread is None else f"{100 * spread:.2g} %",
        ]
        yield "| " + " | ".join(cells) + " |"
    yield ""
    yield from _exponents(rows)


def _exponents(rows: Sequence[Row]) -> Iterator[str]:
    """Slopes of log cost, less that of the start-up cohort, against log n and log m."""
    yield "| route | cost | exponent in n | exponent in m |"
    yield "|---|---|---|---|"
    for route in dict.fromkeys(row["route"] for row in rows):
        own = [row for row in rows if row["route"] == route]
        start = next(row for row in own if (row["n"], row["m"]) == START_UP)
        rest = [row for row in own if row is not start]
        for cost, name in (("wall_s", "time"), ("cpu_s", "processor"), ("peak_bytes", "memory")):
            slopes = [_slope(rest, start[cost], along, cost) for along in ("n", "m")]
            yield f"| {route} | {name} | {slopes[0]} | {slopes[1]} |"


def _slope(rows: Iterable[Row], base: float, along: str, cost: str) -> str:
    other = "m" if along == "n" else "n"
    rows = list(rows)
    values, counts = np.unique([row[other] for row in rows], return_counts=True)
    fixed = values[counts.argmax()]
    line = [(row[along], row[cost] - base) for row in rows if row[other] == fixed]
    line = [(x, y) for x, y in line if y > 0.0]
    if len(line) < 2:
        return "-"
    x, y = np.log(np.array(line, dtype=float).T)
    return f"{np.polyfit(x, y, 1)[0]:.2f}"


if __name__ == "__main__":
    sys.exit(main())
