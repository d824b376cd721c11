"""Haseman-Elston regression from products alone: its traces by random vectors.

With A = M K M, M the projection off covariates and components, tr M and tr A are known exactly, and
only tr A^2 is random in the estimate: the mean over random signs v of |A v|^2, less a multiple of
v'v and of v'A v, whose means are known.  tr A^3 and tr A^4 enter its standard error only, for which
all traces are plain means: those of one spectrum, so that no variance is negative.
"""

from dataclasses import dataclass

import numpy as np

from nextlmm.linalg.covariance import FloatArray, SymmetricOperator
from nextlmm.lmm.haseman_elston import HasemanElstonEstimate, Traces, from_moments
from nextlmm.lmm.krylov import CenteredTrait

BATCH = 32
MOST = 1024
_FLAT = 1e-10  # relative variance of a spectrum below which only rounding is left


@dataclass(frozen=True, eq=False)
class MomentsFound:
    """The estimate, the Monte-Carlo standard error of its raw h2, and columns through K."""

    estimate: HasemanElstonEstimate
    mc_error: float
    n_products: int


def haseman_elston_products(
    trait: CenteredTrait,
    operator: SymmetricOperator,
    components: FloatArray,
    *,
    rng: np.random.Generator,
    tolerance: float,
) -> MomentsFound:
    """Estimate h2 from two moments, with random vectors until its error is small.

    Parameters
    ----------
    trait : the trait without its covariates.
    operator : K.
    components : (n, k), orthonormal, orthogonal to the covariates; removed.
    tolerance : Monte-Carlo standard error of h2, in standard errors of h2, to aim for; at most
        1,024 vectors are tried.

    Raises
    ------
    NumericalError
        As ``haseman_elston``.

    Cost: 2 columns through K for each vector, usually 64 to 200 of them.
    """
    removed = np.hstack((trait.design.basis, components))
    image = operator.matmul(removed)
    total = float(operator.diagonal().sum() - np.einsum("ij,ij->", removed, image))
    residual = trait.residual - components @ (components.T @ trait.residual)
    moments = np.array([residual @ residual, residual @ operator.matmul(residual)])
    forms = np.empty((0, 5))
    while True:
        forms = np.vstack((forms, _forms(operator, removed, rng)))
        traces, error = _traces(forms, float(len(removed) - removed.shape[1]), total)
        estimate = from_moments(traces, moments, components.shape[1], Traces(*forms.mean(axis=0)))
        system = np.array([[traces.one, traces.zero], [traces.two, traces.one]])
        shift = np.linalg.solve(system, np.array([0.0, -estimate.sigma_g2 * error]))
        whole = estimate.sigma_g2 + estimate.sigma_e2
        share = estimate.h2_raw
        mc_error = abs(float((1.0 - share) * shift[0] - share * shift[1]) / whole)
        if mc_error <= tolerance * estimate.h2_se or len(forms) >= MOST:
            products = removed.shape[1] + 1 + 2 * len(forms)
            return MomentsFound(estimate, mc_error, products)


def _forms(
    operator: SymmetricOperator, removed: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """v'v, v'A v, v'A^2 v, v'A^3 v, v'A^4 v of some random vectors, (vectors, 5)."""

    def project(x: FloatArray) -> FloatArray:
        return np.asarray(x - removed @ (removed.T @ x))

    v = project(np.where(rng.integers(0, 2, size=(len(removed), BATCH)), 1.0, -1.0))
    once = project(operator.matmul(v))
    twice = project(operator.matmul(once))
    pairs = ((v, v), (v, once), (once, once), (once, twice), (twice, twice))
    return np.array([np.einsum("ij,ij->j", a, b) for a, b in pairs]).T


def _traces(forms: FloatArray, zero: float, one: float) -> tuple[Traces, float]:
    """Traces of the powers of A, and the standard error of that of A^2.

    The line closest to x^2 in the spectral density of A follows from the traces of lower powers.
    """
    mean = forms.mean(axis=0)
    first, second, third = mean[1:4] / mean[0]
    variance = second - first**2
    flat = variance <= _FLAT * second
    slope = 0.0 if flat else (third - first * second) / variance
    level = second - slope * first
    rest = forms[:, 2] - slope * forms[:, 1] - level * forms[:, 0]
    two = float(rest.mean() + slope * one + level * zero)
    error = float(rest.std(ddof=1) / np.sqrt(len(rest)))
    return Traces(zero, one, two, float(mean[3]), float(mean[4])), error
