"""Which variants a page shows of ten million, so that the picture stays the same."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_ALL_FROM = 3.0  # -log10 p from which on every variant is kept, if there is room for all
_STRONG_SHARE = 0.3  # of the places, for the strongest
_SHAPE = 9.0  # columns for a row of the net over the others, which fill a wide and low strip


def worth_showing(x: FloatArray, strength: FloatArray, places: int) -> IndexArray:
    """Rows, ascending, of at most ``places`` variants that look like all of them.

    The strongest are all kept, down to p = 0.001 or to three tenths of the places; over the others
    a net is laid, and the first variant in each of its meshes is kept.

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
    first = np.full(columns * rows, -1, dtype=np.intp)
    first[mesh[::-1]] = below[::-1]  # of several written to one place, the last one stays
    return np.sort(np.concatenate([above, first[first >= 0]]))
