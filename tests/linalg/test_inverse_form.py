"""x' Sigma^-1 x as squares against the solution of the linear system."""

import numpy as np
import pytest

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.hodlr import DiagonalFactor, MergedFactor
from nextlmm.linalg.inverse_form import inverse_form
from nextlmm.linalg.packed import PackedCovariance, pack
from nextlmm.linalg.spectral import spectral_covariance


def spd(rng, n):
    z = rng.normal(size=(n, 3 * n))
    return z @ z.T / (3 * n)


def merged(rng, leaves):
    left, right = leaves
    basis = np.linalg.qr(rng.normal(size=(left.n + right.n, 3)))[0]
    return MergedFactor(left, right, basis, np.array([0.5, 2.0, 7.0]))


def factors(rng):
    dense = [DenseCovariance(spd(rng, n)).factor(0.6) for n in (40, 33)]
    yield dense[0]
    yield merged(rng, dense)
    yield merged(rng, [DiagonalFactor(np.full(20, 1.5)), DiagonalFactor(np.full(13, 1.5))])
    yield merged(rng, [DiagonalFactor(rng.uniform(1, 2, 20)), dense[1]])
    yield merged(rng, [merged(rng, dense), dense[0]])


@pytest.mark.parametrize("which", range(5))
def test_inverse_form__is_that_of_the_factor(rng, which):
    factor = list(factors(rng))[which]
    x = rng.normal(size=(factor.n, 6))
    expected = np.einsum("ij,ij->j", x, factor.solve(x))
    form = inverse_form(factor)
    np.testing.assert_allclose(form.of(x), expected, rtol=1e-11)
    diagonal = np.diag(factor.solve(np.eye(factor.n)))
    np.testing.assert_allclose(form.diagonal(factor.n), diagonal, rtol=1e-11)


def test_inverse_form__of_a_packed_factor_in_single_precision(rng):
    k = spd(rng, 70)
    x = rng.normal(size=(70, 6))
    packed = inverse_form(PackedCovariance(pack(k)).factor(0.5)).of(x)
    expected = np.einsum("ij,ij->j", x, DenseCovariance(k).factor(0.5).solve(x))
    # condition number below 20, and errors of a rounding of 6e-8 that add up like sqrt(n)
    np.testing.assert_allclose(packed, expected, rtol=1e-5)


def test_inverse_form__less_takes_squares_off(rng):
    factor = next(factors(rng))
    x, v = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    form = inverse_form(factor)
    taken = form.of(x) - form.less(v).of(x)
    np.testing.assert_allclose(taken, np.sum((v.T @ x) ** 2, axis=0), rtol=1e-9)


def test_inverse_form__of_an_unknown_factor_is_refused(rng):
    factor = spectral_covariance(np.asfortranarray(spd(rng, 10))).factor(0.5)
    with pytest.raises(TypeError, match="not known"):
        inverse_form(factor)
