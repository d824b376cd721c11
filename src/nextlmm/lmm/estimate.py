"""One way to the null model for every method and every form of the relationship matrix."""

from dataclasses import dataclass, replace

from nextlmm.errors import ConvergenceError
from nextlmm.linalg.covariance import Covariance, FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.linalg.hodlr_build import Budget, HodlrCovariance, hodlr_covariance
from nextlmm.linalg.tree import ClusterTree
from nextlmm.lmm.haseman_elston import HasemanElstonEstimate, haseman_elston
from nextlmm.lmm.null import Method, NullModel, fit_null

_FIRST_WEIGHT = 0.5
_MOST_BUILDS = 8
_CLOSE_IN_SE = 0.02
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
    return _with_moments(null, estimate)


def _with_moments(null: NullModel, estimate: HasemanElstonEstimate) -> NullModel:
    half = _NORMAL_95 * estimate.h2_se
    warnings = null.warnings
    if estimate.boundary is not None:
        warnings = (
            *warnings,
            f"Haseman-Elston regression gives h2 = {estimate.h2_raw:.4g}, outside its range; the "
            f"analysis uses the {estimate.boundary} end, {estimate.h2:.6g}",
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
    """A null model and the hierarchical matrix, built at its h2, on which it was fitted."""

    null: NullModel
    covariance: HodlrCovariance


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
    standard error.  Where the matrix does not compress it is exact and one build is enough.

    Raises
    ------
    ConvergenceError
        If the estimate still moves after eight builds.
    """
    weight = _FIRST_WEIGHT
    for _ in range(_MOST_BUILDS):
        covariance = hodlr_covariance(k, tree, budget, weight=weight, seed=seed)
        null = estimate_null(y, covariates, covariance, method=method)
        close = max(_CLOSE, _CLOSE_IN_SE * (null.h2_se or 0.0))
        if isinstance(covariance.built, CholeskyFactor) or abs(null.h2 - weight) <= close:
            final = hodlr_covariance(k, tree, budget, weight=null.h2, seed=seed)
            return CompressedFit(null, final)
        weight = null.h2
    raise ConvergenceError(
        f"the heritability on the compressed matrix still moves after {_MOST_BUILDS} builds (last "
        f"{null.h2:.4f} from a matrix built at {weight:.4f}); expected it to settle; use --mode "
        "dense, a smaller --kl-tolerance or a larger --rank"
    )
