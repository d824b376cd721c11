"""Manhattan and QQ plots of a result."""

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextlmm.assoc.summary import lambda_gc
from nextlmm.plots.axes import figure_of, open_axes
from nextlmm.plots.results import PLACE, STRENGTH, shown
from nextlmm.report.axis import apply_axis, strength_axis
from nextlmm.report.figures import (
    GREY,
    MANHATTAN,
    QQ,
    draw_manhattan,
    draw_qq,
    dress,
    say_empty,
)
from nextlmm.report.figures import STRENGTH as STRENGTH_LABEL
from nextlmm.report.payload import bin_name
from nextlmm.report.quantiles import MAF_BINS, frequency_bins, quantiles
from nextlmm.report.thresholds import genome_wide_threshold

# Of Okabe and Ito: apart for every kind of colour vision, the rarest variants first.
_BIN_COLOURS = ("#d55e00", "#e69f00", "#0072b2", "#009e73")
_BAND = "#d9d9d9"


def manhattan(
    result: Any,
    *,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw -log10 p of every variant along the genome, as the command line does.

    Parameters
    ----------
    result : what ``nextlmm.gwas`` or ``nextlmm.associate`` returns, or a table of polars or pandas.
    trait : which trait of a run; not needed where it has one.
    title : the name of the trait unless given.
    size : width and height in inches.
    ax : axes to draw on, in place of a figure of their own.

    Raises
    ------
    UsageError, FormatError
        If the result, the trait or the size is none.
    """
    found = shown(result, trait, (*PLACE, STRENGTH))
    axes, sheet = open_axes(ax, size, MANHATTAN)
    draw_manhattan(axes, found.table, sheet, title=found.name if title is None else title)
    return figure_of(axes)


def qq(
    result: Any,
    *,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw observed against expected -log10 p, with lambda and the 95 % band of uniform p-values.

    Parameters and errors are those of :func:`manhattan`.
    """
    found = shown(result, trait, (STRENGTH,))
    strength = found.table[STRENGTH].drop_nulls().to_numpy()
    axes, _ = open_axes(ax, size, QQ)
    draw_qq(
        axes,
        found.table,
        title=found.name if title is None else title,
        lambda_gc=lambda_gc(strength) if len(strength) else None,
        n_samples=found.facts.get("n"),
    )
    return figure_of(axes)


def qq_by_maf(
    result: Any,
    *,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw a QQ curve for each range of minor allele frequencies, with its lambda.

    Where rare variants depart from the others, few carriers are a likely reason. The band is that
    of all variants together; a range with fewer of them has a wider one. Parameters and errors are
    those of :func:`manhattan`.
    """
    found = shown(result, trait, (STRENGTH, "effect_allele_frequency"))
    axes, _ = open_axes(ax, size, QQ)
    dress(axes, found.name if title is None else title)
    strength = found.table[STRENGTH].drop_nulls().to_numpy()
    if not len(strength):
        say_empty(axes)
        return figure_of(axes)
    whole = quantiles(strength)
    limit = 1.04 * float(whole.expected[0])
    axes.fill_between(whole.expected, whole.lower, whole.upper, color=_BAND, linewidth=0, zorder=0)
    axes.plot([0, limit], [0, limit], color=GREY, linewidth=0.8, zorder=1)
    colours = dict(zip((low for low, _ in MAF_BINS), _BIN_COLOURS, strict=True))
    for part in frequency_bins(found.table):
        name = bin_name(part.low, part.high)
        axes.plot(
            part.curve.expected,
            part.curve.observed,
            linestyle="none",
            marker="o",
            markersize=2.6,
            markeredgewidth=0,
            color=colours[part.low],
            label=f"{name}: {part.curve.n:,}, λ = {part.lambda_gc:.3f}",
            zorder=2,
        )
    axes.set_xlim(0, limit)
    top = max(float(whole.observed[0]), float(whole.upper.max()))
    line = -math.log10(genome_wide_threshold(len(strength)))
    apply_axis(axes, strength_axis(top, line), GREY)
    axes.set_xlabel(f"expected {STRENGTH_LABEL}")
    axes.set_ylabel(f"observed {STRENGTH_LABEL}")
    axes.legend(frameon=False, fontsize=8, loc="upper left", markerscale=2.5, handletextpad=0.2)
    return figure_of(axes)
