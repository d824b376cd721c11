"""Each variant at its own heritability, for a covariance known by its eigenvectors.

K = U diag(d) U' turns Sigma into a diagonal for every h2 at once, and the likelihood of a model
with one variant into sums over samples of rotated columns.  With t = log(h2 / (1 - h2)),
H = e^t K + I and A = dH/dt = H - I, both diagonal after rotation,

    w = 1 / (1 + e^t d)      diagonal of H^-1
    v = e^t d w              diagonal of H^-1 A
    REML' = -1/2 tr(PA) + (n-q)/2 y'PAPy / y'Py       ML' = -1/2 sum v + n/2 y'PAPy / y'Py

and second derivatives need w v^2 in addition to w and w v.  All variants of a block share the
weights of a grid, so that the grid is a few matrix products; then safeguarded Newton steps are
taken with all variants at once, each with weights of its own.

Source : Zhou and Stephens 2012, equations 1 to 9 and supplementary section 3 for the derivatives,
rewritten with H^-1 A in place of differences of powers of H^-1, which lose digits at small h2.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nextlmm.assoc.forms import IndexArray, Point, gram, pairs, profile_point
from nextlmm.assoc.scan import (
    NEARLY_EXACT_FIT,
    OK,
    AssociationBlock,
    Sums,
    Test,
    residual_df,
    spread,
    statistic,
    sums_of,
    usable_columns,
)
from nextlmm.assoc.statistics import neg_log10_chi2_sf
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.spectral import SpectralCovariance
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.likelihood import WhitenedTrait, whiten_trait
from nextlmm.lmm.null import fit_null
from nextlmm.lmm.profile import LOG_RATIO_LIMIT

GRID = np.linspace(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT, 21)
STEP_TOLERANCE = 1e-6  # in t; moves -log10 p by about as much
MAX_STEPS = 60
CHUNK_ELEMENTS = 1 << 16  # samples times variants worked on together, so that they stay in cache


@dataclass(frozen=True, eq=False)
class PerVariantModel:
    """All that testing variants at their own h2 needs to know.

    test : which test; score takes ``null`` as it is, since its h2 is of the model without variant.
    design : covariates.
    covariance : K by its eigenvectors.
    basis, trait : U'Q, (n, c), and U'y, (n,), y without its covariate part.
    products, pair : (n, pairs) products of pairs of columns of (basis, trait), for their weighted
        sums, and which of them belongs to two columns.
    null : trait and covariates at the ML h2 of the model without variant; unused by wald.
    """

    test: Test
    design: Design
    covariance: SpectralCovariance
    basis: FloatArray
    trait: FloatArray
    products: FloatArray
    pair: IndexArray
    null: WhitenedTrait


@dataclass(frozen=True, eq=False)
class _Optimum:
    t: FloatArray
    value: FloatArray
    sums: Sums


def per_variant_model(
    y: FloatArray,
    covariates: FloatArray,
    covariance: SpectralCovariance,
    *,
    h2_ml: float | None = None,
    test: Test = "wald",
) -> PerVariantModel:
    """Prepare tests of variants at their own h2.

    Parameters
    ----------
    y, covariates : (n,) and (n, c), as for ``fit_null``.
    covariance : K by its eigenvectors.
    h2_ml : where the score is taken; the ML estimate on ``covariance`` if None.  The likelihood
        ratio always takes that estimate: a model that is not at its maximum would let every
        variant win by moving h2.

    Raises
    ------
    DesignError
        If no degree of freedom is left for the residual variance.
    NotPositiveDefiniteError
        If K has negative eigenvalues.
    """
    design = make_design(covariates)
    residual_df(design)
    covariance.factor(weight=float(expit(GRID[-1])))  # raises where any later weight would fail
    if test == "lrt" or (test == "score" and h2_ml is None):
        h2_ml = fit_null(y, covariates, covariance, method="ml").h2_ml
    null_h2 = 0.0 if h2_ml is None else h2_ml  # wald compares nothing with it
    columns = covariance.vectors.T @ np.column_stack((design.basis, design.project(y)))
    first, second, pair = pairs(columns.shape[1])
    return PerVariantModel(
        test=test,
        design=design,
        covariance=covariance,
        basis=columns[:, :-1],
        trait=columns[:, -1],
        products=columns[:, first] * columns[:, second],
        pair=pair,
        null=whiten_trait(covariance.factor(weight=null_h2), y, design, h2=null_h2),
    )


def per_variant_block(model: PerVariantModel, dosage: FloatArray) -> AssociationBlock:
    """Test every column of ``dosage`` (n, b) with the h2 of highest likelihood for that variant.

    Wald, effect and standard error use the variant's own REML estimate, lrt its own ML estimate,
    and score the ML estimate of the model without variant.  See ``scan.test_block`` for ``dosage``
    and the result.

    Cost : one rotation, 2 n^2 b operations, then O(n b c) for the grid and each Newton step.
    """
    columns, status = usable_columns(dosage, model.design)
    good = status == OK
    x = columns.T @ model.covariance.vectors
    n, df = model.design.n, residual_df(model.design)
    own = _maximise(model, x, reml=True)
    h2, tested = expit(own.t), own.sums
    if model.test == "score":
        scale = np.sqrt(model.null.h2 * model.covariance.values + (1.0 - model.null.h2))
        h2 = np.full(len(x), model.null.h2)
        tested = sums_of(model.null, x.T / scale[:, None])
    if model.test == "lrt":
        ml = _maximise(model, x, reml=False)
        h2 = expit(ml.t)
        gain = ml.value - model.null.log_likelihood_ml
        chi2 = 2.0 * np.maximum(gain, 0.0)  # the models are nested: below 0 only by rounding
        neg_log_10_p = neg_log10_chi2_sf(chi2)
    else:
        chi2, neg_log_10_p = statistic(model.test, tested, n, df)
    return AssociationBlock(
        beta=spread(own.sums.xpy / own.sums.xpx, good),
        standard_error=spread(np.sqrt(own.sums.ypy_with / df / own.sums.xpx), good),
        chi2=spread(chi2, good),
        neg_log_10_p_value=spread(neg_log_10_p, good),
        h2=spread(h2, good),
        status=status,
    )


def _maximise(model: PerVariantModel, x: FloatArray, *, reml: bool) -> _Optimum:
    """The best of all local maxima for every row of ``x`` (b, n)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit has no likelihood
        return _best_of_local_maxima(model, x, reml=reml)


