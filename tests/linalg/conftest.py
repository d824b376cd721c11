"""Relationship-like matrices of the kinds that real cohorts have, made from a seed."""

import numpy as np
import pytest


def structured(n=150, m=900, seed=0, populations=3, family=5):
    """K of dosage-like columns: populations, families of near-identical rows, unrelated rows."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(0.0, 0.7, (populations, m))
    rows = centre[rng.integers(0, populations, n)] + rng.normal(size=(n, m))
    for start in range(0, n // 2, family):
        stop = min(start + family, n // 2)
        shared = rng.normal(size=m)
        rows[start:stop] = (rows[start:stop] + 2.0 * shared) / np.sqrt(5.0)
    rows -= rows.mean(axis=0)
    k = rows @ rows.T
    k *= n / np.trace(k)
    permutation = rng.permutation(n)
    return np.asfortranarray(k[np.ix_(permutation, permutation)])


def low_rank(n=120, rank=3, seed=1):
    """K of few variants: singular, with most eigenvalues 0."""
    z = np.random.default_rng(seed).normal(size=(n, rank))
    z -= z.mean(axis=0)
    k = z @ z.T
    return np.asfortranarray(k * (n / np.trace(k)))


def twins(n=80, seed=2):
    """Every row twice."""
    k = structured(n // 2, 400, seed)
    return np.asfortranarray(np.kron(k, np.ones((2, 2))))


MATRICES = {
    "structured": structured,
    "low_rank": low_rank,
    "twins": twins,
    "identity": lambda: np.eye(100, order="F"),
    "broad": lambda: structured(130, 60, 3, populations=1, family=2),
}


@pytest.fixture(params=MATRICES)
def k(request):
    return MATRICES[request.param]()
