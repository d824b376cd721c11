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

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from nextlmm.assoc.forms import IndexArray, Point, gram, pairs, profile_point
from nextlmm.assoc.scan import (
    EXACT_FIT,
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
CLOSE_FIT = 1e-3  # share left, at any h2, below which a variant is searched without its own effect
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
    null : trait and covariates at the ML h2 of the model without variant; wald uses it only for
        variants that fit the trait exactly.
    """

    test: Test
    design: Design
    covariance: SpectralCovariance
    basis: FloatArray
    trait: FloatArray
    products: FloatArray
    pair: IndexArray
    null: WhitenedTrait

    def __repr__(self) -> str:
        return f"<{self.test} tests on {self.design.n:,} samples, each variant at its own h2>"


@dataclass(frozen=True, eq=False)
class _Optimum:
    """The highest maximum of each variant: position, log-likelihood and forms there, each (b,)."""

    t: FloatArray
    value: FloatArray
    sums: Sums

    def put(self, at: IndexArray, other: "_Optimum") -> None:
        """Write ``other`` into the places ``at``."""
        self.t[at], self.value[at] = other.t, other.value
        for mine, new in zip(_rows(self.sums), _rows(other.sums), strict=True):
            mine[at] = new


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
    h2_ml : where the score is taken, and where variants that fit the trait exactly are tested;
        the ML estimate on ``covariance`` if None.  The likelihood ratio always takes that estimate:
        a model that is not at its maximum would let every variant win by moving h2.

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
    if test == "lrt" or h2_ml is None:
        h2_ml = fit_null(y, covariates, covariance, method="ml").h2_ml
    columns = covariance.vectors.T @ np.column_stack((design.basis, design.project(y)))
    products, pair = _products(columns)
    return PerVariantModel(
        test=test,
        design=design,
        covariance=covariance,
        basis=columns[:, :-1],
        trait=columns[:, -1],
        products=products,
        pair=pair,
        null=whiten_trait(covariance.factor(weight=h2_ml), y, design, h2=h2_ml),
    )


def _products(columns: FloatArray) -> tuple[FloatArray, IndexArray]:
    first, second, pair = pairs(columns.shape[1])
    return columns[:, first] * columns[:, second], pair


def per_variant_block(model: PerVariantModel, dosage: FloatArray) -> AssociationBlock:
    """Test every column of ``dosage`` (n, b) with the h2 of highest likelihood for that variant.

    Wald, effect and standard error use the variant's own REML estimate, lrt its own ML estimate,
    and score the ML estimate of the model without variant.  A variant that fits the trait to
    rounding leaves nothing to estimate an h2 from; all its numbers are those of the latter.  See
    ``scan.test_block`` for ``dosage`` and the result.

    Cost : one rotation, 2 n^2 b operations, then O(n b c) for the grid and each Newton step.
    """
    columns, status = usable_columns(dosage, model.design)
    good = status == OK
    x = columns.T @ model.covariance.vectors
    n, df = model.design.n, residual_df(model.design)
    own = _maximise(model, x, reml=True)
    h2, tested = expit(own.t), own.sums
    if model.test == "score":
        h2 = np.full(len(x), model.null.h2)
        tested = _sums_at_null(model, x)
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
        information=spread(tested.xpx, good),
        h2=spread(h2, good),
        status=status,
    )


def _sums_at_null(model: PerVariantModel, x: FloatArray) -> Sums:
    scale = np.sqrt(model.null.h2 * model.covariance.values + (1.0 - model.null.h2))
    return sums_of(model.null, x.T / scale[:, None])


def _maximise(model: PerVariantModel, x: FloatArray, *, reml: bool) -> _Optimum:
    """The best of all local maxima for every row of ``x`` (b, n).

    Forms of a variant that explains almost all are differences of large numbers; it is searched
    with its effect, which no likelihood depends on, taken out of the trait first.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # an exact fit has no likelihood
        grid = _on_grid(model, x, reml=reml)
        left = 1.0 - grid.xpy**2 / (grid.xpx * grid.ypy)
    is_close = ~(left.min(axis=1) > CLOSE_FIT)
    if not is_close.any():
        return _best_of_local_maxima(model, x, grid, reml=reml)
    found = _Optimum(np.empty(len(x)), np.empty(len(x)), Sums(*np.empty((4, len(x)))))
    others = x[~is_close]
    grid = _on_grid(model, others, reml=reml)
    found.put(np.flatnonzero(~is_close), _best_of_local_maxima(model, others, grid, reml=reml))
    for row in np.flatnonzero(is_close):
        found.put(np.array([row]), _close_fit(model, x[row], reml=reml))
    return found


def _best_of_local_maxima(
    model: PerVariantModel, x: FloatArray, grid: Point, *, reml: bool
) -> _Optimum:
    n_variants, n = x.shape
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
    return _Optimum(t, value, Sums(xpx, xpy, ypy, ypy - xpy**2 / xpx))


def _close_fit(model: PerVariantModel, x: FloatArray, *, reml: bool) -> _Optimum:
    """The optimum of one variant (n,) that explains almost all of the trait, or all of it."""
    across = x - model.basis @ (model.basis.T @ x)
    effect, rest = 0.0, model.trait
    for _ in range(2):  # the second round takes out the rounding of the first
        change = float(across @ rest) / float(across @ across)
        effect, rest = effect + change, rest - change * across
    if rest @ rest <= EXACT_FIT * (model.trait @ model.trait):
        sums = _sums_at_null(model, x[None])
        gain = 0.5 * model.design.n * np.log(sums.ypy / sums.ypy_with)
        t = np.array([logit(model.null.h2)])
        return _Optimum(t, model.null.log_likelihood_ml + gain, sums)
    products, _ = _products(np.column_stack((model.basis, rest)))
    without = replace(model, trait=rest, products=products)
    grid = _on_grid(without, x[None], reml=reml)
    found = _best_of_local_maxima(without, x[None], grid, reml=reml)
    xpx, xpy, ypy, ypy_with = _rows(found.sums)
    ypy = ypy + effect * (2.0 * xpy + effect * xpx)
    ypy_with = np.maximum(ypy_with, EXACT_FIT * ypy)
    return replace(found, sums=Sums(xpx, xpy + effect * xpx, ypy, ypy_with))


def _rows(sums: Sums) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    return sums.xpx, sums.xpy, sums.ypy, sums.ypy_with


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
