"""One way to the null model for every method and every form of the relationship matrix."""

from dataclasses import dataclass, replace

from nextlmm.linalg.covariance import Covariance, FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.linalg.hodlr_build import Budget, HodlrCovariance, hodlr_covariance, tree_of
from nextlmm.linalg.tree import ClusterTree
from nextlmm.linalg.tridiagonal import tridiagonal_covariance
from nextlmm.lmm.haseman_elston import HasemanElstonEstimate, haseman_elston
from nextlmm.lmm.null import Method, NullModel, fit_null

_FIRST_WEIGHT = 0.5
_MOST_BUILDS = 8
_UNDAMPED_BUILDS = 3
_CLOSE_IN_SE = 0.02
_WORTH_A_WARNING_IN_SE = 0.2
_CLOSE = 1e-4
_NORMAL_95 = 1.959963984540054


def estimate_null(
    y: FloatArray, covariates: FloatArray, covariance: Covariance, *, method: Method
) -> NullModel:
    """Null model by REML, ML or Haseman-Elston regression; arguments as for ``fit_null``.

    With ``he`` the standard error and the interval (normal, cut to [0, 1]) are those of the moment
    estimate, and h2 is the only thing that the moments decide.
    """
    if method != "he":
        return fit_null(y, covariates, covariance, method=method)
    estimate = haseman_elston(y, covariates, covariance)
    null = fit_null(y, covariates, covariance, method="he", h2=estimate.h2)
    return with_moments(null, estimate)


def estimate_null_dense(
    y: FloatArray, covariates: FloatArray, k: FloatArray, *, method: Method
) -> NullModel:
    """Null model on ``k`` (n, n) itself; 4/3 n^3 operations and one more (n, n) array."""
    return estimate_null(y, covariates, tridiagonal_covariance(k), method=method)


def with_moments(null: NullModel, estimate: HasemanElstonEstimate) -> NullModel:
    """The model at an estimate by moments, with the estimate's errors and warnings."""
    half = _NORMAL_95 * estimate.h2_se
    warnings = null.warnings
    if estimate.boundary is not None:
        warnings = (
            *warnings,
            f"Haseman-Elston regression gives h2 = {estimate.h2_raw:.4g}, outside its range; the "
            f"analysis uses the {estimate.boundary} end, {estimate.h2:.6g}, and its p-values are "
            "not to be trusted; estimate by REML instead (--method reml)",
        )
    return replace(
        null,
        h2_se=estimate.h2_se,
        h2_interval=(max(0.0, estimate.h2_raw - half), min(1.0, estimate.h2_raw + half)),
        h2_boundary=estimate.boundary,
        warnings=warnings,
    )


@dataclass(frozen=True, eq=False)
class CompressedFit:
    """A null model and the hierarchical matrix, built at its h2, that goes with it.

    ``h2_movement`` is how far the estimate was from the h2 of the build on which it was found.
    """

    null: NullModel
    covariance: HodlrCovariance
    h2_movement: float


def estimate_null_hodlr(
    y: FloatArray,
    covariates: FloatArray,
    k: FloatArray,
    tree: ClusterTree,
    *,
    budget: Budget,
    method: Method,
    seed: int = 0,
) -> CompressedFit:
    """Null model on the hierarchical approximation of ``k``; all arrays in tree order.

    The bases are found at one h2 and kept while the likelihood is searched, which makes it a smooth
    function; then they are found anew at the estimate, until the two agree to a fiftieth of a
    standard error.  Bases are chosen one by one, so that a coarse approximation may jump between
    two of them for ever: from the fourth build on only half a step is taken, and after eight the
    last estimate stands, with a warning if it still moves by a fifth of a standard error.  Moments
    need products with the matrix at no particular h2 and are taken from the first build.

    Where the matrix does not compress it is exact, and so is the estimate.
    """
    weight, movement = _FIRST_WEIGHT, 0.0
    for count in range(1, _MOST_BUILDS + 1):
        covariance = hodlr_covariance(k, tree, budget, weight=weight, seed=seed)
        if isinstance(covariance.built, CholeskyFactor):
            null = estimate_null_dense(y, covariates, k, method=method)
            exact = hodlr_covariance(k, tree_of(covariance.built), budget, weight=null.h2)
            return CompressedFit(null, exact, 0.0)
        null = estimate_null(y, covariates, covariance, method=method)
        movement = abs(null.h2 - weight)
        if method == "he" or movement <= max(_CLOSE, _CLOSE_IN_SE * (null.h2_se or 0.0)):
            break
        weight = null.h2 if count < _UNDAMPED_BUILDS else (weight + null.h2) / 2.0
    final = hodlr_covariance(k, tree, budget, weight=null.h2, seed=seed)
    if method == "he":
        return CompressedFit(null, final, 0.0)
    return CompressedFit(_with_movement(null, movement), final, movement)


def _with_movement(null: NullModel, movement: float) -> NullModel:
    if movement <= max(_CLOSE, _WORTH_A_WARNING_IN_SE * (null.h2_se or 0.0)):
        return null
    return replace(
        null,
        warnings=(
            *null.warnings,
            f"the heritability of the compressed matrix moves by {movement:.3g} with the h2 at "
            "which it is compressed: the compression is too coarse for this trait; lower "
            "--kl-tolerance, raise --rank, or use --mode dense",
        ),
    )
