"""Tests of a block of variants at one h2, for any factor of Sigma(h2).

With x* and y* the whitened variant and trait without their covariate part, n samples, c covariates
and df = n - c - 1:

    wald    F = beta^2 / se^2 on (1, df), residual variance with the variant in the model
    score   F = n (x*'y*)^2 / (x*'x* y*'y*) on (1, df), variance without the variant; the form
            that GEMMA prints as p_score
    lrt     chi2 = n log(y*'y* / (y*'y* - beta x*'y*)) on 1 df, twice the gain in log-likelihood

Wald uses the REML estimate of h2, the other two compare likelihoods of models with different fixed
effects and therefore use the ML estimate.  Effect and standard error are always Wald's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextlmm.assoc.statistics import neg_log10_chi2_sf, neg_log10_f_sf
from nextlmm.errors import DesignError
from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.likelihood import WhitenedTrait, whiten_trait

IndexArray = NDArray[np.intp]
Test = Literal["wald", "score", "lrt"]

OK, MONOMORPHIC, ALL_MISSING, COLLINEAR = "ok", "monomorphic", "all_missing", "collinear"

COLLINEAR_TOLERANCE = 1e-10  # share of a variant's variance that the covariates may leave
NEARLY_COLLINEAR = 1e-2  # share below which the covariates are projected out before whitening
NEARLY_EXACT_FIT = 0.99  # share explained above which the residual is summed, not subtracted
EXACT_FIT = 1e-20
"""Share of y'Py below which what a variant leaves is rounding: the trait's tenth digit.

