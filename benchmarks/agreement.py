"""How far the -log10 p of two programs are from each other."""

from dataclasses import dataclass

import numpy as np
import polars as pl

# What the text of one program and the searches for a heritability of both leave of the same number.
ABSOLUTE = 0.002
RELATIVE = 0.0005


@dataclass(frozen=True)
class Agreement:
    """Two tables compared variant by variant.

    ``unmatched`` counts the variants that only one of the two could test, ``beyond_tolerance``
    those whose difference is above 0.002 + 0.0005 (-log10 p).
    """

    compared: int
    unmatched: int
    largest_difference: float
    beyond_tolerance: int
    largest_neg_log_10_p: float


def compare(table: pl.DataFrame, reference: pl.DataFrame) -> Agreement:
    """Compare the column neg_log_10_p_value of variants with the same variant_id."""
    pairs = table.join(
        reference, on="variant_id", how="full", coalesce=True, suffix="_expected", validate="1:1"
    )
    both = pairs.drop_nulls()
    value, expected = (
        both[column].to_numpy() for column in ("neg_log_10_p_value", "neg_log_10_p_value_expected")
    )
    difference = np.abs(value - expected)
    return Agreement(
        compared=len(both),
        unmatched=len(pairs) - len(both),
        largest_difference=float(difference.max(initial=0.0)),
        beyond_tolerance=int(np.sum(~(difference <= ABSOLUTE + RELATIVE * expected))),
        largest_neg_log_10_p=float(expected.max(initial=0.0)),
    )
