"""Results of a set of variants, column by column."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nextlmm.assoc.scan import AssociationBlock
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray


@dataclass(frozen=True, eq=False)
class ScanColumns:
    """Results of some variants, all (m,), in the order of ``variants``.

    ``log_p_low`` and ``log_p_high`` bound the -log10 p of the exact model; None if it was used.
    """

    variants: IndexArray
    beta: FloatArray
    standard_error: FloatArray
    chi2: FloatArray
    neg_log_10_p_value: FloatArray
    h2: FloatArray
    status: np.ndarray
    log_p_low: FloatArray | None = None
    log_p_high: FloatArray | None = None


def replaced(
    columns: ScanColumns,
    at: IndexArray,
    new: ScanColumns,
    ends: tuple[FloatArray, FloatArray],
) -> ScanColumns:
    """The same columns with the results of ``new``, and its ``ends``, at the positions ``at``."""
    log_p, (low, high) = new.neg_log_10_p_value, ends
    return replace(
        columns,
        beta=_put(columns.beta, at, new.beta),
        standard_error=_put(columns.standard_error, at, new.standard_error),
        chi2=_put(columns.chi2, at, new.chi2),
        neg_log_10_p_value=_put(columns.neg_log_10_p_value, at, log_p),
        h2=_put(columns.h2, at, new.h2),
        status=_put(columns.status, at, new.status),
        log_p_low=put_bound(columns.log_p_low, at, low),
        log_p_high=put_bound(columns.log_p_high, at, high),
    )


def _put(old: np.ndarray, at: IndexArray, values: np.ndarray) -> np.ndarray:
    changed = old.copy()
    changed[at] = values
    return changed


def put_bound(bound: FloatArray | None, at: IndexArray, values: FloatArray) -> FloatArray | None:
    """A bound with exact values at the positions ``at``; None stays None."""
    return None if bound is None else _put(bound, at, values)


def joined(variants: IndexArray, blocks: Sequence[AssociationBlock]) -> ScanColumns:
    """Columns of blocks of variants, one after the other."""

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(block, name) for block in blocks])

    return ScanColumns(
        variants=variants,
        beta=column("beta"),
        standard_error=column("standard_error"),
        chi2=column("chi2"),
        neg_log_10_p_value=column("neg_log_10_p_value"),
        h2=column("h2"),
        status=column("status"),
    )
