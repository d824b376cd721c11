"""The Manhattan and the QQ plot as matplotlib figures, without global plotting state.

Ten million variants are drawn as fast as a million: points that would fall on the same pixel are
drawn once. The same table gives the same PNG bytes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
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
DARK, LIGHT, ACCENT, GREY = "#1b4f72", "#74add1", "#d95f02", "#6b6b6b"
DPI = 200
# In plain characters: loading what sets formulas would take as long as all the drawing.
STRENGTH = "\N{MINUS SIGN}log₁₀ p"
_MAX_LABELS = 12
_LABEL_POINTS = 7.5
_X_LIMITS = (-0.005, 1.005)  # of the genome, whose length is 1


@dataclass(frozen=True)
class Sheet:
    """What a plot is drawn on: its size, and where its axes are as shares of that.

    The margins are fixed: fitting them to the text would take as long as all the drawing.
    """

    inches: tuple[float, float]
    margins: Mapping[str, float]

    @property
    def points(self) -> tuple[float, float]:
        """Width and height of the axes in typographic points."""
        width, height = self.inches
        return (
            72 * width * (self.margins["right"] - self.margins["left"]),
            72 * height * (self.margins["top"] - self.margins["bottom"]),
        )


MANHATTAN = Sheet((11.0, 4.4), {"left": 0.056, "right": 0.994, "bottom": 0.115, "top": 0.925})
QQ = Sheet((4.8, 4.8), {"left": 0.125, "right": 0.97, "bottom": 0.11, "top": 0.925})


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
    figure = Figure(figsize=MANHATTAN.inches, dpi=DPI)
    axes = figure.subplots(gridspec_kw=dict(MANHATTAN.margins))
    draw_manhattan(axes, frame, MANHATTAN, title=title)
    return figure


def draw_manhattan(axes: Axes, frame: pl.DataFrame, sheet: Sheet, *, title: str = "") -> None:
    """Draw a Manhattan plot on axes that are where ``sheet`` says; see `manhattan`."""
    dress(axes, title)
    tested = frame.filter(pl.col("neg_log_10_p_value").is_not_null())
    if tested.is_empty():
        say_empty(axes)
        return
    genome = lay_out(tested)
    y = tested["neg_log_10_p_value"].to_numpy()
    threshold = genome_wide_threshold(tested.height)
    line = -math.log10(threshold)
    axis = strength_axis(float(y.max()), line)
    axes.set_xlim(*_X_LIMITS)
    apply_axis(axes, axis, GREY)
    _draw_points(axes, genome, y, axis, sheet)
    axes.axhline(line, color=GREY, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
    axes.annotate(
        f"p = {describe_threshold(tested.height)}",
        (1.0, line),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7,
        color=GREY,
    )
    named = _name_chromosomes(axes, genome, sheet)
    leads = find_loci(tested.with_row_index("row"), threshold).head(_MAX_LABELS)
    if not leads.is_empty():
        _mark_leads(axes, genome, leads, axis, named, sheet)
    axes.set_ylabel(STRENGTH)


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
    figure = Figure(figsize=QQ.inches, dpi=DPI)
    draw_qq(
        figure.subplots(gridspec_kw=dict(QQ.margins)),
        frame,
        title=title,
        lambda_gc=lambda_gc,
        n_samples=n_samples,
    )
    return figure


def draw_qq(
    axes: Axes,
    frame: pl.DataFrame,
    *,
    title: str = "",
    lambda_gc: float | None = None,
    n_samples: int | None = None,
) -> None:
    """Draw a QQ plot on axes; see `qq`."""
    dress(axes, title)
    strength = frame["neg_log_10_p_value"].drop_nulls().to_numpy()
    m = len(strength)
    if m == 0:
        say_empty(axes)
        return
    curve = quantiles(strength)
    expected, observed = curve.expected, curve.observed
    limit = 1.04 * float(expected[0])
    axes.fill_between(expected, curve.lower, curve.upper, color="#d9d9d9", linewidth=0, zorder=0)
    axes.plot([0, limit], [0, limit], color=GREY, linewidth=0.8, zorder=1)
    axes.plot(
        expected,
        observed,
        linestyle="none",
        marker="o",
        markersize=2.4,
        markeredgewidth=0,
        color=DARK,
        zorder=2,
    )
    axes.set_xlim(0, limit)
    line = -math.log10(genome_wide_threshold(m))
    apply_axis(axes, strength_axis(max(float(observed[0]), float(curve.upper.max())), line), GREY)
    axes.set_xlabel(f"expected {STRENGTH}")
    axes.set_ylabel(f"observed {STRENGTH}")
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


def dress(axes: Axes, title: str) -> None:
    """Give axes the look of all figures, and a title."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    # A dollar sign in a name must not start a formula.
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", parse_math=False)


def say_empty(axes: Axes) -> None:
    """Say on the axes of a plot that there is nothing to draw."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no variant could be tested", ha="center", transform=axes.transAxes)


def _draw_points(
    axes: Axes, genome: Genome, y: FloatArray, axis: StrengthAxis, sheet: Sheet
) -> None:
    keep = _one_per_pixel(genome.x, axis.fraction(y), sheet.inches)
    for parity, colour in enumerate((DARK, LIGHT)):
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
    columns, rows = (int(side * DPI) for side in inches)
    pixel = np.clip(x * columns, 0, columns).astype(np.intp) * (rows + 1)
    pixel += np.clip(y * rows, 0, rows).astype(np.intp)
    occupant = np.full((columns + 1) * (rows + 1), -1, dtype=np.intp)
    occupant[pixel] = np.arange(len(x))
    return np.sort(occupant[occupant >= 0])


def _on_paper(x: FloatArray, width: float) -> FloatArray:
    """Horizontal place in typographic points of a place in the genome."""
    return (x - _X_LIMITS[0]) / (_X_LIMITS[1] - _X_LIMITS[0]) * width


def _name_chromosomes(axes: Axes, genome: Genome, sheet: Sheet) -> set[str]:
    """Write the names that have room below their chromosome, the longest first; return them."""
    axis_points, _ = sheet.points
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
    axes: Axes,
    genome: Genome,
    leads: pl.DataFrame,
    axis: StrengthAxis,
    named: set[str],
    sheet: Sheet,
) -> None:
    """Mark the lead variants and write their names above them."""
    x = genome.x[leads["row"].to_numpy()]
    y = leads["neg_log_10_p_value"].to_numpy()
    axes.plot(x, y, linestyle="none", marker="o", markersize=4, color=ACCENT, zorder=3)
    width, height = sheet.points
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
                "color": GREY,
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
