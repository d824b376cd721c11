"""How often each genotype occurs, and the moments that follow from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class GenotypeCounts:
    """Counts of called genotypes per variant over some samples, each (m,) int64.

    Attributes
    ----------
    n_called : samples with a genotype.
    n_one : samples with one copy of the effect allele.
    n_two : samples with two copies.
    """

    n_called: NDArray[np.int64]
    n_one: NDArray[np.int64]
    n_two: NDArray[np.int64]
