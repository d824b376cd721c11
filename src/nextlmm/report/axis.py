"""The axis of -log10 p, compressed at the top where a few values would flatten all others."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

_MUCH = 15.0  # thresholds high, the largest value lets the threshold fall on the lowest twelfth
_KNEE = 3.0  # thresholds high, up to where the axis is stretched
_LOWER_SHARE = 0.6  # of the axis, below the knee


@dataclass(frozen=True)
class StrengthAxis:
    """How high -log10 p is drawn.

    Attributes
    ----------
    top : the largest value that must fit.
    knee : where the scale changes, both parts being linear; None if it does not.
    """

    top: float
    knee: float | None = None

    def fraction(self, value: FloatArray) -> FloatArray:
        """Height of ``value`` as a share of the axis; ``top`` is at 1."""
        if self.knee is None:
            return np.asarray(value) / self.top
        lower = _LOWER_SHARE * np.asarray(value) / self.knee
        upper = (np.asarray(value) - self.knee) / (self.top - self.knee)
        return np.where(lower <= _LOWER_SHARE, lower, _LOWER_SHARE + (1 - _LOWER_SHARE) * upper)

    def value(self, fraction: FloatArray) -> FloatArray:
        """What `fraction` undoes."""
        if self.knee is None:
            return np.asarray(fraction) * self.top
        share = np.asarray(fraction)
        lower = share / _LOWER_SHARE * self.knee
        upper = (share - _LOWER_SHARE) / (1 - _LOWER_SHARE) * (self.top - self.knee)
        return np.where(share <= _LOWER_SHARE, lower, self.knee + upper)


def strength_axis(largest: float, threshold: float) -> StrengthAxis:
    """The axis for values up to ``largest`` with a line at ``threshold``, both as -log10 p.

    It is linear unless the threshold would be too low to tell what is below it from zero.
    """
    top = 1.08 * max(largest, 1.1 * threshold)
    if largest <= _MUCH * threshold:
        return StrengthAxis(top)
    return StrengthAxis(top, knee=5.0 * math.ceil(_KNEE * threshold / 5.0))


def apply_axis(axes: "Axes", axis: StrengthAxis, colour: str) -> None:
    """Give the vertical axis its scale and ticks, and say where the scale changes."""
    axes.set_ylim(0, axis.top)
    if axis.knee is None:
        return
    # Only figures need the plotting library; the axis itself is needed without it.
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axes.set_yscale("function", functions=(axis.fraction, axis.value))
    axes.set_ylim(0, axis.top)
    below = MaxNLocator(4, integer=True).tick_values(0, axis.knee)
    above = MaxNLocator(4, integer=True).tick_values(axis.knee, axis.top)
    clear = axis.knee + 0.08 * (axis.top - axis.knee)
    ticks = [tick for tick in below if 0 <= tick <= axis.knee]
    ticks += [tick for tick in above if clear < tick <= axis.top]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.axhline(axis.knee, color=colour, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    axes.annotate(
        f"axis compressed above {axis.knee:g}",
        (0.0, axis.knee),
        xycoords=("axes fraction", "data"),
        xytext=(3, 2),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=7,
        color=colour,
    )
