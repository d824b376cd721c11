"""The Manhattan and the QQ plot as matplotlib figures, without global plotting state.

Ten million variants are drawn as fast as a million: points that would fall on the same pixel are
drawn once. The same table gives the same PNG bytes.
"""

import math
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nextlmm.output.png import write_png_image
from nextlmm.report.axis import StrengthAxis, apply_axis, strength_axis
from nextlmm.report.genome import Genome, lay_out
from nextlmm.report.labels import Label, place_labels
from nextlmm.report.loci import find_loci
from nextlmm.report.quantiles import quantiles
from nextlmm.report.thresholds import describe_threshold, genome_wide_threshold

FloatArray = NDArray[np.float64]

# Dark and light blue stay apart in grey print and for every kind of colour vision; the orange of
# the leads differs from both in hue and in lightness.
_DARK, _LIGHT, _ACCENT, _GREY = "#1b4f72", "#74add1", "#d95f02", "#6b6b6b"
_DPI = 200
_MANHATTAN_INCHES = (11.0, 4.4)
_QQ_INCHES = (4.8, 4.8)
# Fixed margins: fitting them to the text would take as long as all the drawing.
_MANHATTAN_MARGINS = {"left": 0.056, "right": 0.994, "bottom": 0.115, "top": 0.925}
_QQ_MARGINS = {"left": 0.125, "right": 0.97, "bottom": 0.11, "top": 0.925}
# In plain characters: loading what sets formulas would take as long as all the drawing.
_STRENGTH = "\N{MINUS SIGN}log₁₀ p"
_MAX_LABELS = 12
_LABEL_POINTS = 7.5
_X_LIMITS = (-0.005, 1.005)  # of the genome, whose length is 1