It is then counted as this share, so that a variant that equals the trait has one p-value whatever
the factor, and not one that measures the rounding errors of each.
"""


@dataclass(frozen=True, eq=False)
class AssociationBlock:
    """Results of b variants; where ``status`` is not "ok" the numbers are NaN.

    beta, standard_error : Wald's, per copy of the effect allele, in trait units, (b,).
    chi2 : the test's statistic, (b,): F of wald and score, the likelihood ratio of lrt.
    neg_log_10_p_value : of the test chosen, (b,).
    information : x'Px at the h2 of the test, (b,), in squared dosages.
    h2 : heritability used for the test of each variant, (b,).
    status : "ok", "monomorphic", "all_missing" or "collinear", (b,) array of str objects.
    """

    beta: FloatArray
    standard_error: FloatArray
    chi2: FloatArray
    neg_log_10_p_value: FloatArray
    information: FloatArray
    h2: FloatArray
    status: np.ndarray

    def __repr__(self) -> str:
        tested = int(np.count_nonzero(self.status == OK))
        return f"<results of {len(self.status):,} variants, {tested:,} tested>"

    def with_rows(self, at: IndexArray, other: "AssociationBlock") -> "AssociationBlock":
        """The same results, but those of ``other`` at the positions ``at``."""

        def column(name: str) -> np.ndarray:
            values = getattr(self, name).copy()
            values[at] = getattr(other, name)
            return np.asarray(values)

        return AssociationBlock(**{each.name: column(each.name) for each in fields(self)})


@dataclass(frozen=True, eq=False)
class Lens:
    """One factor of Sigma(h2) with the trait and covariates seen through it."""

    factor: CovarianceFactor
    trait: WhitenedTrait


@dataclass(frozen=True, eq=False)
class ScanModel:
    """All that a scan needs to know; a value that may be sent to a worker.

    test : which test.
    design : covariates.
    wald : lens of effect and standard error.
    tested : lens of the test; the same object as ``wald`` unless its h2 differs.
    """

    test: Test
    design: Design
    wald: Lens
    tested: Lens

    def __repr__(self) -> str:
        return (
            f"<{self.test} tests on {self.design.n:,} samples at h2 = {self.tested.trait.h2:.4g}>"
        )


def scan_model(
    y: FloatArray,
    covariates: FloatArray,
    covariance: Covariance,
    *,
    h2: float,
    h2_ml: float | None = None,
    test: Test = "wald",
) -> ScanModel:
    """Prepare a scan of variants with ``covariance`` at a known h2.

    Parameters
    ----------
    y, covariates : (n,) and (n, c), as for ``fit_null``.
    covariance : K, for instance without the chromosome that is to be scanned.
    h2 : for effects, standard errors and the Wald test.
    h2_ml : for the score and likelihood-ratio tests; ``h2`` if not given.

    Raises
    ------
    DesignError
        If no degree of freedom is left for the residual variance.

    Cost : one factorisation, two if the test has an h2 of its own.
    """
    design = make_design(covariates)
    residual_df(design)
    wald = _lens(y, design, covariance, h2)
    separate = test != "wald" and h2_ml is not None and h2_ml != h2
    tested = _lens(y, design, covariance, h2_ml) if separate and h2_ml is not None else wald
    return ScanModel(test, design, wald, tested)


def test_block(model: ScanModel, dosage: FloatArray) -> AssociationBlock:
    """Test every column of ``dosage``, each on its own.

    Parameters
    ----------
    model : from ``scan_model``.
    dosage : (n, b) copies of the effect allele, missing ones replaced by the variant's mean; a
        column that still holds a NaN counts as all missing.

    Cost : one whitening of b columns, two if the test has an h2 of its own, and 4 n c b
    operations; two (n, b) arrays.
    """
    columns, status = usable_columns(dosage, model.design)
    sums = sums_of(model.wald.trait, model.wald.factor.whiten(columns))
    tested = sums
    if model.tested is not model.wald:
        tested = sums_of(model.tested.trait, model.tested.factor.whiten(columns))
    return _tested(model, sums, tested, status)


test_block.__test__ = False  # type: ignore[attr-defined]  # its name is the user's, not pytest's


def tested_forms(
    model: ScanModel, xpx: Sequence[FloatArray], xpy: Sequence[FloatArray], status: np.ndarray
) -> tuple[AssociationBlock, NDArray[np.bool_]]:
    """Test b variants from their x'Px and x'Py, and whether these leave enough digits for it.

    Parameters
    ----------
    model : from ``scan_model``.
    xpx, xpy : (b,) with the lens of effects and, if it differs, that of the test.
    status : (b,); numbers are NaN where it is not "ok".

    Where a variant explains nearly all of the trait, the second result is False: its residual has
    to be summed, as ``test_block`` does.
    """
    good = status == OK
    lenses = (model.wald, model.tested)[: len(xpx)]
    sums, is_sharp = [], np.ones(len(status), dtype=bool)
    for lens, information, score in zip(lenses, xpx, xpy, strict=True):
        ypy = np.full(int(good.sum()), lens.trait.ypy)
        rest = ypy - score[good] ** 2 / information[good]
        is_sharp[good] &= rest >= (1.0 - NEARLY_EXACT_FIT) * ypy
        sums.append(Sums(information[good], score[good], ypy, np.maximum(rest, EXACT_FIT * ypy)))
    return _tested(model, sums[0], sums[-1], status), is_sharp


def _tested(
    model: ScanModel, effect: "Sums", tested: "Sums", status: np.ndarray
) -> AssociationBlock:
    """The results from the sums that effects and tests are made of, of the testable variants."""
    good, df = status == OK, residual_df(model.design)
    chi2, neg_log_10_p = statistic(model.test, tested, model.design.n, df)
    return AssociationBlock(
        beta=spread(effect.xpy / effect.xpx, good),
        standard_error=spread(np.sqrt(effect.ypy_with / df / effect.xpx), good),
        chi2=spread(chi2, good),
        neg_log_10_p_value=spread(neg_log_10_p, good),
        information=spread(tested.xpx, good),
        h2=spread(np.full(chi2.shape, model.tested.trait.h2), good),
        status=status,
    )


def variant_status(n_called: NDArray[np.int64], variation: FloatArray) -> np.ndarray:
    """Status of variants as far as their counts tell: "ok", "monomorphic" or "all_missing"."""
    status = np.full(len(n_called), OK, dtype=object)
    status[variation == 0.0], status[n_called == 0] = MONOMORPHIC, ALL_MISSING
    return status


@dataclass(frozen=True, eq=False)
class Sums:
    """Quadratic forms of b variants: x'Px, x'Py, y'Py without and with the variant, each (b,)."""

    xpx: FloatArray
    xpy: FloatArray
    ypy: FloatArray
    ypy_with: FloatArray


