"""The accuracy of leave-one-out, exact or from some samples, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.lmm.accuracy import accuracy
from nextlmm.lmm.leave_one_out import LeaveOneOut, deleted


def samples(rng, n, diagonal):
    """Samples by the deletion formula with Py, a fixed part and leverages at random."""
    py, conditional = rng.normal(size=n), 3.0 + rng.normal(size=n)
    leverage = rng.uniform(0.0, 0.1, n)
    return [deleted(py, conditional, leverage, own) for own in diagonal]


def some(found: LeaveOneOut, rows) -> LeaveOneOut:
    return LeaveOneOut(found.residual[rows], found.adjusted[rows], found.genetic[rows])


def test_accuracy__of_exact_predictions(rng):
    diagonal = rng.uniform(1.0, 2.0, 300)
    diagonal[[4, 7]] = np.nan
    (found,) = samples(rng, 300, [diagonal])
    known = found.is_known
    made = accuracy(found)
    a, g, d = found.adjusted[known], found.genetic[known], found.residual[known]
    assert (made.samples, made.solved) == (298, 298)
    r = np.corrcoef(a, g)[0, 1]
    assert made.correlation == pytest.approx(r, rel=1e-12)
    assert made.correlation_se == pytest.approx((1 - r**2) / np.sqrt(297), rel=1e-12)
    assert made.mean_squared_error == pytest.approx(np.mean(d**2), rel=1e-12)
    assert made.mean_squared_error_covariates == pytest.approx(np.mean(a**2), rel=1e-12)
    assert (made.correlation_error, made.mean_squared_error_error) == (0.0, 0.0)


@given(st.integers(0, 10**6))
def test_accuracy__every_sample_drawn_is_the_exact_one(seed):
    rng = np.random.default_rng(seed)
    exact, rough = samples(rng, 40, [rng.uniform(1.0, 2.0, 40), rng.uniform(0.5, 3.0, 40)])
    made, expected = accuracy(rough, exact, np.arange(40)), accuracy(exact)
    assert made.correlation == pytest.approx(expected.correlation, abs=1e-10)
    assert made.mean_squared_error == pytest.approx(expected.mean_squared_error, rel=1e-10)
    assert made.correlation_error == 0.0


@pytest.mark.parametrize("spread", [0.02, 0.3])
def test_accuracy__errors_are_what_drawing_other_samples_changes(rng, spread):
    """The mean over draws is the truth, and their spread is the error that each of them states."""
    n, count, draws = 400, 60, 400
    diagonal = rng.uniform(1.0, 2.0, n)
    rough = diagonal * np.exp(rng.normal(0.1, spread, n))
    exact, cheap = samples(rng, n, [diagonal, rough])
    truth = accuracy(exact)
    rows = [np.sort(rng.choice(n, count, replace=False)) for _ in range(draws)]
    made = [accuracy(cheap, some(exact, own), own) for own in rows]
    for name in ("correlation", "mean_squared_error"):
        values = np.array([getattr(each, name) for each in made])
        stated = np.sqrt(np.mean([getattr(each, f"{name}_error") ** 2 for each in made]))
        # a standard deviation of 400 values is known to some 4 %, a ratio's bias is of order 1/60
        assert np.std(values) == pytest.approx(stated, rel=0.2)
        assert abs(values.mean() - getattr(truth, name)) < 0.2 * stated


def test_accuracy__nothing_is_inherited(rng):
    n = 50
    found = LeaveOneOut(rng.normal(size=n), np.zeros(n), np.zeros(n))
    adjusted = found.residual
    made = accuracy(LeaveOneOut(adjusted, adjusted, np.zeros(n)))
    assert (made.correlation, made.correlation_se, made.correlation_error) == (None, None, None)
    assert made.mean_squared_error == pytest.approx(made.mean_squared_error_covariates)
