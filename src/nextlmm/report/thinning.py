"""Which variants a page shows of ten million, so that the picture stays the same."""

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_ALL_FROM = 3.0  # -log10 p from which on every variant is kept, if there is room for all
_STRONG_SHARE = 0.3  # of the places, for the strongest
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
_SHAPE = 9.0  # columns for a row of the net over the others, which fill a wide and low strip


def worth_showing(x: FloatArray, strength: FloatArray, places: int) -> IndexArray:
    """Rows, ascending, of at most ``places`` variants that look like all of them.

    The strongest are all kept, down to p = 0.001 or to three tenths of the places; over the others
    a net is laid, and a variant from anywhere in each of its meshes is kept.

    Parameters
    ----------
    x : (m,) place in the genome, from 0 to 1.
    strength : (m,) -log10 p, no NaN.
    places : at least 100.

    Cost: a partial sort and a pass over the variants.
    """
    m = len(x)
    if m <= places:
        return np.arange(m)
    strong = int(_STRONG_SHARE * places)
    cut = max(_ALL_FROM, float(np.partition(strength, m - strong)[m - strong]))
    above = np.flatnonzero(strength > cut)
    rows = int(np.sqrt((places - strong) / _SHAPE))
    columns = (places - strong) // rows
    below = np.flatnonzero(strength <= cut)
    mesh = np.minimum((x[below] * columns).astype(np.intp), columns - 1) * rows
    mesh += np.minimum((strength[below] / cut * rows).astype(np.intp), rows - 1)
    kept = np.full(columns * rows, -1, dtype=np.intp)
    mixed = _mixed(len(below))
    kept[mesh[mixed]] = below[mixed]  # of several written to one place, the last one stays
    return np.sort(np.concatenate([above, kept[kept >= 0]]))


def _mixed(n: int) -> IndexArray:
    """0 to n - 1 in an order in which neighbours are far apart, without a random number."""
    step = max(1, round(_GOLDEN * n))
    while math.gcd(step, n) > 1:
        step += 1
    return np.arange(n) * step % max(n, 1)
