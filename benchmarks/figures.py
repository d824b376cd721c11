"""Plots of the runs of the suite: time against samples, and time over that of nextlmm."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from report import OURS, by_size, latest, typical

Row = Mapping[str, Any]
Points = dict[int, Mapping[str, Sequence[Row]]]

SIZE_INCHES = (8.0, 5.0)
DOTS_PER_INCH = 150
MARKERS = "osD^vPX*<>"


def draw(rows: Iterable[Row], folder: Path) -> list[Path]:
    """Write suite.KIND.M.THREADS.time.png and .ratio.png where there are runs to draw."""
    tasks: dict[tuple[str, int, int], Points] = {}
    for (kind, n, m, threads), ways in by_size(latest(rows)).items():
        tasks.setdefault((kind, m, threads), {})[n] = ways
    paths = []
    for (kind, m, threads), points in tasks.items():
        for ratio, name in ((False, "time"), (True, "ratio")):
            figure = _figure(points, ratio=ratio)
            figure.axes[0].set_title(f"{kind}, {m:,} variants, {threads} threads")
            path = folder / f"suite.{kind}.{m}.{threads}.{name}.png"
            with matplotlib.rc_context({"svg.hashsalt": "nextlmm"}):
                figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
            paths.append(path)
    return paths


def _figure(points: Points, *, ratio: bool) -> Figure:
    """A line for each program; an open triangle where it was stopped at the time limit."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    names = dict.fromkeys(name for ways in points.values() for name in ways)
    ours = {n: typical(ways.get(OURS, ()), "wall_s") for n, ways in points.items()}
    for place, name in enumerate(names):
        colour = f"C{place % 10}"
        known = {n: typical(ways.get(name, ()), "wall_s") for n, ways in points.items()}
        times = {n: _over(time, ours[n], ratio) for n, time in known.items() if time}
        line = {n: time for n, time in times.items() if time is not None}
        marker, width = MARKERS[place % len(MARKERS)], 2.5 if name == OURS else 1.0
        axes.plot(*_xy(line), marker=marker, label=name, color=colour, linewidth=width)
        stopped = {
            n: _over(_limit(ways.get(name, ())), ours[n], ratio) for n, ways in points.items()
        }
        open_ended = {n: time for n, time in stopped.items() if time and not known[n]}
        axes.plot(*_xy(open_ended), "^", markersize=9, markerfacecolor="none", color=colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(list(points), [f"{n:,}" for n in points])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("samples")
    axes.set_ylabel("time over nextlmm's" if ratio else "time from files to table, s")
    axes.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    return figure


def _over(time: float | None, ours: float | None, ratio: bool) -> float | None:
    if time is None or not ratio:
        return time
    return time / ours if ours else None


def _limit(rows: Sequence[Row]) -> float | None:
    limits = [float(row["limit_s"]) for row in rows if row["outcome"] == "stopped"]
    return max(limits) if limits else None


def _xy(values: Mapping[int, float]) -> tuple[list[int], list[float]]:
    return list(values), list(values.values())
