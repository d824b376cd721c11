"""Figures of a calibration, in colours that colour-blind readers can tell apart (Okabe and Ito)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from .judge import LEVELS, Verdict
from .nulls import H2, Nulls
from .power import LEVEL, NCP, Found

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
SIZE_INCHES, DOTS_PER_INCH = (8.0, 5.0), 150
_QQ_POINTS = 400
_BINS = 6
_HIGHEST_RATE = 4.0


def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on nothing but the figure."""
    with matplotlib.rc_context({"svg.hashsalt": "nextlmm"}):
        figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})


def error_rates(rates: Mapping[str, Sequence[Verdict]]) -> Figure:
    """Rate over level of each population, with its interval, at every level."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    for place, (name, verdicts) in enumerate(rates.items()):
        found, low, high, level = (
            np.array([getattr(verdict, part) for verdict in verdicts])
            for part in ("found", "low", "high", "expected")
        )
        at = np.arange(len(level)) + 0.1 * (place - (len(rates) - 1) / 2.0)
        error = np.array([found - low, high - found]) / level
        axes.errorbar(
            at,
            found / level,
            yerr=error,
            fmt=MARKERS[place],
            color=COLOURS[place],
            capsize=3,
            label=name,
        )
    axes.axhline(1.0, color="grey", linewidth=1)
    axes.set_ylim(0.0, min(axes.get_ylim()[1], _HIGHEST_RATE))  # an interval may reach beyond
    axes.set_xticks(range(len(LEVELS)), [f"{level:g}" for level in LEVELS])
    axes.set_xlabel("level")
    axes.set_ylabel("rate of false positives / level")
    axes.legend(title="population")
    return figure


def quantiles(log_p: Mapping[str, np.ndarray]) -> Figure:
    """-log10 p of all null tests of each population against its expectation."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(log_p.items()):
        ordered = np.sort(values.ravel())[::-1]
        rank = np.unique(np.geomspace(1, len(ordered), _QQ_POINTS).astype(int))
        expected = -np.log10((rank - 0.5) / len(ordered))
        axes.plot(expected, ordered[rank - 1], color=COLOURS[place], label=name)
        if place == 0:
            band = [
                -np.log10(stats.beta.ppf(q, rank, len(ordered) - rank + 1)) for q in (0.975, 0.025)
            ]
            axes.fill_between(expected, *band, color="lightgrey", label="95 %, independent tests")
    top = axes.get_xlim()[1]
    axes.plot([0, top], [0, top], color="grey", linewidth=1)
    axes.set_xlabel("expected -log10 p")
    axes.set_ylabel("observed -log10 p")
    axes.legend(title="population")
    return figure


def heritabilities(nulls: Mapping[str, Nulls]) -> Figure:
    """The distribution of estimates around each simulated heritability."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    for place, (name, found) in enumerate(nulls.items()):
        for h2 in H2:
            own = found.h2[found.simulated == h2]
            at = h2 + 0.035 * (place - (len(nulls) - 1) / 2.0)
            low, quarter, middle, three, high = np.quantile(own, (0.025, 0.25, 0.5, 0.75, 0.975))
            colour = COLOURS[place]
            axes.plot([at, at], [low, high], color=colour, linewidth=1)
            axes.plot([at, at], [quarter, three], color=colour, linewidth=5)
            label = name if h2 == H2[0] else None
            axes.plot(at, own.mean(), MARKERS[place], color=colour, label=label)
            axes.plot(at, middle, "_", color="white", markersize=8)
    for h2 in H2:
        axes.plot([h2 - 0.1, h2 + 0.1], [h2, h2], color="grey", linewidth=1)
    axes.set_xticks(H2, [f"{h2:g}" for h2 in H2])
    axes.set_xlabel("simulated h2")
    axes.set_ylabel("estimated h2: mean, quartiles, and 95 % of the estimates")
    axes.legend(title="population")
    return figure


def found_effects(found: Mapping[str, Found]) -> Figure:
    """Share of effects found by each mode against their non-centrality, of all populations."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    edges = np.linspace(*NCP, _BINS + 1)
    ncp = np.concatenate([one.ncp for one in found.values()])
    place_of = np.clip(np.digitize(ncp, edges) - 1, 0, _BINS - 1)
    middle = (edges[:-1] + edges[1:]) / 2.0
    modes = list(next(iter(found.values())).log_p)
    for place, mode in enumerate(modes):
        log_p = np.concatenate([one.log_p[mode] for one in found.values()])
        is_found = log_p > -np.log10(LEVEL)
        share = [
            is_found[place_of == b].mean() if (place_of == b).any() else np.nan
            for b in range(_BINS)
        ]
        axes.plot(
            middle + 0.3 * (place - 1),
            share,
            marker=MARKERS[place],
            color=COLOURS[place],
            linestyle=("-", "--", ":")[place % 3],
            label=mode,
        )
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("non-centrality among unrelated samples")
    axes.set_ylabel(f"share found at p < {LEVEL:g}")
    axes.legend(title="mode")
    return figure
