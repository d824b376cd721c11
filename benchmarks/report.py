"""Medians, ratios and growth rates of a run of the suite, as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

START_UP = "start-up"
SIMULATED = "simulated"
COSTS = {"wall_s": "time", "cpu_s": "processor time", "peak_bytes": "peak memory"}
MIB = 2**20
BYTES_PER_ENTRY = 8
FEWEST_SIZES = 4

FloatArray = NDArray[np.float64]


def markdown(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, Any], *, smoke: bool) -> str:
    """The report; ``smoke`` says that the figures mean nothing."""
    medians = _medians(rows)
    lines = ["# nextlmm against GEMMA", ""]
    if smoke:
        lines += ["A smoke run on tiny cohorts: its figures show that the suite runs, no more.", ""]
    lines += [*_setting(rows, machine), ""]
    for (task,), part in medians.group_by("task", maintain_order=True):
        lines += [f"## {_title(str(task), part)}", "", *_costs(part), ""]
    lines += ["## Growth with the number of samples", "", *_growth(medians), ""]
    lines += ["### Memory", "", *_memory(medians)]
    return "\n".join(lines) + "\n"


def shortcomings(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for every program and cohort whose results are not what they should be."""
    found: dict[str, None] = {}  # a set that keeps its order
    for row in rows:
        where = f"{row['task']}: {row['program']} against {row['reference']}"
        if row["unmatched"]:
            found[f"{where}: {row['unmatched']} variants were tested by one of them only"] = None
        if row["same_model"] and row["beyond_tolerance"]:
            found[f"{where}: {row['beyond_tolerance']} values of -log10 p differ"] = None
    return list(found)


def _medians(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """One row per task and program, in the order of the runs."""
    columns = ("task", "program", "n", "m", "reference", "largest_difference", *COSTS)
    table = pl.DataFrame(
        [[row[name] for name in columns] for row in rows],
        schema=list(columns),
        orient="row",
        infer_schema_length=None,
    )
    return table.group_by("task", "program", maintain_order=True).agg(
        pl.col("n", "m", "reference").first(),
        pl.col("largest_difference").max(),
        pl.len().alias("rounds"),
        pl.col("wall_s").min().alias("fastest"),
        pl.col("wall_s").max().alias("slowest"),
        pl.col(*COSTS).median(),
    )


def _setting(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> Iterator[str]:
    versions = {row["program"].split()[0]: row["version"] for row in rows}
    yield f"- {', '.join(f'{name} {version}' for name, version in versions.items())}"
    memory = machine["memory_bytes"]
    yield (
        f"- {machine['processor']}, {machine['cores']} cores"
        + (f", {memory / 2**30:.0f} GiB" if memory else "")
        + f", {machine['system']}"
    )
    yield f"- threads of each program: {rows[0]['threads']}"


def _title(task: str, part: pl.DataFrame) -> str:
    n, m = part.row(0, named=True)["n"], part.row(0, named=True)["m"]
    return f"{task}: {n:,} samples, {m:,} variants tested"


def _costs(part: pl.DataFrame) -> Iterator[str]:
    """A table of the programs on one cohort."""
    yield from _header(
        "program",
        "rounds",
        "time, s",
        "fastest to slowest",
        "processor time, s",
        "cores busy",
        "peak memory, MiB",
        "times as fast as GEMMA",
        "largest difference of -log10 p",
    )
    peer = part.filter(pl.col("program").str.starts_with("GEMMA"))["wall_s"]
    for row in part.iter_rows(named=True):
        yield _line(
            row["program"],
            row["rounds"],
            f"{row['wall_s']:.2f}",
            f"{row['fastest']:.2f} to {row['slowest']:.2f}",
            f"{row['cpu_s']:.2f}",
            f"{row['cpu_s'] / row['wall_s']:.2f}",
            f"{row['peak_bytes'] / MIB:.0f}",
            f"{peer[0] / row['wall_s']:.2f}" if len(peer) else "",
            _difference(row),
        )


def _difference(row: Mapping[str, Any]) -> str:
    value = row["largest_difference"]
    return "" if value is None else f"{value:.2g} from {row['reference']}"


def _above_start_up(medians: pl.DataFrame, program: str) -> pl.DataFrame:
    """Sizes and costs on the simulated cohorts, less the costs of next to nothing."""
    own = medians.filter(pl.col("program") == program)
    start = own.filter(pl.col("task") == START_UP).row(0, named=True)
    sizes = own.filter(pl.col("task").str.starts_with(SIMULATED))
    return sizes.select("n", *COSTS).with_columns(pl.col(name) - start[name] for name in COSTS)


def _growth(medians: pl.DataFrame) -> Iterator[str]:
    programs = medians["program"].unique(maintain_order=True)
    sizes = _above_start_up(medians, programs[0])["n"].to_list()
    yield (
        f"Exponents of n, fitted on logarithms to {', '.join(f'{n:,}' for n in sizes)} samples, of "
        "the costs above those of the start-up cohort."
    )
    if len(sizes) < FEWEST_SIZES:
        yield f"Fewer than {FEWEST_SIZES} sizes: no claim can rest on these."
    yield ""
    yield from _header("program", *COSTS.values())
    for program in programs:
        costs = _above_start_up(medians, program)
        yield _line(program, *(_exponent(costs, name) for name in COSTS))


def _exponent(costs: pl.DataFrame, name: str) -> str:
    """The exponent of n in a cost; nothing where start-up hides the cost."""
    n, cost = costs["n"].to_numpy(), costs[name].to_numpy()
    if len(n) < 2 or cost.min() <= 0:
        return ""
    return f"{np.polyfit(np.log(n), np.log(cost), 1)[0]:.2f}"


def _memory(medians: pl.DataFrame) -> Iterator[str]:
    """Peak memory by size, and how many n by n matrices it grows by."""
    simulated = medians.filter(pl.col("task").str.starts_with(SIMULATED))
    sizes = simulated["task"].unique(maintain_order=True)
    yield "Peak memory in MiB, and the fit of a fixed part plus a number of n by n double matrices."
    yield ""
    yield from _header("program", *sizes, "fixed, MiB", "matrices")
    for (program,), part in simulated.group_by("program", maintain_order=True):
        peaks = part["peak_bytes"].to_numpy()
        matrix = BYTES_PER_ENTRY * part["n"].to_numpy().astype(np.float64) ** 2
        cells = [f"{peak / MIB:.0f}" for peak in peaks]
        yield _line(program, *cells, *_fixed_and_matrices(matrix, peaks))


def _fixed_and_matrices(matrix: FloatArray, peaks: FloatArray) -> tuple[str, str]:
    if len(peaks) < FEWEST_SIZES:
        return "", ""
    matrices, fixed = np.polyfit(matrix, peaks, 1)
    return f"{fixed / MIB:.0f}", f"{matrices:.1f}"


def _header(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield _line("---", *("---:" for _ in names[1:]))


def _line(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
