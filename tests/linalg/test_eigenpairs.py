"""Eigenpairs of matrices whose spectra are known, hard ones among them."""

import numpy as np
import pytest

from nextlmm.errors import ConvergenceError
from nextlmm.linalg.eigenpairs import leading_eigenpairs


def with_spectrum(values, seed=0):
    n = len(values)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    return (q * values) @ q.T, q


def found(a, count, **choices):
    choices = {"tolerance": 1e-8, "rng": np.random.default_rng(1)} | choices
    return leading_eigenpairs(lambda x: a @ x, len(a), count, **choices)


@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize(
    "values",
    [
        np.geomspace(100.0, 1e-3, 400),
        np.concatenate([[50.0, 20.0], np.linspace(2.0, 0.5, 398)]),  # a bulk without gaps
        np.concatenate([np.full(4, 7.0), np.linspace(1.0, 0.0, 396)]),  # equal values
        np.linspace(3.0, 1.0, 12),  # fewer rows than a block has columns
    ],
)
def test_leading_eigenpairs__are_those_of_dense_algebra(values, count):
    values = np.sort(values)[::-1]
    a, _ = with_spectrum(values)
    pairs = found(a, count)
    # A value is off by no more than its residual, and two sorted lists so by the largest.
    np.testing.assert_allclose(pairs.values, values[:count], atol=1e-8 * values[0])
    residual = a @ pairs.vectors - pairs.vectors * pairs.values
    measured = np.linalg.norm(residual, axis=0) / pairs.values
    assert (pairs.residuals <= 1e-8).all()
    np.testing.assert_allclose(measured, pairs.residuals, atol=1e-13)
    gram = pairs.vectors.T @ pairs.vectors
    np.testing.assert_allclose(gram, np.eye(count), atol=1e-12)


def test_leading_eigenpairs__vectors_where_values_are_apart():
    values = np.concatenate([[9.0, 5.0, 3.0], np.linspace(1.0, 0.0, 300)])
    a, q = with_spectrum(values)
    pairs = found(a, 3)
    along = np.abs(np.einsum("ij,ij->j", pairs.vectors, q[:, :3]))
    # sin(angle) <= |r| / gap <= 1e-8 * 9 / 2, of which the cosine sees the square.
    np.testing.assert_allclose(along, 1.0, atol=1e-14)
    np.testing.assert_allclose(pairs.gaps, [4 / 9, 2 / 5, 2 / 3], rtol=0.05)


def test_leading_eigenpairs__no_more_than_there_are():
    values = np.concatenate([[3.0, 2.0, 1.0], np.zeros(100)])
    a, _ = with_spectrum(values)
    pairs = found(a, 8)
    np.testing.assert_allclose(pairs.values, [3.0, 2.0, 1.0], rtol=1e-12)


def test_leading_eigenpairs__says_what_it_did_not_reach(monkeypatch):
    monkeypatch.setattr("nextlmm.linalg.eigenpairs._MOST_PASSES", 8)
    a, _ = with_spectrum(np.linspace(2.0, 1.0, 800))
    with pytest.raises(ConvergenceError, match=r"component \d+ of 10 has a residual of .* after 8"):
        found(a, 10)
