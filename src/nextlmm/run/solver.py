"""Two ways to treat a relationship matrix: keep it exact, or compress it and say what that cost."""

from dataclasses import dataclass, field
from typing import Protocol

from nextlmm.linalg.covariance import Covariance, FloatArray
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.hodlr import MergedFactor
from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance, tree_of
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.linalg.tree import ClusterTree, Node
from nextlmm.lmm.estimate import estimate_null, estimate_null_dense, estimate_null_hodlr
from nextlmm.lmm.null import NullModel
from nextlmm.run.kept import Kept
from nextlmm.run.model import Model


@dataclass(frozen=True, eq=False)
class Fitted:
    """A matrix ready for a scan and the null model that goes with it.

    Attributes
    ----------
    covariance : K as the scan uses it.
    null : the null model on it.
    exact : K itself, where ``covariance`` only approximates it; None if it is exact.
    exact_null : the null model on the exact matrix; the same object as ``null`` if exact.
    tree : the tree that a compressed matrix ended with; None if it was not compressed.
    """

    covariance: Covariance
    null: NullModel
    exact: DenseCovariance | None
    exact_null: NullModel
    tree: Node | None = None


class Solver(Protocol):
    """How a matrix becomes something to scan with."""

    def fit(self, k: FloatArray) -> Fitted:
        """Estimate the null model on ``k`` (n, n), whose storage may be taken over."""

    def at(self, k: FloatArray, whole: Fitted) -> Fitted:
        """Take over the null model of ``whole`` for a similar matrix, as LOCO does."""


@dataclass(frozen=True, eq=False)
class ExactSolver:
    """Dense algebra: tridiagonal form for the heritability, a Cholesky factor for the tests."""

    y: FloatArray
    covariates: FloatArray
    model: Model
    kept: Kept = field(default_factory=Kept)

    def fit(self, k: FloatArray) -> Fitted:
        """REML, ML or moments on K; eigenvectors only if every variant is to have its own h2."""
        if self.model.per_variant_h2 == "always":
            covariance: Covariance = spectral_covariance(k, overwrite=True)
            null = estimate_null(self.y, self.covariates, covariance, method=self.model.method)
        else:
            covariance = DenseCovariance(k)
            null = self.kept.once(
                "null model",
                (k[:, 0], k.diagonal()),  # which tell the matrices of a run from each other
                lambda: estimate_null_dense(self.y, self.covariates, k, method=self.model.method),
                NullModel,
            )
        return Fitted(covariance, null, None, null)

    def at(self, k: FloatArray, whole: Fitted) -> Fitted:
        """Only as much algebra as the tests need: n^3/3 operations unless each has its own h2."""
        own = self.model.per_variant_h2 == "always"
        covariance = spectral_covariance(k, overwrite=True) if own else DenseCovariance(k)
        return Fitted(covariance, whole.null, None, whole.null)


@dataclass(frozen=True, eq=False)
class CompressedSolver:
    """The hierarchical factor, with the exact answer beside it as the measure of its error."""

    y: FloatArray
    covariates: FloatArray
    model: Model
    budget: Budget
    tree: ClusterTree

    def fit(self, k: FloatArray) -> Fitted:
        """Fit on the compressed matrix; on the exact one too unless nothing was compressed."""
        fit = estimate_null_hodlr(
            self.y,
            self.covariates,
            k,
            self.tree,
            budget=self.budget,
            method=self.model.method,
            seed=self.model.seed,
        )
        exact_null = fit.null
        if isinstance(fit.covariance.built, MergedFactor):
            exact_null = estimate_null_dense(self.y, self.covariates, k, method=self.model.method)
        tree = tree_of(fit.covariance.built)
        return Fitted(fit.covariance, fit.null, DenseCovariance(k), exact_null, tree)

    def at(self, k: FloatArray, whole: Fitted) -> Fitted:
        """Build at the shared h2, on the tree that the whole matrix ended with."""
        covariance = hodlr_covariance(
            k,
            whole.tree or self.tree,
            self.budget,
            weight=whole.null.h2,
            seed=self.model.seed,
        )
        return Fitted(covariance, whole.null, DenseCovariance(k), whole.exact_null, whole.tree)
