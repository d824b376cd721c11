"""Dominant eigenvectors of a symmetric operator by block Krylov iteration."""

from collections.abc import Callable

import numpy as np
from scipy import linalg

from nextlmm.linalg.covariance import FloatArray

Operator = Callable[[FloatArray], FloatArray]
Worth = Callable[[FloatArray], FloatArray]

_OVERSAMPLING = 8
_STEPS = 3


def dominant_eigenvectors(
    operator: Operator, n: int, count: int, *, worth: Worth, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Ritz values (count,) and orthonormal Ritz vectors (n, count) of largest ``worth``.

    ``worth`` maps eigenvalues to what it is worth to know them; it must grow away from the bulk of
    the spectrum, on one side or on both, because those are the ends that a Krylov space finds.

    Cost: ``4 (count + 8)`` columns through ``operator``, plus O(n count^2).
    Source: Musco and Musco 2015, Algorithm 2 (block Krylov iteration), with Rayleigh-Ritz.
    """
    block = min(n, count + _OVERSAMPLING)
    steps = min(_STEPS, max(0, (n - 1) // block))
    bases = [_orthonormal(rng.standard_normal((n, block)))]
    for _ in range(steps):
        bases.append(_against(operator(bases[-1]), bases))
    basis = np.hstack(bases)[:, :n]
    small = basis.T @ operator(basis)
    values, vectors = linalg.eigh((small + small.T) / 2.0, check_finite=False)
    best = np.argsort(-worth(values), kind="stable")[:count]
    return values[best], basis @ vectors[:, best]


def _against(x: FloatArray, bases: list[FloatArray]) -> FloatArray:
    """Orthonormal columns that span x outside the bases; twice is enough."""
    for _ in range(2):
        for basis in bases:
            x = x - basis @ (basis.T @ x)
        x = _orthonormal(x)
    return x


def _orthonormal(x: FloatArray) -> FloatArray:
    return np.asarray(linalg.qr(x, mode="economic", check_finite=False)[0])
