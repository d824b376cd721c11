"""How far the results of a program are from the exact answer of its model."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import chi2

# What the text of one program and the searches for a heritability of both leave of the same number.
ABSOLUTE = 0.002
RELATIVE = 0.0005
LEAST_CHI2 = 1.0  # the ratio of two statistics next to zero says nothing

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Two tables compared variant by variant.

    Attributes
    ----------
    compared, unmatched : variants that both tested, and that only one of them could test.
    max_log_p, rms_log_p : largest and root mean square difference of -log10 p.
    max_relative_chi2 : largest relative difference of chi2 where the exact one is above 1; None
        where the program does not give the statistic.
    beyond_tolerance : variants that differ by more than 0.002 + 0.0005 (-log10 p).
    largest_log_p : of the exact answer.
    lambda_gc, exact_lambda_gc : chi2 of the median p-value over that of 1/2.
    """

    compared: int
    unmatched: int
    max_log_p: float
    rms_log_p: float
    max_relative_chi2: float | None
    beyond_tolerance: int
    largest_log_p: float
    lambda_gc: float
    exact_lambda_gc: float


def compare(table: pl.DataFrame, exact: pl.DataFrame) -> Agreement:
    """Compare neg_log_10_p_value and chi2 of variants with the same variant_id."""
    tested = [part.drop_nulls("neg_log_10_p_value") for part in (table, exact)]
    both = tested[0].join(tested[1], on="variant_id", how="inner", suffix="_exact", validate="1:1")
    value, expected, statistic, exact_statistic = (
        both[name].to_numpy()
        for name in ("neg_log_10_p_value", "neg_log_10_p_value_exact", "chi2", "chi2_exact")
    )
    difference = np.abs(value - expected)
    return Agreement(
        compared=len(both),
        unmatched=sum(len(part) for part in tested) - 2 * len(both),
        max_log_p=float(difference.max(initial=0.0)),
        rms_log_p=float(np.sqrt(np.mean(difference**2))) if len(both) else 0.0,
        max_relative_chi2=_max_relative(statistic, exact_statistic),
        beyond_tolerance=int(np.sum(~(difference <= ABSOLUTE + RELATIVE * expected))),
        largest_log_p=float(expected.max(initial=0.0)),
        lambda_gc=lambda_gc(value),
        exact_lambda_gc=lambda_gc(expected),
    )


def lambda_gc(log_p: FloatArray) -> float:
    """Genomic control: the chi2 of the median p-value over the median chi2 without inflation."""
    if not len(log_p):
        return float("nan")
    return float(chi2.isf(10.0 ** -np.median(log_p), 1) / chi2.median(1))


def _max_relative(statistic: FloatArray, exact: FloatArray) -> float | None:
    usable = exact >= LEAST_CHI2
    if not usable.any() or np.isnan(statistic[usable]).all():
        return None
    return float(np.nanmax(np.abs(statistic[usable] / exact[usable] - 1.0)))
