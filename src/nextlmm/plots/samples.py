"""The samples of a result: their components and their relationships."""

from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from nextlmm.errors import UsageError
from nextlmm.plots.axes import figure_of, open_axes
from nextlmm.plots.results import shown
from nextlmm.report.figures import Sheet, dress
from nextlmm.run.analysis import Analysis
from nextlmm.run.arrays import square_matrix
from nextlmm.run.pipeline import GwasRun
from nextlmm.run.portrait import portray_components, portray_genotypes, portray_matrix

_COLOURS = "cividis"  # even in lightness, and alike for every kind of colour vision
_COMPONENTS = Sheet((5.0, 4.4), {"left": 0.15, "right": 0.975, "bottom": 0.12, "top": 0.91})
_RELATIONSHIPS = Sheet((5.6, 5.2), {"left": 0.03, "right": 0.86, "bottom": 0.09, "top": 0.92})
_RANK_SHARE, _SMALLEST_RANK = 0.35, 6.0  # of its block, in points: no smaller one can be read


def components(
    result: Any = None,
    *,
    k: Any = None,
    genotypes: Any = None,
    x: int = 1,
    y: int = 2,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the samples in two principal components of their relationship matrix.

    A component is an eigenvector times the root of its eigenvalue; the axes say which share of the
    variance of the genotypes it holds. Colours are places in the order of :func:`relationships`.
    At most 2,000 samples are drawn, evenly chosen.

    Parameters
    ----------
    result : what ``nextlmm.gwas`` with a report returns, or ``nextlmm.associate`` where its route
        needed components.
    k : in place of a result, a relationship matrix, (n, n).
    genotypes : in place of a result, dosages to make it of, (n, m).
    x, y : which components, from 1 on.
    trait, title, size, ax : as for :func:`nextlmm.plots.manhattan`.

    Raises
    ------
    UsageError
        If the result does not hold them.

    Cost: that of the matrix and four of its eigenvectors where it is given.
    """
    name, found = _structure(result, k, genotypes, trait)
    coordinates, shares = found["components"], found["shares"]
    if not all(1 <= each <= len(coordinates) for each in (x, y)):
        raise UsageError(
            f"x and y are {x} and {y}, and there are {len(coordinates)} components; expected "
            "numbers of these, from 1 on"
        )
    axes, _ = open_axes(ax, size, _COMPONENTS)
    dress(axes, name if title is None else title)
    order = np.linspace(0.0, 1.0, len(coordinates[0]))
    axes.scatter(coordinates[x - 1], coordinates[y - 1], c=order, cmap=_COLOURS, s=9, linewidths=0)
    for number, write in ((x, axes.set_xlabel), (y, axes.set_ylabel)):
        write(f"component {number} ({100 * shares[number - 1]:.1f} %)")
    return figure_of(axes)


def relationships(
    result: Any = None,
    *,
    k: Any = None,
    genotypes: Any = None,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the relationship matrix with its samples in the order of the hierarchy.

    Each cell is the mean relationship of two stretches of samples, a sample with itself left out.
    Frames are the blocks of the hierarchy; a number is the rank by which a block is kept.

    Parameters
    ----------
    result : what ``nextlmm.gwas`` with a report returns.
    k : in place of a result, a relationship matrix, (n, n).
    genotypes : in place of a result, dosages to make it of, (n, m).
    trait, title, size, ax : as for :func:`nextlmm.plots.manhattan`.

    Raises
    ------
    UsageError
        If the result does not hold them.
    """
    name, found = _structure(result, k, genotypes, trait)
    if "cells" not in found:
        raise UsageError(_not_held("the relationships"))
    axes, sheet = open_axes(ax, size, _RELATIONSHIPS)
    dress(axes, name if title is None else title)
    n, top = found["n"], found["top"]
    scale = ScalarMappable(Normalize(0.0, top, clip=True), _COLOURS)
    pixels = scale.to_rgba(np.array(found["cells"], dtype=float))
    axes.imshow(pixels, extent=(0, n, n, 0), interpolation="nearest", aspect="equal")
    _draw_blocks(axes, found, min(sheet.points))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"{n:,} samples in the order of the hierarchy", fontsize=9)
    bar = axes.figure.colorbar(scale, ax=axes, fraction=0.04, pad=0.02, ticks=[0.0, top])
    bar.ax.set_yticklabels(["0 or\nless", f"{top:.3g} or\nmore"], fontsize=8)
    bar.outline.set_visible(False)
    return figure_of(axes)


def _draw_blocks(axes: Axes, found: dict[str, Any], points: float) -> None:
    """Frames of the blocks on both sides of the diagonal, and their ranks above it."""
    n = found["n"]
    frames = []
    for start, middle, stop, rank in found["blocks"]:
        frames += [
            Rectangle((middle, start), stop - middle, middle - start),
            Rectangle((start, middle), middle - start, stop - middle),
        ]
        size = _RANK_SHARE * points * min(middle - start, stop - middle) / n
        if rank is not None and size >= _SMALLEST_RANK:
            axes.text(
                (middle + stop) / 2,
                (start + middle) / 2,
                str(rank),
                ha="center",
                va="center",
                color="white",
                fontsize=min(14.0, size),
                path_effects=[withStroke(linewidth=1.2, foreground="#10202f")],
            )
    axes.add_collection(
        PatchCollection(frames, facecolor="none", edgecolor="white", alpha=0.75, linewidth=0.7)
    )


def _structure(
    result: Any, k: Any, genotypes: Any, trait: str | None
) -> tuple[str, dict[str, Any]]:
    """The picture of the samples that a run kept, or that of what is given in its place."""
    given = [each is not None for each in (result, k, genotypes)]
    if sum(given) != 1:
        raise UsageError(
            f"{sum(given)} of a result, k and genotypes are given; expected one of them"
        )
    if k is not None:
        return "", portray_matrix(square_matrix(k))
    if genotypes is not None:
        return "", portray_genotypes(genotypes)
    if isinstance(result, Analysis):
        if result.structure is None or result.structure.components is None:
            raise UsageError(_not_held("the components of the samples"))
        return "", portray_components(result.null.n, result.structure.components)
    if not isinstance(result, GwasRun):
        raise UsageError(
            f"a plot of samples got an object of type {type(result).__name__}; expected what "
            "nextlmm.gwas returns, or k= or genotypes="
        )
    found = shown(result, trait)
    structure = found.portrait.get("structure")
    if structure is not None and "same_as" in structure:
        structure = shown(result, structure["same_as"]).portrait["structure"]
    if structure is None:
        raise UsageError(_not_held("the structure of the samples"))
    return found.name, cast("dict[str, Any]", structure)


def _not_held(what: str) -> str:
    return (
        f"the result does not hold {what}; expected that of nextlmm.gwas with a report, or in its "
        "place the relationship matrix by k= or dosages by genotypes="
    )
