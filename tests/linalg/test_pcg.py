"""Against dense solutions; tolerances are those asked for, which are promises of the solver."""

import numpy as np
import pytest

from nextlmm.errors import ConvergenceError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.pcg import inverse_forms, solve

from .conftest import structured


class Counted:
    """Products with weighted sums of a matrix and the identity, another weight for each column."""

    def __init__(self, k, weights, dtype=np.float64):
        self.k, self.weights, self.dtype = k.astype(dtype), np.asarray(weights), dtype
        self.columns = 0

    def __call__(self, x, columns):
        assert x.shape[1] == len(columns)
        self.columns += len(columns)
        weight = self.weights[columns]
        return weight * (self.k @ x.astype(self.dtype)) + (1.0 - weight) * x


def dense(k, weight):
    return weight * k + (1.0 - weight) * np.eye(len(k))


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.99])
def test_solve__is_the_dense_solution(k, weight, rng):
    b = rng.normal(size=(len(k), 4)) * [1.0, 1e-8, 1e8, 0.0]
    tolerance = 1e-9 * np.linalg.norm(b, axis=0)
    found = solve(Counted(k, np.full(4, weight)), None, b, tolerance=tolerance)
    sigma = dense(k, weight)
    true = np.linalg.norm(b - sigma @ found.x, axis=0)
    assert (true <= tolerance * (1.0 + 1e-3)).all()
    rounding = 1e-12 * np.linalg.norm(b, axis=0)  # of products with eigenvalues up to 40
    assert (np.abs(found.residual_norm - true) <= rounding).all()
    expected = np.linalg.solve(sigma, b)
    assert (np.linalg.norm(found.x - expected, axis=0) <= tolerance / (1.0 - weight)).all()
    assert found.iterations[3] == 0


def test_solve__columns_have_their_own_matrix_and_leave_when_done(rng):
    k = structured()
    weights = [0.1, 0.9, 0.5]
    product = Counted(k, weights)
    b = rng.normal(size=(len(k), 3))
    found = solve(product, None, b, tolerance=1e-6)
    for j, weight in enumerate(weights):
        assert np.linalg.norm(b[:, j] - dense(k, weight) @ found.x[:, j]) <= 1e-6
    assert found.iterations[0] < found.iterations[2] < found.iterations[1]
    assert product.columns == found.iterations.sum() + 3  # and once for the true residual


def test_solve__a_preconditioner_saves_iterations(rng):
    k = structured()
    factor = DenseCovariance(k).factor(0.5)
    b = rng.normal(size=(len(k), 2))
    plain = solve(Counted(k, [0.6, 0.7]), None, b, tolerance=1e-8)
    quick = solve(Counted(k, [0.6, 0.7]), lambda x, _: factor.solve(x), b, tolerance=1e-8)
    assert (quick.iterations < plain.iterations / 2).all()
    assert quick.x == pytest.approx(plain.x, abs=1e-7)


def test_solve__refines_products_of_low_precision(rng):
    k = structured()
    b = rng.normal(size=(len(k), 3))
    weights = np.full(3, 0.8)
    exact = Counted(k, weights)
    found = solve(Counted(k, weights, np.float32), None, b, tolerance=1e-11, exact_product=exact)
    assert found.restarts >= 1
    assert exact.columns <= 3 * (found.restarts + 1)
    # 1e-14: rounding of a product of 150 terms of order 1
    assert (np.linalg.norm(b - dense(k, 0.8) @ found.x, axis=0) <= 1e-11 + 1e-14).all()


def test_solve__starts_anywhere(rng):
    k = structured()
    b = rng.normal(size=(len(k), 2))
    answer = np.linalg.solve(dense(k, 0.5), b)
    at_once = solve(Counted(k, [0.5, 0.5]), None, b, tolerance=1e-9, start=answer)
    assert (at_once.iterations == 0).all()
    near = solve(Counted(k, [0.5, 0.5]), None, b, tolerance=1e-9, start=answer + 1e-6)
    far = solve(Counted(k, [0.5, 0.5]), None, b, tolerance=1e-9)
    assert (near.iterations < far.iterations).all()
    assert (near.residual_norm <= 1e-9).all()


def test_solve__a_start_is_not_believed_before_its_residual_is_true(rng):
    k = structured()
    b = rng.normal(size=(len(k), 2))
    weights = [0.5, 0.5]
    start = np.linalg.solve(dense(k, 0.5).astype(np.float32), b.astype(np.float32))
    found = solve(
        Counted(k, weights, np.float32),
        None,
        b,
        tolerance=1e-10,
        exact_product=Counted(k, weights),
        start=start.astype(np.float64),
    )
    # 1e-14: rounding of a product of 150 terms of order 1
    assert (np.linalg.norm(b - dense(k, 0.5) @ found.x, axis=0) <= 1e-10 + 1e-14).all()


