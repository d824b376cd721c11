"""The packed matrix in single precision against the array that it stands for.

Tolerances.  One rounding is U = 2^-24 of what is rounded.  A product of n terms has an error of
some n U times the sum of the sizes of its terms at most (Higham 2002, section 3.5), and a solution
some n U times the condition number; n is used for both, which is the worst case and not typical.
"""

import numpy as np
import pytest

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg import packed
from nextlmm.linalg.dense import DenseCovariance, weighted_with_identity
from nextlmm.linalg.packed import (
    PackedCovariance,
    PackedTriangle,
    pack,
    packed_length,
    single_precision_error,
)

U = 2.0**-24
SIZES = (1, 2, 3, 4, 5, 10, 11, 40, 41)
WEIGHTS = (0.0, 0.3, 0.9)


def spd(n, seed=0):
    """A symmetric matrix of mean diagonal 1 without negative eigenvalues, exact in float32."""
    z = np.random.default_rng(seed).normal(size=(n, 2 * n))
    k = z @ z.T
    k = (k / np.mean(k.diagonal())).astype(np.float32).astype(np.float64)
    return np.asfortranarray(np.tril(k) + np.tril(k, -1).T)


@pytest.fixture(params=[1, 3, 256])
def strip(request, monkeypatch):
    """Strips and blocks narrower than the matrices, and wider."""
    monkeypatch.setattr(packed, "_STRIP", request.param)
    monkeypatch.setattr(packed, "_BLOCK", request.param)
    monkeypatch.setattr(packed, "_SUMMED", request.param)


@pytest.mark.usefixtures("strip")
@pytest.mark.parametrize("n", SIZES)
def test_triangle__is_the_lower_triangle(n):
    k = spd(n)
    triangle = pack(k)
    assert triangle.values.shape == (packed_length(n),)
    assert triangle.nbytes == 2 * n * (n + 1)
    np.testing.assert_array_equal(triangle.to_dense(), np.tril(k))
    np.testing.assert_array_equal(triangle.diagonal(), k.diagonal())
    expected = float((np.tril(k) ** 2).sum())
    assert triangle.squares() == pytest.approx(expected, rel=n * n * 2.0**-53)
    first, second, below = triangle.blocks()
    half = (n + 1) // 2
    np.testing.assert_array_equal(np.tril(first), np.tril(k[:half, :half]))
    np.testing.assert_array_equal(np.tril(second), np.tril(k[half:, half:]))
    np.testing.assert_array_equal(below, k[half:, :half])


@pytest.mark.parametrize("n", SIZES)
def test_triangle__changes_in_place(n):
    k, other = spd(n), spd(n, seed=1)
    triangle = pack(k)
    triangle.subtract_from(pack(other))
    expected = np.tril(other.astype(np.float32) - k.astype(np.float32))
    np.testing.assert_array_equal(triangle.to_dense(), expected)
    triangle.set_diagonal(np.arange(float(n)))
    np.testing.assert_array_equal(triangle.diagonal(), np.arange(float(n)))
    np.testing.assert_array_equal(np.tril(triangle.to_dense(), -1), np.tril(expected, -1))


def test_triangle__refuses_another_length_or_precision():
    with pytest.raises(ValueError, match="a triangle of 3 rows has 6 float32 numbers, not"):
        PackedTriangle(3, np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="float64"):
        PackedTriangle(3, np.zeros(6))


@pytest.mark.usefixtures("strip")
@pytest.mark.parametrize("n", SIZES)
def test_covariance__does_what_the_array_does(n):
    k, scale = spd(n), 1.7
    covariance = PackedCovariance(pack(k), scale)
    assert covariance.n == n
    np.testing.assert_allclose(covariance.to_dense(), scale * k, rtol=2.0**-52)
    np.testing.assert_allclose(covariance.diagonal(), scale * k.diagonal(), rtol=2.0**-52)
    x = np.random.default_rng(2).normal(size=(n, 5)) * [1.0, 1e-200, 1e200, 0.0, 1e-3]
    product = covariance.matmul(x)
    bound = (n + 2) * U * scale * (np.abs(k) @ np.abs(x))
    assert (np.abs(product - scale * k @ x) <= bound).all()
    np.testing.assert_allclose(covariance.matmul(x[:, 0]), product[:, 0], atol=bound[:, 0].max())


@pytest.mark.usefixtures("strip")
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("n", SIZES)
def test_factor__does_what_the_array_does(n, weight):
    k = spd(n)
    sigma = weighted_with_identity(1.25 * k, weight)
    check(PackedCovariance(pack(k), 1.25).factor(weight), sigma)


