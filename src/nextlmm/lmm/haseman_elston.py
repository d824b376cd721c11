"""Heritability by the method of moments: two quadratic forms matched to their expectations.

With M the projection that removes the covariates and the dominant components of K,

    E y'M y    = sigma_g2 tr(M K)      + sigma_e2 tr(M)
    E y'M K M y = sigma_g2 tr(M K M K) + sigma_e2 tr(M K)

Regressing products y_i y_j on K_ij (Haseman and Elston 1972; the shared-ratio estimate of NExt-LMM)
is the same without removing components, and four to six times as variable in structured samples:
the few large eigenvalues dominate tr(KK) but carry few degrees of freedom.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from nextlmm.errors import ConvergenceError, NumericalError
from nextlmm.linalg.covariance import Covariance, FloatArray, SymmetricOperator
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.null import Boundary, checked_trait

BLOCK = 512  # columns of the identity taken through K at a time
H2_LIMIT = 1.0 / (1.0 + 1e-5)  # largest h2 that a covariance is factored at, as in REML
LARGEST_SHARE = 0.1  # of the samples' degrees of freedom that components may take


@dataclass(frozen=True)
class HasemanElstonEstimate:
    """Heritability by moments.

    h2 : in [0, 1), the raw estimate cut to the range.
    h2_se : standard error of the raw estimate under a Gaussian model with h2.
    h2_raw : sigma_g2 / (sigma_g2 + sigma_e2) as the moments give it; may lie outside [0, 1].
    boundary : "lower" or "upper" if the raw estimate lies outside.
    sigma_g2, sigma_e2 : raw solution of the two equations, in squared trait units.
    n_components : components of K removed.
    """

    h2: float
    h2_se: float
    h2_raw: float
    boundary: Boundary | None
    sigma_g2: float
    sigma_e2: float
    n_components: int


@dataclass(frozen=True)
class Traces:
    """Traces of the powers of A = M K M: tr M, tr A, tr A^2, tr A^3, tr A^4."""

    zero: float
    one: float
    two: float
    three: float
    four: float


def haseman_elston(
    y: FloatArray, covariates: FloatArray, covariance: Covariance, *, n_components: int = 20
) -> HasemanElstonEstimate:
    """Estimate h2 from two moments, without a factorisation.

    Parameters
    ----------
    y, covariates : (n,) and (n, c) with the intercept.
    covariance : K; only its products with vectors are used.
    n_components : dominant components of K to remove, at most a tenth of n - c; 0 for the
        regression of the literature.

    Raises
    ------
    DesignError, TraitError
        If the covariates are dependent, or explain the trait completely.
    NumericalError
        If K does not differ from a multiple of the identity once the components are removed.

    Cost : two products of K with n vectors, O(n^3) for a dense K, in blocks of 512 columns; the
    traces are exact.
    """
    design = make_design(covariates)
    y = checked_trait(y, design)
    allowed = int(LARGEST_SHARE * (design.n - design.n_covariates))
    n_removed = max(min(n_components, allowed), 0)
    removed = basis_with_components(covariance, design, n_removed)
    traces = _traces(covariance, removed)
    centred, _ = design.centre(y)
    residual = centred - removed @ (removed.T @ centred)
    moments = np.array([residual @ residual, residual @ covariance.matmul(residual)])
    return from_moments(traces, moments, n_removed)


def from_moments(
    traces: Traces, moments: FloatArray, n_removed: int, spread: Traces | None = None
) -> HasemanElstonEstimate:
    """The estimate from the traces and y'M y, y'M K M y, ``moments`` (2,).

    ``spread`` are traces of one spectrum, for the standard error, where those of the estimate are
    known each in its own way.

    Raises
    ------
    NumericalError
        If the two equations are dependent.
    """
    system = np.array([[traces.one, traces.zero], [traces.two, traces.one]])
    if not abs(np.linalg.det(system)) > 1e-10 * traces.zero * traces.two:
        raise NumericalError(
            "heritability cannot be estimated by moments: without covariates and "
            f"{n_removed} components the relationship matrix is a multiple of the identity; "
            "expected related samples; check the relationship matrix"
        )
    genetic, other = np.linalg.solve(system, moments)
    raw = float(genetic / (genetic + other))
    h2 = min(max(raw, 0.0), H2_LIMIT)
    return HasemanElstonEstimate(
        h2=h2,
        h2_se=_standard_error(spread or traces, system, h2),
        h2_raw=raw,
        boundary="lower" if raw < 0.0 else "upper" if raw > H2_LIMIT else None,
        sigma_g2=float(genetic),
        sigma_e2=float(other),
        n_components=n_removed,
    )


def basis_with_components(
    covariance: SymmetricOperator, design: Design, n_components: int
) -> FloatArray:
    """Orthonormal basis, (n, c + k), of the covariates and the top eigenvectors of Q1 K Q1."""
    if n_components == 0:
        return design.basis

    def product(x: FloatArray) -> FloatArray:
        return design.project(covariance.matmul(design.project(x)))

    n = design.n
    operator = LinearOperator((n, n), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n)  # fixed: the same answer every time
    try:
        _, vectors = eigsh(operator, k=n_components, which="LA", v0=start)
    except ArpackNoConvergence as error:
        raise ConvergenceError(
            f"the {n_components} dominant components of the relationship matrix of {n} samples "
            f"were not found ({len(error.eigenvalues)} converged); expected a spectrum with "
            "distinct leading eigenvalues; ask for fewer components"
        ) from error
    basis, _ = linalg.qr(np.column_stack((design.basis, vectors)), mode="economic")
    return np.asarray(basis)


def _traces(covariance: Covariance, removed: FloatArray) -> Traces:
    n = len(removed)
    sums = np.zeros(4)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        columns = -removed @ removed[start:stop].T
        columns[np.arange(start, stop), np.arange(stop - start)] += 1.0
        once = _projected(covariance.matmul(columns), removed)
        twice = _projected(covariance.matmul(once), removed)
        sums += (
            np.vdot(columns, once),
            np.vdot(once, once),
            np.vdot(once, twice),
            np.vdot(twice, twice),
        )
    return Traces(float(n - removed.shape[1]), *(float(value) for value in sums))


def _projected(x: FloatArray, removed: FloatArray) -> FloatArray:
    return np.asarray(x - removed @ (removed.T @ x))


def _standard_error(traces: Traces, system: FloatArray, h2: float) -> float:
    """Standard error of the raw h2 if y has covariance h2 K + (1 - h2) I.

    Gaussian quadratic forms have cov(y'Ay, y'By) = 2 tr(A S B S) with S the covariance of M y;
    the ratio follows by the delta method.
    """
    g, e = h2, 1.0 - h2

    def form(power: int) -> float:  # tr(A^power S^2) / A^0 = M
        t = (traces.zero, traces.one, traces.two, traces.three, traces.four)
        return e * e * t[power] + 2.0 * g * e * t[power + 1] + g * g * t[power + 2]

    covariance = 2.0 * np.array([[form(0), form(1)], [form(1), form(2)]])
    gradient = np.array([e, -g])  # of g / (g + e) at g + e = 1
    weights = np.linalg.solve(system.T, gradient)
    return float(np.sqrt(weights @ covariance @ weights))
