"""Each variant at its own heritability, for a relationship matrix known by its products.

The same tests as ``per_variant`` without eigenvectors.  The likelihood of the model without
variant is a function of h2 already, ``KrylovLikelihood``; a variant changes two terms of it, and

    REML_x(h) = const - 1/2 [(n - c - 1) log y'P_x y + log x'Px + log|A|]
    ML_x(h)   = const - 1/2 [n log y'P_x y + log|Sigma|],         y'P_x y = y'Py - (x'Py)^2 / x'Px

with A = Q Sigma Q on the range of Q.  The forms come for every h from one block Lanczos process
for each variant, started at x and at what least squares leave of the trait when x is taken out:
no likelihood depends on what was taken out, and a variant that explains nearly all of the trait
loses no digits.  The process bounds the forms from both sides; steps are taken until the bounds
agree wherever the likelihood of that variant comes near its maximum.

The logarithms of determinants carry the Monte-Carlo error of the model without variant.  It is
common to all variants, and moves the h2 of each alike, by at most about the share of a standard
error that is printed for that model; nothing here adds to it or takes away from it.  They are as
accurate as the processes of that model have made them where it is likely; a variant that moves h2
far up from there finds less accurate ones (one that explains 70 % of a trait and moves h2 from 0.30
to 0.86 with 1,500 samples: off by 0.004, and by 0.2 % of its -log10 p of 495).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from nextlmm.assoc.pair_lanczos import PairLanczos
from nextlmm.assoc.scan import (
    EXACT_FIT,
    OK,
    AssociationBlock,
    Sums,
    Test,
    residual_df,
    spread,
    statistic,
    usable_columns,
)
from nextlmm.assoc.statistics import neg_log10_chi2_sf
from nextlmm.errors import ConvergenceError
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.lanczos import Operator
from nextlmm.lmm.design import Design
from nextlmm.lmm.krylov import centre_trait
from nextlmm.lmm.krylov_run import LATTICE
from nextlmm.lmm.likelihood import gaussian_part
from nextlmm.lmm.null import Likelihood

WIDEST = 48  # variants at work at the same time, two columns each
NEAR = 4.0  # log-likelihood below the maximum
FORM_TOLERANCE = 1e-7  # relative width of the bounds of a form
LIKELIHOOD_TOLERANCE = 1e-5  # the same of a log-likelihood
FIRST_STEPS, MORE_STEPS, MOST_STEPS = 6, 2, 600
_WINDOW = 7  # lattice points of the polynomial that is laid through a maximum
_BISECTIONS = 45

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Curve:
    """The model without variant along ``LATTICE``, and all that its variants share.

    logdet_reml, logdet_ml : log|A| and log|Sigma|, (l,).
    null_h2, null_ml : where variants that fit the trait exactly, and the score, are taken, and the
        log-likelihood that the likelihood ratio compares with.
    trait : Qy, (n,).
    """

    likelihood: Likelihood
    design: Design
    test: Test
    logdet_reml: FloatArray
    logdet_ml: FloatArray
    null_h2: float
    null_ml: float
    trait: FloatArray

    def values(self, ypy_with: FloatArray, xpx: FloatArray, *, reml: bool) -> FloatArray:
        """(k, l) log-likelihoods with the variant, up to a constant of each variant."""
        if not reml:
            return np.asarray(-0.5 * (self.design.n * np.log(ypy_with) + self.logdet_ml))
        df = residual_df(self.design)
        return np.asarray(-0.5 * (df * np.log(ypy_with) + np.log(xpx) + self.logdet_reml))


@dataclass(frozen=True, eq=False)
class _Start:
    """k variants x and the trait, y = effect x + rest; ``is_exact`` where the rest is rounding.

    first, second : (n, k) x and the rest over their norms, size and rest; zero for no rest.
    """

    first: FloatArray
    second: FloatArray
    size: FloatArray
    effect: FloatArray
    rest: FloatArray

    @property
    def is_exact(self) -> BoolArray:
        return np.asarray(self.rest == 0.0)

    def sums(self, schur: FloatArray, pairs: NDArray[np.intp] | None = None) -> Sums:
        """Forms from the inverse ``schur`` (3, k, l) of those of ``first`` and ``second``."""
        chosen = slice(None) if pairs is None else pairs
        size, rest = self.size[chosen, None], self.rest[chosen, None]
        fitted = self.effect[chosen, None] * size
        determinant = schur[0] * schur[2] - schur[1] ** 2
        f11, f12, f22 = schur[2] / determinant, -schur[1] / determinant, schur[0] / determinant
        ypy = rest**2 * f22 + fitted * (2.0 * rest * f12 + fitted * f11)
        return Sums(
            xpx=size**2 * f11,
            xpy=size * (rest * f12 + fitted * f11),
            ypy=ypy,
            ypy_with=np.maximum(rest**2 / schur[2], EXACT_FIT * ypy),
        )


def own_h2_block(
    likelihood: Likelihood,
    y: FloatArray,
    design: Design,
    product: Operator,
    dosage: FloatArray,
    *,
    test: Test,
    h2_ml: float,
) -> AssociationBlock:
    """Test every column of ``dosage`` (n, b) with the h2 of highest likelihood for that variant.

    Parameters
    ----------
    likelihood : of the model without variant, for K; ``KrylovLikelihood`` or any other.
    y, design : (n,) trait and covariates of that model.
    product : x (n, k) -> K x for the same K.
    dosage : as for ``scan.test_block``.
    test : as in ``per_variant.per_variant_block``: which h2 each takes.
    h2_ml : where the score is taken, and where variants that fit the trait exactly are tested; the
        likelihood ratio always takes the maximum of ``likelihood``.

    Raises
    ------
    DesignError
        If no degree of freedom is left for the residual variance.
    NotPositiveDefiniteError
        If K has negative eigenvalues.
    ConvergenceError
        If a variant's likelihood is high where the model is nearly singular.

    Cost: two columns through K for each variant and step, some 10 to 80 steps, 48 variants in a
    pass; and 310 evaluations of ``likelihood``.  Some ten arrays of (n, 96).
    """
    columns, status = usable_columns(dosage, design)
    curve = _curve(likelihood, y, design, test, h2_ml)

    def operator(x: FloatArray) -> FloatArray:
        inside = design.project(x)
        return design.project(np.asarray(product(inside), dtype=np.float64))

    starts = range(0, columns.shape[1], WIDEST)
    parts = [_tested(curve, operator, columns[:, i : i + WIDEST]) for i in starts]
    rows = np.concatenate(parts, axis=1) if parts else np.empty((6, 0))
    beta, standard_error, chi2, neg_log_10_p, information, h2 = (
        spread(row, status == OK) for row in rows
    )
    return AssociationBlock(beta, standard_error, chi2, neg_log_10_p, information, h2, status)


def _curve(
    likelihood: Likelihood, y: FloatArray, design: Design, test: Test, h2_ml: float
) -> _Curve:
    n, df = design.n, design.n - design.n_covariates
    residual_df(design)
    both = np.array([likelihood.log_likelihoods(float(h2)) for h2 in LATTICE])
    ypy = [likelihood.fit(float(h2)).ypy for h2 in LATTICE]
    if test == "lrt":
        everywhere = np.ones((1, len(LATTICE)), dtype=bool)
        h2_ml = float(expit(_highest(both[None, :, 1], everywhere)[0]))
    return _Curve(
        likelihood=likelihood,
        design=design,
        test=test,
        logdet_reml=-2.0 * both[:, 0] - [gaussian_part(value, df) for value in ypy],
        logdet_ml=-2.0 * both[:, 1] - [gaussian_part(value, n) for value in ypy],
        null_h2=h2_ml,
        null_ml=likelihood.log_likelihoods(h2_ml)[1],
        trait=centre_trait(y, design).residual,
    )


def _tested(curve: _Curve, operator: Operator, x: FloatArray) -> FloatArray:
    """Rows beta, standard error, chi2, -log10 p, information and h2, (6, k)."""
    n, df = curve.design.n, residual_df(curve.design)
    start = _start(curve, x)
    process, near = _run(curve, operator, start)
    every = np.arange(x.shape[1])
    on_lattice = start.sums(process.lower(every, np.tile(LATTICE, (len(every), 1))))

    def sums_at(h2: FloatArray) -> Sums:
        found = start.sums(process.lower(every, h2[:, None]))
        return Sums(*(row[:, 0] for row in (found.xpx, found.xpy, found.ypy, found.ypy_with)))

    def own_h2(*, reml: bool) -> FloatArray:
        values = curve.values(on_lattice.ypy_with, on_lattice.xpx, reml=reml)
        own = expit(_highest(values, near))
        return np.asarray(np.where(start.is_exact, curve.null_h2, own))

    h2 = own_h2(reml=True)
    own = tested = sums_at(h2)
    if curve.test == "score":
        h2 = np.full(len(every), curve.null_h2)
        tested = sums_at(h2)
    if curve.test == "lrt":
        h2 = own_h2(reml=False)
        tested = sums_at(h2)
        chi2 = _likelihood_ratio(curve, tested, h2)
        neg_log_10_p = neg_log10_chi2_sf(chi2)
    else:
        chi2, neg_log_10_p = statistic(curve.test, tested, n, df)
    standard_error = np.sqrt(own.ypy_with / df / own.xpx)
    return np.stack((own.xpy / own.xpx, standard_error, chi2, neg_log_10_p, tested.xpx, h2))


def _likelihood_ratio(curve: _Curve, tested: Sums, h2: FloatArray) -> FloatArray:
    """Twice the gain in log-likelihood over the model without variant at its own maximum."""
    without = np.array([curve.likelihood.log_likelihoods(float(h))[1] for h in h2])
    ypy = np.array([curve.likelihood.fit(float(h)).ypy for h in h2])
    chi2 = 2.0 * (without - curve.null_ml) + curve.design.n * np.log(ypy / tested.ypy_with)
    return np.asarray(np.maximum(chi2, 0.0))  # nested models: below 0 only by rounding


def _start(curve: _Curve, x: FloatArray) -> _Start:
    x = curve.design.project(x)
    size = np.sqrt(np.einsum("ij,ij->j", x, x))
    first = x / size
    fitted = np.zeros(len(size))
    rest = np.repeat(curve.trait[:, None], len(size), axis=1)
    for _ in range(2):  # the second round takes out the rounding of the first
        change = np.einsum("ij,ij->j", first, rest)
        fitted += change
        rest -= change * first
    left = np.einsum("ij,ij->j", rest, rest)
    left[left <= EXACT_FIT * (curve.trait @ curve.trait)] = 0.0
    norm = np.sqrt(left)
    second = np.where(norm > 0.0, rest, 0.0) / np.where(norm > 0.0, norm, 1.0)
    return _Start(first, second, size, fitted / size, norm)


def _run(curve: _Curve, operator: Operator, start: _Start) -> tuple[PairLanczos, BoolArray]:
    """Steps until the bounds are narrow; and which lattice points are near the maximum, (k, l)."""
    process = PairLanczos(operator, start.first, start.second)
    active = np.arange(len(start.size))
    near = np.zeros((len(active), len(LATTICE)), dtype=bool)
    at = np.append(LATTICE, curve.null_h2)
    narrow = min(FORM_TOLERANCE, 2.0 * LIKELIHOOD_TOLERANCE / curve.design.n)
    process.extend(active, FIRST_STEPS)
    while active.size:
        h = np.tile(at, (len(active), 1))
        low = start.sums(process.lower(active, h), active)
        high = start.sums(process.upper(active, h), active)
        near[active] = _near(curve, low, high)
        near[active[start.is_exact[active]]] = False
        needed = np.column_stack((near[active], np.ones(len(active), dtype=bool)))
        gaps = [
            above / below - 1.0
            for above, below in (
                (high.xpx, low.xpx),
                (high.ypy, low.ypy),
                (high.ypy_with, low.ypy_with),
            )
        ]
        wide = needed & ~(np.max(gaps, axis=0) <= narrow)
        active = active[wide.any(axis=1)]
        _check_steps(process, active)
        process.extend(active, MORE_STEPS)
    return process, near


def _near(curve: _Curve, low: Sums, high: Sums) -> BoolArray:
    """(k, l) where a likelihood of the variant may come near its maximum, and the next points.

    Large forms make a small likelihood.
    """
    near = np.zeros((len(low.xpx), len(LATTICE)), dtype=bool)
    for reml in (True, False) if curve.test == "lrt" else (True,):
        best = curve.values(low.ypy_with[:, :-1], low.xpx[:, :-1], reml=reml)
        least = curve.values(high.ypy_with[:, :-1], high.xpx[:, :-1], reml=reml)
        near |= best >= least.max(axis=1, keepdims=True) - NEAR
    wider = near.copy()
    wider[:, 1:] |= near[:, :-1]
    wider[:, :-1] |= near[:, 1:]
    return wider


def _check_steps(process: PairLanczos, active: NDArray[np.intp]) -> None:
    if active.size and int(process.steps[active[0]]) >= MOST_STEPS:
        raise ConvergenceError(
            f"the likelihood of a variant at its own h2 was not found in {MOST_STEPS} steps: it is "
            "high where the model is nearly singular, at a heritability of almost 1; expected a "
            "lower one; test every variant at the same h2 (--per-variant-h2 never)"
        )


def _highest(values: FloatArray, allowed: BoolArray) -> FloatArray:
    """The highest maximum of every row (k, l) of values on the lattice, as t, (k,).

    Every local maximum at an ``allowed`` point is refined by the polynomial through seven points,
    in the units of which ``profile`` says why it is accurate; the end of the line is one if the
    likelihood falls from it.  A row without any has no meaning.
    """
    t = logit(LATTICE)
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=-np.inf)
    peak = allowed & (values >= padded[:, :-2]) & (values >= padded[:, 2:])
    row, centre = np.nonzero(peak)
    at = np.clip(centre - _WINDOW // 2, 0, len(t) - _WINDOW)[:, None] + np.arange(_WINDOW)
    top = values[row, centre]
    nodes = t[at] - t[centre][:, None]
    powers = np.arange(_WINDOW)
    system = nodes[..., None] ** powers
    polynomial = np.linalg.solve(system, (values[row[:, None], at] - top[:, None])[..., None])
    polynomial = polynomial[..., 0]
    low = t[np.maximum(centre - 1, 0)] - t[centre]
    high = t[np.minimum(centre + 1, len(t) - 1)] - t[centre]
    ends = low.copy(), high.copy()
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        slope = (polynomial[:, 1:] * powers[1:] * middle[:, None] ** powers[:-1]).sum(axis=1)
        low, high = np.where(slope > 0.0, middle, low), np.where(slope > 0.0, high, middle)
    move = np.where(high == ends[1], high, low)  # either end of the line exactly
    height = top + (polynomial * move[:, None] ** powers).sum(axis=1)
    best = np.full(len(values), np.nan)
    order = np.lexsort((height, row))  # the last of each row is its highest
    best[row[order]] = (t[centre] + move)[order]
    return best
