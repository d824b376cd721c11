"""Every sample predicted from all others, in closed form.

Leaving a sample out is giving it an effect of its own, which is d_i = (Py)_i / P_ii: the trait less
what the others predict of it, at the same h2.  The covariate effects without the sample follow, and
what is left of the prediction is genetic::

    a_i = (Sigma P y)_i + h_ii d_i      the trait less covariates, fitted without i
    g_i = a_i - d_i                     the genetic value predicted by the others

h_ii = 1 - (Sigma P)_ii is the part of a sample in its own fixed part.  With Sigma = W W',
covariates C = Q T, W^-1 Q = B R and r the whitened residual of ``likelihood``::

    P_ii = |W^-1 e_i|^2 - |B' W^-1 e_i|^2,   h_ii = q_i' R^-1 B' W^-1 e_i,   Sigma P y = W r

Source: the deletion formulas of Cook 1977 for least squares, on whitened data.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.linalg.covariance import CovarianceFactor, FloatArray
from nextlmm.lmm.design import Design
from nextlmm.lmm.likelihood import WhitenedTrait

OWN_COVARIATE = 1e-9
"""Share of a sample that covariates leave where they do not explain it."""

_BLOCK = 512


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Each sample as the others predict it, in units of the trait; (n,) each.

    Attributes
    ----------
    residual : the trait less its prediction from covariates and relatives.
    adjusted : the trait less the part of the covariates.
    genetic : the predicted genetic value, ``adjusted - residual``.

    All are NaN for a sample that a covariate of its own explains, as that of a category with one
    member: without it the effect is not known.
    """

    residual: FloatArray
    adjusted: FloatArray
    genetic: FloatArray

    def __repr__(self) -> str:
        return f"<{np.count_nonzero(self.is_known):,} of {len(self.residual):,} samples predicted>"

    @property
    def is_known(self) -> np.ndarray:
        """Which samples can be predicted without themselves, (n,)."""
        return np.isfinite(self.residual)


def deleted(
    py: FloatArray, conditional: FloatArray, leverage: FloatArray, diagonal: FloatArray
) -> LeaveOneOut:
    """Predict each sample from all others.

    Parameters
    ----------
    py : (k,) Py of the samples.
    conditional : (k,) Sigma P y, the trait less covariates, fitted with the sample.
    leverage : (k,) h_ii.
    diagonal : (k,) P_ii, NaN for samples that cannot be predicted.
    """
    residual = py / diagonal
    adjusted = conditional + leverage * residual
    return LeaveOneOut(residual, adjusted, adjusted - residual)


def leave_one_out(factor: CovarianceFactor, trait: WhitenedTrait, design: Design) -> LeaveOneOut:
    """Predict each sample from all others at the h2 of ``factor``.

    Parameters
    ----------
    factor : of Sigma(h2).
    trait : the trait, whitened with it.
    design : the covariates.

    Cost: whitening of n columns, n^3 operations with a Cholesky factor; no array is n x n.
    """
    triangle = trait.basis.T @ factor.whiten(design.basis)
    on_design = linalg.solve_triangular(triangle, design.basis.T, trans="T", check_finite=False)
    n = design.n
    whole, in_design, leverage = np.empty(n), np.empty(n), np.empty(n)
    for start in range(0, n, _BLOCK):
        at = slice(start, min(start + _BLOCK, n))
        units = np.zeros((n, at.stop - start))
        units[np.arange(start, at.stop), np.arange(at.stop - start)] = 1.0
        white = factor.whiten(units)
        inside = trait.basis.T @ white
        whole[at] = np.einsum("ij,ij->j", white, white)
        in_design[at] = np.einsum("ij,ij->j", inside, inside)
        leverage[at] = np.einsum("ij,ij->j", on_design[:, at], inside)
    diagonal = whole - in_design
    diagonal[diagonal <= OWN_COVARIATE * whole] = np.nan
    return deleted(
        factor.whiten_transposed(trait.residual),
        factor.unwhiten(trait.residual),
        leverage,
        diagonal,
    )