def test_solve__a_start_with_no_residual_left_is_the_answer(rng):
    k = structured()
    b = rng.normal(size=(len(k), 2))
    single, double = (Counted(k, [0.0, 0.0], dtype) for dtype in (np.float32, np.float64))
    found = solve(single, None, b, tolerance=1e-12, exact_product=double, start=b)
    assert (found.iterations == 0).all()
    assert (found.x == b).all()


def test_solve__a_start_that_is_worse_than_nothing_is_dropped(rng):
    k = structured()
    b = rng.normal(size=(len(k), 2))
    far = np.column_stack((np.full(len(k), 1e12), np.full(len(k), np.nan)))
    found, plain = (
        solve(Counted(k, [0.5, 0.5]), None, b, tolerance=1e-9, start=start) for start in (far, None)
    )
    assert found.x.tobytes() == plain.x.tobytes()


def test_solve__the_same_bytes_every_time(rng):
    k = structured()
    b = rng.normal(size=(len(k), 3))
    one, two = (solve(Counted(k, [0.2, 0.5, 0.9]), None, b, tolerance=1e-7) for _ in range(2))
    assert one.x.tobytes() == two.x.tobytes()


def test_solve__says_when_iterations_run_out(rng):
    k = structured()
    b = rng.normal(size=(len(k), 2))
    with pytest.raises(ConvergenceError, match="right-hand side 2, was not solved: after 3 iter"):
        solve(Counted(k, [0.0, 0.99]), None, b, tolerance=1e-6, max_iterations=3)


def test_solve__says_when_precision_is_not_enough(rng):
    k = structured()
    b = rng.normal(size=(len(k), 1))
    with pytest.raises(ConvergenceError, match="no longer falls"):
        solve(Counted(k, [0.5]), None, b, tolerance=1e-17)
    with pytest.raises(ConvergenceError, match="no longer falls"):
        solve(Counted(k, [0.5], np.float32), None, b, tolerance=1e-12)


@pytest.mark.parametrize("shift", [-2.0, np.nan])
def test_solve__says_when_the_matrix_is_not_positive_definite(rng, shift):
    k = structured()
    b = rng.normal(size=(len(k), 1))
    with pytest.raises(ConvergenceError, match="positive definite"):
        solve(lambda x, _: k @ x + shift * x, None, b, tolerance=1e-9)
    with pytest.raises(ConvergenceError, match="preconditioner"):
        solve(Counted(k, [0.5]), lambda x, _: shift * x, b, tolerance=1e-9)


@pytest.mark.parametrize("rtol", [0.1, 1e-4, 1e-8])
@pytest.mark.parametrize("weight", [0.0, 0.5, 0.99])
def test_inverse_forms__bracket_the_truth(k, weight, rtol, rng):
    x = rng.normal(size=(len(k), 5)) * [1.0, 1e-8, 1e8, 0.0, 1.0]
    x[:, 4] = np.linalg.eigh(k)[1][:, 0]  # where the form is largest
    value, error = inverse_forms(
        Counted(k, np.full(5, weight)), None, x, smallest_eigenvalue=1.0 - weight, rtol=rtol
    )
    truth = np.einsum("ij,ij->j", x, np.linalg.solve(dense(k, weight), x))
    slack = 1e-12 * truth  # rounding of the dense solution
    assert (value <= truth + slack).all()
    assert (truth <= value + error + slack).all()
    assert (error <= rtol * value).all()
    assert (value[3], error[3]) == (0.0, 0.0)


def test_inverse_forms__bracket_the_truth_with_low_precision_and_a_preconditioner(rng):
    k = structured()
    x = rng.normal(size=(len(k), 6))
    weights = np.array([0.3, 0.5, 0.9, 0.3, 0.5, 0.9])
    factor = DenseCovariance(k).factor(0.5)
    value, error = inverse_forms(
        Counted(k, weights, np.float32),
        lambda x, _: factor.solve(x),
        x,
        smallest_eigenvalue=1.0 - weights,
        rtol=1e-12,
        exact_product=Counted(k, weights),
    )
    truth = [x[:, j] @ np.linalg.solve(dense(k, w), x[:, j]) for j, w in enumerate(weights)]
    assert value == pytest.approx(truth, rel=2e-12)
    assert (error <= 1e-12 * value).all()


def test_inverse_forms__says_when_iterations_run_out(rng):
    k = structured()
    x = rng.normal(size=(len(k), 1))
    with pytest.raises(ConvergenceError, match="after 2 iterations"):
        inverse_forms(
            Counted(k, [0.9]), None, x, smallest_eigenvalue=0.1, rtol=1e-6, max_iterations=2
        )