def check(factor, sigma):
    """The conformance suite of factors, with the rounding of single precision."""
    n = len(sigma)
    size = np.linalg.norm(sigma, 2)
    rounding = 4.0 * n * U  # relative backward error of a factorisation or a solve
    condition = rounding * np.linalg.cond(sigma)
    x = np.random.default_rng(5).normal(size=(n, 4))
    w = factor.unwhiten(np.eye(n))
    assert factor.n == n
    np.testing.assert_array_equal(w, np.tril(w))
    np.testing.assert_allclose(w @ w.T, sigma, atol=rounding * size, rtol=0)
    np.testing.assert_allclose(factor.diagonal(), sigma.diagonal(), atol=rounding * size, rtol=0)
    np.testing.assert_allclose(factor.to_dense(), sigma, atol=2 * rounding * size, rtol=0)
    for computed, expected in (
        (factor.unwhiten(x), w @ x),
        (factor.unwhiten_transposed(x), w.T @ x),
        (factor.matmul(x), sigma @ x),
        (factor.whiten(x), np.linalg.solve(w, x)),
        (factor.whiten_transposed(x), np.linalg.solve(w.T, x)),
        (factor.solve(x), np.linalg.solve(sigma, x)),
        (factor.whiten(x[:, 0]), np.linalg.solve(w, x[:, 0])),
    ):
        assert computed.dtype == np.float64
        assert computed.shape == expected.shape
        scale = np.linalg.norm(expected) + np.linalg.norm(x)
        np.testing.assert_allclose(computed, expected, atol=2 * condition * scale, rtol=0)
    assert factor.logdet == pytest.approx(np.linalg.slogdet(sigma)[1], abs=n * condition)
    expected = float(np.trace(np.linalg.inv(sigma)))
    assert factor.inverse_squares() == pytest.approx(expected, rel=2 * condition)
    assert factor.nbytes == 2 * n * (n + 1)


def test_factor__conforms_on_matrices_of_real_kinds(k):
    check(PackedCovariance(pack(k)).factor(0.6), weighted_with_identity(k, 0.6))


@pytest.mark.parametrize("n", [10, 11])
def test_factor__leaves_its_input_alone(n):
    covariance = PackedCovariance(pack(spd(n)))
    before = covariance.to_dense()
    factor = covariance.factor(0.5)
    x = np.ones((n, 2), order="F")
    factor.solve(x)
    factor.inverse_squares()
    covariance.matmul(x)
    np.testing.assert_array_equal(x, 1.0)
    np.testing.assert_array_equal(covariance.to_dense(), before)
    again = factor.whiten(x)
    np.testing.assert_array_equal(factor.whiten(x), again)


def test_into_factor__is_the_factor_in_the_same_storage():
    triangle = pack(spd(12))
    expected = PackedCovariance(triangle).factor(0.4).unwhiten(np.eye(12))
    covariance = PackedCovariance(triangle)
    factor = covariance.into_factor(0.4)
    np.testing.assert_array_equal(factor.unwhiten(np.eye(12)), expected)
    np.testing.assert_array_equal(triangle.to_dense(), expected)
    with pytest.raises(ValueError, match="has been turned into its factor"):
        covariance.diagonal()


def test_whiten__takes_columns_of_any_size_and_order():
    factor = PackedCovariance(pack(spd(30))).factor(0.5)
    x = np.random.default_rng(1).normal(size=(30, 3))
    sizes = np.array([1e-310, 1e300, 0.0])
    whitened = factor.whiten(x * sizes)
    alone = factor.whiten(x)
    np.testing.assert_allclose(whitened[:, 1], 1e300 * alone[:, 1], rtol=60 * U * 1e3)
    np.testing.assert_allclose(whitened[:, 0], 1e-310 * alone[:, 0], atol=1e-313)
    np.testing.assert_array_equal(whitened[:, 2], 0.0)
    np.testing.assert_array_equal(factor.whiten(np.asfortranarray(x)), alone)


@pytest.mark.parametrize("n", [6, 7])
def test_factor__says_that_a_matrix_is_not_positive_definite(n):
    k = -np.eye(n)
    k[0, 0] = n
    covariance = PackedCovariance(pack(k))
    for factor in (covariance.factor, covariance.into_factor):
        with pytest.raises(NotPositiveDefiniteError, match=r"order 2 .* use double precision"):
            factor(0.9)


@pytest.mark.parametrize("h2", [0.05, 0.3, 0.76, 0.95, 0.99, 0.999])
def test_single_precision_error__is_not_exceeded(k, h2):
    n = len(k)
    x = np.random.default_rng(0).normal(size=(n, 500))
    x -= x.mean(axis=0)
    factor, dense = PackedCovariance(pack(k)).factor(h2), DenseCovariance(k).factor(h2)
    forms, exact = ((each.whiten(x) ** 2).sum(axis=0) for each in (factor, dense))
    estimate = single_precision_error(h2, float(np.linalg.eigvalsh(k)[-1]), n)
    assert np.abs(forms / exact - 1.0).max() <= estimate


def test_single_precision_error__grows_towards_one():
    assert single_precision_error(0.0, 100.0, 1000) == 4 * U
    assert single_precision_error(0.969, 100.0, 1000) == pytest.approx(1e-5, rel=0.05)
    assert single_precision_error(0.5, 1000.0, 1000) == 20 * U
