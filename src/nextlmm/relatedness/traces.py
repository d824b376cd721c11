"""What every variant adds to the trace of the relationship matrix, without a look at genotypes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import VariantError
from nextlmm.genotype.summary import VariantSummary
from nextlmm.relatedness.grm import Scaling

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


def column_moments(
    variants: IndexArray, scaling: Scaling, summary: VariantSummary, n: int
) -> tuple[FloatArray, FloatArray]:
    """Mean of each column of Z over the analysed samples, and its sum of squares about it; (b,).

    With d the difference between the means of the called dosages of the analysed samples and of
    those that the scaling comes from, v the variance and c the number of calls among the analysed,
    the mean is ``scale c d / n`` and the sum of squares ``scale^2 (n v + d^2 c (n - c) / n)``.

    Parameters
    ----------
    variants : positions of the variants.
    scaling : how dosages are standardised.
    summary : of all variants over the n analysed samples.
    """
    scale, called = scaling.scale[variants], summary.n_called[variants].astype(np.float64)
    is_called = called > 0
    difference = np.where(is_called, summary.mean[variants] - scaling.mean[variants], 0.0)
    variance = np.where(is_called, summary.variance[variants], 0.0)
    mean = scale * difference * called / n
    squares = scale**2 * (n * variance + difference**2 * called * (n - called) / n)
    return mean, squares


@dataclass(frozen=True, eq=False)
class Traces:
    """Traces of Q Z Z' Q over all variants and without each chromosome.

    Attributes
    ----------
    whole : over all variants.
    without : (n_chromosomes,) without each of them; each is a sum over the others, so that no
        genotype of a chromosome touches it.
    n_variants : how many variants there are, for messages.
    """

    whole: float
    without: FloatArray
    n_variants: int

    def of(self, left_out: NDArray[np.intp]) -> FloatArray:
        """The trace for each entry of ``left_out``, -1 for none left out.

        Raises
        ------
        VariantError
            If no variant varies among the samples.
        """
        traces = np.where(left_out < 0, self.whole, np.append(self.without, np.nan)[left_out])
        if not (traces > 0.0).all():
            raise VariantError(
                f"the relationship matrix has no variation: of {self.n_variants} variants none "
                "that is not left out differs between the analysed samples; expected at least one; "
                "check the variant filters and which samples are left"
            )
        return np.asarray(traces)


def traces_of(squares: FloatArray, label: IndexArray, n_chromosomes: int) -> Traces:
    """Traces from the sums of squares of the columns, whose chromosomes are ``label``; (m,)."""
    own = np.bincount(label, weights=squares, minlength=n_chromosomes)
    before = np.concatenate([[0.0], np.cumsum(own)])[:-1]
    after = np.concatenate([np.cumsum(own[::-1])[::-1], [0.0]])[1:]
    return Traces(float(own.sum()), before + after, len(squares))
