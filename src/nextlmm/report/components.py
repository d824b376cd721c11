"""Principal components as a figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_DARK, _GREY = "#1b4f72", "#6b6b6b"
_INCHES, _DPI = 4.0, 200
_SMALL = 2_000  # samples, beyond which points are smaller


def draw_components(values: FloatArray, vectors: FloatArray) -> Figure:
    """Draw samples by their first two and next two components, and the eigenvalues.

    Parameters
    ----------
    values : (d,) eigenvalues of the relationship matrix, whose sum is that of all n.
    vectors : (n, d) components.
    """
    n, d = vectors.shape
    pairs = [(first, first + 1) for first in (0, 2) if first + 1 < d]
    width = _INCHES * (len(pairs) + 1)
    figure = Figure(figsize=(width, _INCHES), dpi=_DPI, layout="constrained")
    panels = figure.subplots(1, len(pairs) + 1, squeeze=False)[0]
    for axes, (first, second) in zip(panels, pairs, strict=False):
        axes.plot(
            vectors[:, first],
            vectors[:, second],
            linestyle="none",
            marker="o",
            markersize=3.0 if n <= _SMALL else 1.5,
            markeredgewidth=0,
            alpha=0.6,
            color=_DARK,
        )
        axes.set_xlabel(_name(first, values, n))
        axes.set_ylabel(_name(second, values, n))
        _dress(axes)
        axes.locator_params(nbins=5)
    scree = panels[-1]
    scree.plot(np.arange(1, d + 1), values, marker="o", markersize=4, linewidth=0.8, color=_DARK)
    scree.set_xlabel("component")
    scree.set_ylabel("eigenvalue (mean of all: 1)")
    scree.set_xticks(np.unique(np.linspace(1, d, min(d, 10)).round().astype(int)))
    scree.set_ylim(bottom=0)
    _dress(scree)
    return figure


def _name(number: int, values: FloatArray, n: int) -> str:
    return f"PC{number + 1} ({100 * values[number] / n:.2g} %)"


def _dress(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(_GREY)
    axes.tick_params(labelsize=8)