def _best_of_local_maxima(model: PerVariantModel, x: FloatArray, *, reml: bool) -> _Optimum:
    n_variants, n = x.shape
    grid = _on_grid(model, x, reml=reml)
    variant, cell = np.nonzero((grid.slope[:, :-1] > 0.0) & (grid.slope[:, 1:] <= 0.0))
    guess = _first_guess(grid.slope, variant, cell)
    low_end = np.flatnonzero(grid.slope[:, 0] <= 0.0)
    high_end = np.flatnonzero(grid.slope[:, -1] > 0.0)
    parts = [_at(grid, (low_end, 0), GRID[0]), _at(grid, (high_end, -1), GRID[-1])]
    chunk = max(CHUNK_ELEMENTS // n, 8)
    for start in range(0, len(variant), chunk):
        piece = slice(start, start + chunk)
        parts.append(
            _newton(
                model,
                x[variant[piece]],
                t=guess[piece],
                low=GRID[cell[piece]],
                high=GRID[cell[piece] + 1],
                reml=reml,
            )
        )
    t, value, xpx, xpy, ypy = np.concatenate(parts, axis=1)
    owner = np.concatenate((low_end, high_end, variant))
    order = np.lexsort((value, owner))  # the last of each owner is its best
    best = order[np.searchsorted(owner[order], np.arange(n_variants), side="right") - 1]
    t, value, xpx, xpy, ypy = (row[best] for row in (t, value, xpx, xpy, ypy))
    ypy_with = ypy - xpy**2 / xpx
    near = np.flatnonzero(~(ypy_with > (1.0 - NEARLY_EXACT_FIT) * ypy))
    for start in range(0, len(near), chunk):
        some = near[start : start + chunk]
        ypy_with[some], ml_value = _close_fit(model, x[some], t[some])
        if not reml:
            value[some] = ml_value
    return _Optimum(t, value, Sums(xpx, xpy, ypy, ypy_with))


def _close_fit(
    model: PerVariantModel, x: FloatArray, t: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Residual sum of squares with the variant, as a sum, and the ML log-likelihood with it.

    For fits so close that the difference of two quadratic forms would be noise.
    """
    n, _ = model.basis.shape
    root = np.sqrt(1.0 / (1.0 + np.exp(t)[:, None] * model.covariance.values))[..., None]
    predictors = np.broadcast_to(model.basis, (len(x), *model.basis.shape))
    basis, _ = np.linalg.qr(root * np.concatenate((predictors, x[..., None]), axis=2))
    y = root * model.trait[:, None]
    residual = y - basis @ (basis.swapaxes(1, 2) @ y)
    rest = np.einsum("bni,bni->b", residual, residual)
    logdet = -2.0 * np.log(root).sum(axis=(1, 2))
    return rest, -0.5 * (logdet + n * (np.log(2.0 * np.pi * rest / n) + 1.0))


def _at(grid: Point, index: tuple[IndexArray, int], t: float) -> FloatArray:
    arrays = np.broadcast_arrays(grid.value, grid.xpx, grid.xpy, grid.ypy)
    return np.vstack((np.full(len(index[0]), t), *(array[index] for array in arrays)))


def _first_guess(slope: FloatArray, variant: IndexArray, cell: IndexArray) -> FloatArray:
    """Where the slope vanishes: inverse cubic interpolation, or linear where that strays."""
    at = np.clip(cell - 1, 0, len(GRID) - 4)[:, None] + np.arange(4)
    s = slope[variant[:, None], at]
    guess = np.zeros(len(variant))
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(4):
            others = np.delete(s, i, axis=1)
            guess += GRID[at[:, i]] * np.prod(others / (others - s[:, i : i + 1]), axis=1)
    left, right = slope[variant, cell], slope[variant, cell + 1]
    linear = GRID[cell] + (GRID[cell + 1] - GRID[cell]) * left / (left - right)
    inside = (guess > GRID[cell]) & (guess < GRID[cell + 1])
    return np.where(inside, guess, linear)


def _newton(
    model: PerVariantModel,
    x: FloatArray,
    *,
    t: FloatArray,
    low: FloatArray,
    high: FloatArray,
    reml: bool,
) -> FloatArray:
    """Newton's method on the slope within brackets; rows t, value, x'Px, x'Py, y'Py, (5, b).

    A step that leaves its bracket, or is taken where the profile is convex, becomes a bisection,
    so that every row converges.
    """
    low, high, t = low.copy(), high.copy(), t.copy()
    result = np.empty((5, len(t)))
    active = np.arange(len(t))
    for _ in range(MAX_STEPS):
        point = _evaluate(model, x if len(active) == len(x) else x[active], t[active], reml=reml)
        result[:, active] = (t[active], point.value, point.xpx, point.xpy, point.ypy)
        rising = point.slope > 0.0
        low[active[rising]] = t[active[rising]]
        high[active[~rising]] = t[active[~rising]]
        step = -point.slope / np.where(point.bend < 0.0, point.bend, np.nan)
        target = t[active] + step
        lost = ~((target >= low[active]) & (target <= high[active]))
        target[lost] = 0.5 * (low[active[lost]] + high[active[lost]])
        moving = np.abs(target - t[active]) > STEP_TOLERANCE
        t[active] = target
        active = active[moving]
        if not active.size:
            break
    return result


def _on_grid(model: PerVariantModel, x: FloatArray, *, reml: bool) -> Point:
    """Every variant at every grid point, (b, points); the bend is not computed."""
    n, c = model.basis.shape
    ratio = np.exp(GRID)[:, None] * model.covariance.values
    w = 1.0 / (1.0 + ratio)
    v = ratio * w
    columns = np.column_stack((model.basis, model.trait))
    weights = np.stack((w, w * v))  # (2, points, n)
    mixed = (weights[..., None] * columns).transpose(2, 0, 1, 3).reshape(n, -1)
    x_squared = (np.square(x) @ weights.reshape(-1, n).T).reshape(len(x), 2, len(GRID))
    x_mixed = (x @ mixed).reshape(len(x), 2, len(GRID), c + 1)
    own = weights @ model.products
    grams = [gram(own[k], x_mixed[:, k], x_squared[:, k], model.pair) for k in range(2)]
    return profile_point(
        grams, logdet=-np.log(w).sum(axis=1), traces=(v.sum(axis=1),), n=n, reml=reml
    )


def _evaluate(model: PerVariantModel, x: FloatArray, t: FloatArray, *, reml: bool) -> Point:
    """Every row of ``x`` at its own ``t``."""
    columns = np.column_stack((model.basis, model.trait))
    v = np.exp(t)[:, None] * model.covariance.values
    w = 1.0 / (1.0 + v)
    v *= w
    logdet = -np.log(w).sum(axis=1)
    traces = (v.sum(axis=1), np.einsum("bn,bn->b", v, v))
    grams = []
    weighted_x = w * x
    for k in range(3):
        if k:
            w *= v
            weighted_x *= v
        squared = np.einsum("bn,bn->b", weighted_x, x)
        grams.append(gram(w @ model.products, weighted_x @ columns, squared, model.pair))
    return profile_point(grams, logdet=logdet, traces=traces, n=len(columns), reml=reml)