def manhattan(frame: pl.DataFrame, *, title: str = "") -> Figure:
    """Draw -log10 p of every variant along the genome.

    Chromosomes alternate between two colours, the dashed line is the genome-wide threshold stated
    beside it, and the lead variants of the strongest loci beyond it carry their names. Where some
    values are so large that all others would lie flat, the axis is compressed above a line.

    Parameters
    ----------
    frame
        A result table; rows without a p-value are not drawn.
    title
        Heading, usually the name of the trait.
    """
    figure = Figure(figsize=_MANHATTAN_INCHES, dpi=_DPI)
    axes = figure.subplots(gridspec_kw=_MANHATTAN_MARGINS)
    _dress(axes, title)
    tested = frame.filter(pl.col("neg_log_10_p_value").is_not_null())
    if tested.is_empty():
        return _empty(figure, axes)
    genome = lay_out(tested)
    y = tested["neg_log_10_p_value"].to_numpy()
    threshold = genome_wide_threshold(tested.height)
    line = -math.log10(threshold)
    axis = strength_axis(float(y.max()), line)
    axes.set_xlim(*_X_LIMITS)
    apply_axis(axes, axis, _GREY)
    _draw_points(axes, genome, y, axis)
    axes.axhline(line, color=_GREY, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
    axes.annotate(
        f"p = {describe_threshold(tested.height)}",
        (1.0, line),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7,
        color=_GREY,
    )
    named = _name_chromosomes(axes, genome)
    leads = find_loci(tested.with_row_index("row"), threshold).head(_MAX_LABELS)
    if not leads.is_empty():
        _mark_leads(axes, genome, leads, axis, named)
    axes.set_ylabel(_STRENGTH)
    return figure


def qq(
    frame: pl.DataFrame,
    *,
    title: str = "",
    lambda_gc: float | None = None,
    n_samples: int | None = None,
) -> Figure:
    """Draw observed against expected -log10 p with the 95 % band of a uniform sample.

    The band is pointwise: the i-th smallest of m independent uniform p-values follows a
    Beta(i, m + 1 - i) distribution. Variants in LD are not independent, so it is a little narrow.

    Parameters
    ----------
    frame
        A result table; rows without a p-value are not drawn.
    title
        Heading, usually the name of the trait.
    lambda_gc, n_samples
        Stated in the corner where given.
    """
    figure = Figure(figsize=_QQ_INCHES, dpi=_DPI)
    axes = figure.subplots(gridspec_kw=_QQ_MARGINS)
    _dress(axes, title)
    strength = frame["neg_log_10_p_value"].drop_nulls().to_numpy()
    m = len(strength)
    if m == 0:
        return _empty(figure, axes)
    curve = quantiles(strength)
    expected, observed = curve.expected, curve.observed
    limit = 1.04 * float(expected[0])
    axes.fill_between(expected, curve.lower, curve.upper, color="#d9d9d9", linewidth=0, zorder=0)
    axes.plot([0, limit], [0, limit], color=_GREY, linewidth=0.8, zorder=1)
    axes.plot(
        expected,
        observed,
        linestyle="none",
        marker="o",
        markersize=2.4,
        markeredgewidth=0,
        color=_DARK,
        zorder=2,
    )
    axes.set_xlim(0, limit)
    line = -math.log10(genome_wide_threshold(m))
    apply_axis(axes, strength_axis(max(float(observed[0]), float(curve.upper.max())), line), _GREY)
    axes.set_xlabel(f"expected {_STRENGTH}")
    axes.set_ylabel(f"observed {_STRENGTH}")
    facts = [f"{m:,} variants"]
    if n_samples is not None:
        facts.append(f"{n_samples:,} samples")
    if lambda_gc is not None:
        facts.append(f"λ = {lambda_gc:.3f}")
    axes.text(
        0.04,
        0.96,
        "\n".join(facts),
        transform=axes.transAxes,
        va="top",
        fontsize=9,
        linespacing=1.5,
    )
    return figure


def write_figure(figure: Figure, suffix: str, handle: BinaryIO) -> None:
    """Write ``figure`` as .png, .pdf or .svg; equal figures give equal bytes.

    In the last two, points are an image of 300 pixels to the inch, since a drawing of each would
    make a file that no program opens with ease; all else can be edited.
    """
    if suffix == ".png":
        write_png(figure, handle)
        return
    date = "CreationDate" if suffix == ".pdf" else "Date"
    for line in figure.axes[0].lines:
        line.set_rasterized(line.get_marker() not in ("", "None", None))
    with rc_context({"svg.hashsalt": "nextlmm", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(handle, format=suffix[1:], dpi=300, metadata={date: None})


def write_png(figure: Figure, handle: BinaryIO) -> None:
    """Write ``figure`` as PNG; equal figures give equal bytes."""
    # Not by the figure's own way of saving, which goes through all of the drawing twice.
    canvas: Any = FigureCanvasAgg(figure)  # whose methods have no types
    canvas.draw()
    write_png_image(np.asarray(canvas.buffer_rgba())[:, :, :3], handle, dpi=figure.dpi)


def _dress(axes: Axes, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    # A dollar sign in a name must not start a formula.
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", parse_math=False)


def _empty(figure: Figure, axes: Axes) -> Figure:
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no variant could be tested", ha="center", transform=axes.transAxes)
    return figure


def _draw_points(axes: Axes, genome: Genome, y: FloatArray, axis: StrengthAxis) -> None:
    keep = _one_per_pixel(genome.x, axis.fraction(y), _MANHATTAN_INCHES)
    for parity, colour in enumerate((_DARK, _LIGHT)):
        chosen = keep[genome.group[keep] % 2 == parity]
        axes.plot(
            genome.x[chosen],
            y[chosen],
            linestyle="none",
            marker="o",
            markersize=2.2,
            markeredgewidth=0,
            color=colour,
            zorder=2,
        )


def _one_per_pixel(x: FloatArray, y: FloatArray, inches: tuple[float, float]) -> NDArray[np.intp]:
    """Indices of one point for every pixel that holds any; x and y in [0, 1]."""
    columns, rows = (int(side * _DPI) for side in inches)
    pixel = np.clip(x * columns, 0, columns).astype(np.intp) * (rows + 1)
    pixel += np.clip(y * rows, 0, rows).astype(np.intp)
    occupant = np.full((columns + 1) * (rows + 1), -1, dtype=np.intp)
    occupant[pixel] = np.arange(len(x))
    return np.sort(occupant[occupant >= 0])


def _axes_points(inches: tuple[float, float], margins: dict[str, float]) -> tuple[float, float]:
    """Width and height of the axes in typographic points."""
    width, height = inches
    return (
        72 * width * (margins["right"] - margins["left"]),
        72 * height * (margins["top"] - margins["bottom"]),
    )


def _on_paper(x: FloatArray, width: float) -> FloatArray:
    """Horizontal place in typographic points of a place in the genome."""
    return (x - _X_LIMITS[0]) / (_X_LIMITS[1] - _X_LIMITS[0]) * width


def _name_chromosomes(axes: Axes, genome: Genome) -> set[str]:
    """Write the names that have room below their chromosome, the longest first; return them."""
    axis_points, _ = _axes_points(_MANHATTAN_INCHES, _MANHATTAN_MARGINS)
    centres = _on_paper(genome.starts + genome.widths / 2, axis_points)
    shown: list[int] = []
    taken: list[tuple[float, float]] = []
    for index in np.argsort(-genome.widths, kind="stable"):
        half = 0.5 * (5.0 * len(genome.names[index]) + 3)
        left, right = centres[index] - half, centres[index] + half
        inside = right <= axis_points + 4 and left >= -20
        if inside and all(right <= low or high <= left for low, high in taken):
            shown.append(int(index))
            taken.append((left, right))
    shown.sort()
    axes.set_xticks(
        [float(genome.starts[index] + genome.widths[index] / 2) for index in shown],
        [genome.names[index] for index in shown],
        parse_math=False,
    )
    axes.tick_params(axis="x", length=0)
    hidden = len(genome.names) - len(shown)
    unnamed = f" ({hidden:,} of {len(genome.names):,} not named)" if hidden else ""
    axes.set_xlabel("chromosome" + unnamed)
    return {genome.names[index] for index in shown}


def _mark_leads(
    axes: Axes, genome: Genome, leads: pl.DataFrame, axis: StrengthAxis, named: set[str]
) -> None:
    """Mark the lead variants and write their names above them."""
    x = genome.x[leads["row"].to_numpy()]
    y = leads["neg_log_10_p_value"].to_numpy()
    axes.plot(x, y, linestyle="none", marker="o", markersize=4, color=_ACCENT, zorder=3)
    width, height = _axes_points(_MANHATTAN_INCHES, _MANHATTAN_MARGINS)
    labels = [
        Label(_lead_name(row, named), float(across), float(up))
        for row, across, up in zip(
            leads.iter_rows(named=True),
            _on_paper(x, width),
            axis.fraction(y) * height,
            strict=True,
        )
    ]
    offsets = place_labels(labels, _LABEL_POINTS, width)
    for label, a, b, offset in zip(labels, x, y, offsets, strict=True):
        axes.annotate(
            label.text,
            (float(a), float(b)),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=_LABEL_POINTS,
            parse_math=False,
            # From the middle of the text's lower edge, as the places were chosen.
            arrowprops={
                "arrowstyle": "-",
                "color": _GREY,
                "linewidth": 0.5,
                "relpos": (0.5, 0.0),
                "shrinkA": 0,
                "shrinkB": 2,
            },
            zorder=4,
        )
    highest = max(label.y + offset[1] for label, offset in zip(labels, offsets, strict=True))
    room = max(1.0, (highest + 1.6 * _LABEL_POINTS) / height)
    axes.set_ylim(0, float(axis.value(np.array(room))))


def _lead_name(row: dict[str, Any], named: set[str]) -> str:
    place = f"{row['chromosome']}:{row['base_pair_location']}"
    if row["variant_id"] in (None, "", "."):
        return place
    if row["chromosome"] in named:
        return str(row["variant_id"])
    return f"{row['variant_id']} ({row['chromosome']})"
