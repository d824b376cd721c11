"""Medians, ratios, accuracy and growth rates of the runs of the suite, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

OURS = "nextlmm"
COSTS = {"wall_s": "time", "cpu_s": "processor time", "peak_bytes": "peak memory"}
MIB = 2**20
COLUMNS = (
    "program",
    "runs",
    "time, s",
    "fastest to slowest",
    "processor time, s",
    "cores busy",
    "peak memory, MiB",
    "time over nextlmm's",
    "compared with",
    "largest, rms difference of -log10 p",
    "largest relative difference of chi2",
    "lambda GC (exact)",
)

Row = Mapping[str, Any]
Size = tuple[str, int, int, int]  # kind, samples, variants, threads


def latest(rows: Iterable[Row]) -> list[Row]:
    """The rows of the version of each program that ran last."""
    rows = list(rows)
    version = {row["way"]: row["version"] for row in rows}
    return [row for row in rows if row["version"] == version[row["way"]]]


def by_size(rows: Iterable[Row]) -> dict[Size, dict[str, list[Row]]]:
    """The rows of each cohort and number of threads, and of each program on it."""
    found: dict[Size, dict[str, list[Row]]] = {}
    for row in rows:
        size = (row["kind"], row["n"], row["m"], row["threads"])
        found.setdefault(size, {}).setdefault(row["way"], []).append(row)
    return dict(sorted(found.items()))


def typical(rows: Iterable[Row], cost: str) -> float | None:
    """The median of a cost over the runs that came to an end."""
    values = [row[cost] for row in rows if _is_done(row)]
    return median(values) if values else None


def _is_done(row: Row) -> bool:
    return bool(row["outcome"] == "done")


def markdown(rows: Sequence[Row], *, smoke: bool) -> str:
    """The report; ``smoke`` says that the figures mean nothing."""
    rows = latest(rows)
    sizes = by_size(rows)
    lines = ["# nextlmm and its peers", ""]
    if smoke:
        lines += ["A smoke run on tiny cohorts: its figures show that the suite runs, no more.", ""]
    lines += [*_setting(rows), ""]
    for (kind, n, m, threads), ways in sizes.items():
        lines += [f"## {kind}: {n:,} samples, {m:,} variants, {threads} threads", ""]
        lines += [*_costs(ways), "", *_traits(ways)]
    lines += ["## Growth with the number of samples", "", *_growth(sizes)]
    return "\n".join(lines) + "\n"


def shortcomings(rows: Iterable[Row]) -> list[str]:
    """One sentence for every program and cohort whose results are not what they should be."""
    found: dict[str, None] = {}  # a set that keeps its order
    rows = latest(rows)
    done = {(row["kind"], row["n"], row["m"], row["way"]) for row in rows if _is_done(row)}
    for row in rows:
        where = f"{row['kind']} {row['n']:,} x {row['m']:,}: {row['way']}"
        agreement = row["agreement"]
        never_done = (row["kind"], row["n"], row["m"], row["way"]) not in done
        if row["outcome"] == "failed" and never_done:
            found[f"{where} failed: {' '.join(row['reason'].split())[:200]}"] = None
        if agreement and row["same_model"] and agreement["beyond_tolerance"]:
            many = agreement["beyond_tolerance"]
            found[f"{where} against {row['model']}: {many} values of -log10 p differ"] = None
    return list(found)


def _setting(rows: Sequence[Row]) -> Iterator[str]:
    versions = {row["program"]: row["version"] for row in rows}
    yield f"- {', '.join(f'{name} {version}' for name, version in versions.items())}"
    for processor, cores, memory, system in dict.fromkeys(
        (row["processor"], row["cores"], row["memory_bytes"], row["system"]) for row in rows
    ):
        size = f", {memory / 2**30:.0f} GiB" if memory else ""
        yield f"- {processor}, {cores} cores{size}, {system}"


def _costs(ways: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """A table of the programs on one cohort."""
    yield from _header(*COLUMNS)
    ours = typical(ways.get(OURS, ()), "wall_s")
    for way, rows in ways.items():
        done = [row for row in rows if _is_done(row)]
        if not done:
            yield _line(way, 0, _why_not(rows[-1]), *[""] * (len(COLUMNS) - 3))
            continue
        wall, cpu, peak = (median(row[cost] for row in done) for cost in COSTS)
        walls = [row["wall_s"] for row in done]
        yield _line(
            way,
            len(done),
            f"{wall:.2f}",
            f"{min(walls):.2f} to {max(walls):.2f}",
            f"{cpu:.2f}",
            f"{cpu / wall:.2f}",
            f"{peak / MIB:.0f}",
            f"{wall / ours:.2f}" if ours else "",
            *_accuracy(done[-1]),
        )


def _why_not(row: Row) -> str:
    return "failed" if row["outcome"] == "failed" else str(row["reason"])


def _accuracy(row: Row) -> tuple[str, str, str, str]:
    found = row["agreement"]
    if found is None:
        return row["model"], "", "", ""
    chi2 = found["max_relative_chi2"]
    return (
        row["model"],
        f"{found['max_log_p']:.2g}, {found['rms_log_p']:.2g}",
        "" if chi2 is None else f"{100 * chi2:.2g} %",
        f"{found['lambda_gc']:.3f} ({found['exact_lambda_gc']:.3f})",
    )


def _traits(ways: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """What a further trait of the same samples costs."""
    one = typical(ways.get(OURS, ()), "wall_s")
    for way, rows in ways.items():
        several = typical(rows, "wall_s")
        traits = rows[-1].get("traits", 1)
        if one and several and traits > 1:
            yield f"{way}: {(several - one) / (traits - 1):.2f} s for every trait after the first."
            yield ""


def _growth(sizes: Mapping[Size, Mapping[str, Sequence[Row]]]) -> Iterator[str]:
    """Exponents of n in the costs, fitted on logarithms."""
    yield "Exponents of n, fitted on logarithms to the medians of the sizes at which a program ran."
    yield ""
    yield from _header("cohort", "program", "samples", *COSTS.values())
    for kind, m, threads in dict.fromkeys((kind, m, t) for kind, _, m, t in sizes):
        cohorts = {
            n: ways for (k, n, *rest), ways in sizes.items() if [k, *rest] == [kind, m, threads]
        }
        for way in dict.fromkeys(way for ways in cohorts.values() for way in ways):
            costs = {
                n: [typical(ways[way], cost) for cost in COSTS]
                for n, ways in cohorts.items()
                if typical(ways.get(way, ()), "wall_s")
            }
            if len(costs) < 2:
                continue
            n = np.log(np.array(list(costs), dtype=float))
            slopes = np.polyfit(n, np.log(np.array(list(costs.values()), dtype=float)), 1)[0]
            samples = ", ".join(f"{size:,}" for size in costs)
            yield _line(f"{kind}, {m:,} variants", way, samples, *(f"{s:.2f}" for s in slopes))


def _header(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield _line("---", *("---:" for _ in names[1:]))


def _line(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
