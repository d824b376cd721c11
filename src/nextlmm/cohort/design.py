"""The covariate matrix, checked for columns that cannot be told apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from nextlmm.errors import DesignError

FloatArray = NDArray[np.float64]

COLLINEAR_TOLERANCE = 1e-7
"""A covariate is collinear if less than this part of its spread is left by the others."""

SMALLEST_SPREAD, LARGEST_SPREAD = 1e-100, 1e100
"""Spread of a trait, largest minus smallest value, whose variance components are doubles."""

_CONSTANT_TOLERANCE = 1e-13  # spread / size: a few roundings of a double
_NEGLIGIBLE_WEIGHT = 1e-6


def is_constant(values: FloatArray) -> bool:
    """Whether the finite values differ by no more than roundings."""
    size = float(np.abs(values).max())
    # Dividing first keeps differences of very large values in range.
    return size == 0.0 or float(np.ptp(values / size)) <= _CONSTANT_TOLERANCE


def spread_out_of_range(values: FloatArray) -> float | None:
    """Largest minus smallest value if squares of it would leave the range of doubles, else None."""
    size = float(np.abs(values).max())
    spread = size * float(np.ptp(values / size)) if size > 0.0 else 0.0
    return None if SMALLEST_SPREAD <= spread <= LARGEST_SPREAD else spread


def unit_columns(columns: FloatArray) -> FloatArray:
    """The columns (n, k) centred and divided by their norms; no column may be constant."""
    # A power of two keeps squares of very large or small values in range and all their digits.
    _, exponent = np.frexp(np.abs(columns).max(axis=0))
    centred = np.ldexp(columns, -exponent)
    for _ in range(2):  # the mean of values around a large one has a rounding of its own
        centred -= centred.mean(axis=0)
    return np.asarray(centred / np.linalg.norm(centred, axis=0))


def check_size(n_samples: int, n_covariates: int) -> None:
    """Refuse fewer samples than leave a degree of freedom.

    Parameters
    ----------
    n_samples : analysed samples.
    n_covariates : covariates without the intercept.

    Raises
    ------
    DesignError
        If an intercept, the covariates and one variant leave nothing to estimate a variance from.
    """
    least = n_covariates + 3
    if n_samples < least:
        raise DesignError(
            f"there are too few samples: {n_samples} analysed, for an intercept and {n_covariates} "
            f"covariates; expected at least {least}: choose fewer covariates, or check which "
            "samples are left"
        )


def check_covariates(columns: FloatArray, names: Sequence[str], where: str) -> None:
    """Refuse covariates that are constant or linear combinations of others.

    Parameters
    ----------
    columns : (n, k) covariates without the intercept.
    names : their k names.
    where : the file, for messages.

    Raises
    ------
    DesignError
        If one is constant, or a linear combination of others and a constant; the sentence names it,
        and the others.

    Columns are centred and scaled to unit norm, so neither unit nor origin matters; the rank is
    that of a pivoted QR decomposition.
    """
    n = len(columns)
    for name, column in zip(names, columns.T, strict=True):
        if is_constant(column):
            raise DesignError(
                f"covariate '{name}' of {where} is {column[0]:g} in all {n:,} analysed samples; "
                "expected values that differ (an intercept is always included): leave it out"
            )
    if len(names) > 1:
        _check_rank(unit_columns(columns), names, where)


def _check_rank(unit: FloatArray, names: Sequence[str], where: str) -> None:
    """Refuse centred unit columns (n, k) that are linearly dependent."""
    r, pivot = linalg.qr(unit, mode="r", pivoting=True, check_finite=False)
    size = np.abs(np.diagonal(r))
    rank = int(np.count_nonzero(size > COLLINEAR_TOLERANCE))
    if rank == unit.shape[1]:
        return
    weights = linalg.solve_triangular(r[:rank, :rank], r[:rank, rank], check_finite=False)
    involved = pivot[:rank][np.abs(weights) > _NEGLIGIBLE_WEIGHT]
    # Any of them could be called the dependent one: name the last of the file.
    *others, last = sorted([*involved.tolist(), int(pivot[rank])])
    listed = _join([f"'{names[i]}'" for i in others])
    raise DesignError(
        f"covariate '{names[last]}' of {where} is collinear with {listed} in the {len(unit):,} "
        "analysed samples, so that their effects cannot be told apart: leave one of them out"
    )


def _join(items: list[str], most: int = 6) -> str:
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def residual_fraction(y: FloatArray, columns: FloatArray) -> float:
    """The part of the spread of y (n,) that covariates (n, k) and an intercept leave, 0 to 1."""
    unit = unit_columns(y[:, None])[:, 0]
    if columns.shape[1] == 0:
        return 1.0
    q, _ = linalg.qr(unit_columns(columns), mode="economic", check_finite=False)
    return float(np.linalg.norm(unit - q @ (q.T @ unit)))