def residual_df(design: Design) -> int:
    """Degrees of freedom with the covariates and one variant in the model; raises if none."""
    df = design.n - design.n_covariates - 1
    if df < 1:
        raise DesignError(
            f"{design.n} samples and {design.n_covariates} covariates leave {df} degrees of "
            "freedom for testing a variant; expected at least 1; use fewer covariates"
        )
    return df


def statistic(test: Test, sums: Sums, n: int, df: int) -> tuple[FloatArray, FloatArray]:
    """The test's statistic and its -log10 p, both (b,)."""
    if test == "lrt":
        chi2 = n * np.log(sums.ypy / sums.ypy_with)
        return chi2, neg_log10_chi2_sf(chi2)
    explained = sums.xpy**2 / sums.xpx
    f = n * explained / sums.ypy if test == "score" else df * explained / sums.ypy_with
    return f, neg_log10_f_sf(f, df)


def usable_columns(dosage: FloatArray, design: Design) -> tuple[FloatArray, np.ndarray]:
    """Columns that can be tested, centred, and the status of all columns.

    The returned array is (n, number of "ok"), float64 and new.  Columns that the covariates explain
    almost whole are projected, so that what is left of them keeps its digits; the others are not,
    since whitening is followed by a projection anyway.
    """
    low, high = np.min(dosage, axis=0), np.max(dosage, axis=0)
    status = np.full(dosage.shape[1], OK, dtype=object)
    missing, constant = np.isnan(low), low == high
    status[missing], status[constant] = ALL_MISSING, MONOMORPHIC
    if missing.any() or constant.any():
        dosage = dosage[:, ~(missing | constant)]
    mean = dosage.mean(axis=0, dtype=np.float64)
    x = np.subtract(dosage, mean, dtype=np.float64, order="F")
    variation = np.einsum("ij,ij->j", x, x)
    left = variation - np.sum((design.basis.T @ x) ** 2, axis=0)
    near = np.flatnonzero(left < NEARLY_COLLINEAR * variation)
    if not near.size:
        return x, status
    x[:, near] = design.project(x[:, near])
    left[near] = np.einsum("ij,ij->j", x[:, near], x[:, near])
    inside = left <= COLLINEAR_TOLERANCE * variation
    status[np.flatnonzero(status == OK)[inside]] = COLLINEAR
    return (x[:, ~inside] if inside.any() else x), status


def spread(values: FloatArray, good: np.ndarray) -> FloatArray:
    """``values`` at the places where ``good`` holds, NaN elsewhere."""
    result = np.full(good.shape, np.nan)
    result[good] = values
    return result


def _lens(y: FloatArray, design: Design, covariance: Covariance, h2: float) -> Lens:
    factor = covariance.factor(weight=h2)
    return Lens(factor, whiten_trait(factor, y, design, h2=h2))


def sums_of(trait: WhitenedTrait, whitened: FloatArray) -> Sums:
    """Quadratic forms of whitened variants, (n, b), which are overwritten."""
    x = whitened
    x -= trait.basis @ (trait.basis.T @ x)
    xpx = np.einsum("ij,ij->j", x, x)
    xpy = trait.residual @ x
    ypy = np.full(xpx.shape, trait.ypy)
    ypy_with = ypy - xpy**2 / xpx
    near = np.flatnonzero(ypy_with < (1.0 - NEARLY_EXACT_FIT) * trait.ypy)
    rest = trait.residual[:, None] - x[:, near] * (xpy[near] / xpx[near])
    ypy_with[near] = np.einsum("ij,ij->j", rest, rest)
    return Sums(xpx, xpy, ypy, np.maximum(ypy_with, EXACT_FIT * ypy))
