"""The likelihood of a trait for every h2, from Krylov spaces of K instead of a factor.

With Q the projection that removes the covariates C, an orthonormal basis Qc of them, u = Q y,
B = Q K Q and A = h B + (1 - h) I on the range of Q, everything follows from A:

    y'Py = u'A^-1 u                           log|Sigma| + log|Qc' Sigma^-1 Qc| = log|A|
    (Qc' Sigma^-1 Qc)^-1 = S = h Qc'K Qc + (1 - h) I - h^2 R'A^-1 R,      R = Q K Qc
    effects of Qc on u = -h R'A^-1 u

(the Schur complement of A in the rotated Sigma).  K 1 = 0 makes the intercept's column of R zero,
and it costs nothing.  The forms of A^-1 come from Lanczos processes started at u and R, the
logarithm from ``trace_curve``; none is run again when h changes (Border and Becker 2019).
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.lanczos import IntArray, Jacobi
from nextlmm.lmm.design import Design
from nextlmm.lmm.likelihood import gaussian_part
from nextlmm.lmm.trace_curve import TraceCurve, inverse_shifted


@dataclass(frozen=True, eq=False)
class KrylovFit:
    """A trait at one h2; the fields as in ``likelihood.WhitenedTrait``, without its arrays."""

    h2: float
    n: int
    n_covariates: int
    ypy: float
    logdet_sigma: float
    logdet_design: float
    effect: FloatArray
    effect_scale: FloatArray

    @property
    def log_likelihood_ml(self) -> float:
        """Log-likelihood, maximal over the effects and sigma2."""
        return -0.5 * (self.logdet_sigma + gaussian_part(self.ypy, self.n))

    @property
    def log_likelihood_reml(self) -> float:
        """Restricted log-likelihood, maximal over sigma2."""
        part = gaussian_part(self.ypy, self.n - self.n_covariates)
        return -0.5 * (self.logdet_sigma + self.logdet_design + part)


@dataclass(frozen=True, eq=False)
class CenteredTrait:
    """A trait apart from its covariates: y = mean + Qc start + u.

    residual : u, (n,).
    start : (c,); mean : of y, 0 without an intercept.
    """

    design: Design
    residual: FloatArray
    start: FloatArray
    mean: float


def centre_trait(y: FloatArray, design: Design) -> CenteredTrait:
    """The trait's part outside the covariates, and what was taken out."""
    centred, mean = design.centre(y)
    start = design.basis.T @ centred
    return CenteredTrait(design, design.project(centred), start, float(mean))


class ShiftedForms:
    """L'(h B + (1 - h) I)^-1 L for every h, L = [u, R] (n, l), from one process for each column.

    ``known`` are the tridiagonal matrices, ``recorded`` (l, m) the products of L with the Lanczos
    vectors of each.  The diagonal is Gauss quadrature, a lower bound with an error of second order.
    """

    def __init__(self, known: tuple[Jacobi, ...], recorded: tuple[FloatArray, ...]) -> None:
        self._nodes: list[FloatArray] = []
        self._weights: list[FloatArray] = []
        self._left: list[FloatArray] = []
        for jacobi, products in zip(known, recorded, strict=True):
            nodes, vectors = linalg.eigh_tridiagonal(jacobi.main, jacobi.off)
            self._nodes.append(np.asarray(nodes))
            self._weights.append((jacobi.norm * vectors[0]) ** 2)
            self._left.append((products @ vectors) * (jacobi.norm * vectors[0]))

    def diagonal(self, h: FloatArray) -> FloatArray:
        """(l, h) the forms of each column with itself."""
        pairs = zip(self._nodes, self._weights, strict=True)
        return np.array([inverse_shifted(h, nodes) @ weights for nodes, weights in pairs])

    def at(self, h: FloatArray) -> FloatArray:
        """(h, l, l) all forms at each of ``h``."""
        pairs = zip(self._nodes, self._left, strict=True)
        forms = np.stack([inverse_shifted(h, nodes) @ left.T for nodes, left in pairs], axis=-1)
        forms = (forms + forms.transpose(0, 2, 1)) / 2.0
        own = np.arange(forms.shape[1])
        forms[:, own, own] = self.diagonal(h).T
        return np.asarray(forms)


@dataclass(frozen=True, eq=False)
class ShiftedSolution:
    """About A^-1 u for every h, from the process of u.

    known : its tridiagonal matrix; vectors : (n, m), its Lanczos vectors.
    """

    known: Jacobi
    vectors: FloatArray

    def at(self, h: float) -> FloatArray:
        """The solution of the projected system, (n,), that of conjugate gradients after m steps."""
        nodes, rotation = linalg.eigh_tridiagonal(self.known.main, self.known.off)
        weights = self.known.norm * rotation[0] * inverse_shifted(np.array([h]), nodes)[0]
        return np.asarray(self.vectors @ (rotation @ weights))


@dataclass(frozen=True, eq=False)
class KrylovLikelihood:
    """The likelihood as a function of h2; see the head of the module.

    trait : the trait and its design.
    k_basis : Qc'K Qc, (c, c).
    coupled : (r,) columns of Qc whose column of R is not zero.
    forms : of [u, R] with its r columns.
    trace : log|A|.
    """

    trait: CenteredTrait
    k_basis: FloatArray
    coupled: IntArray
    forms: ShiftedForms
    trace: TraceCurve

    def log_likelihoods(self, h2: float) -> tuple[float, float]:
        """REML and ML."""
        fit = self.fit(h2)
        return fit.log_likelihood_reml, fit.log_likelihood_ml

    def fit(self, h2: float) -> KrylovFit:
        """All that is known at ``h2``; microseconds."""
        design, at = self.trait.design, np.array([h2])
        forms = self.forms.at(at)[0]
        schur = self._schur(at, forms[None])[0]
        sign, logdet_schur = np.linalg.slogdet(schur)
        if not sign > 0.0:
            raise NotPositiveDefiniteError(
                "the relationship matrix is not positive semidefinite along the covariates; "
                "expected one without negative eigenvalues; check where the matrix comes from"
            )
        in_covariates = linalg.solve_triangular(design.triangle, np.eye(design.n_covariates))
        shift = self.trait.start.copy()
        shift[self.coupled] -= h2 * forms[1:, 0]
        effect = in_covariates @ shift
        if design.intercept is not None:
            effect[0] += self.trait.mean / design.intercept
        variance = np.einsum("ij,jk,ik->i", in_covariates, schur, in_covariates)
        log_a = float(self.trace.values(at)[0])
        return KrylovFit(
            h2=h2,
            n=design.n,
            n_covariates=design.n_covariates,
            ypy=float(forms[0, 0]),
            logdet_sigma=log_a + float(logdet_schur),
            logdet_design=-float(logdet_schur),
            effect=effect,
            effect_scale=np.sqrt(variance),
        )

    def logdet_schur(self, h: FloatArray) -> FloatArray:
        """(h,) log|S|, -inf where S is not positive definite, as before forms are accurate."""
        sign, logdet = np.linalg.slogdet(self._schur(h, self.forms.at(h)))
        return np.asarray(np.where(sign > 0.0, logdet, -np.inf))

    def _schur(self, h: FloatArray, forms: FloatArray) -> FloatArray:
        weight = h[:, None, None]
        schur = weight * self.k_basis + (1.0 - weight) * np.eye(len(self.k_basis))
        rows, columns = np.ix_(self.coupled, self.coupled)
        schur[:, rows, columns] -= weight**2 * forms[:, 1:, 1:]
        return np.asarray(schur)
