"""Against eigenvalues; what is random is compared with the error that is printed."""

import numpy as np
import pytest

from nextlmm.linalg.lanczos import Lanczos, Measure
from nextlmm.lmm.trace_curve import TraceCurve, log_shifted, log_shifted_slope

from ..linalg.conftest import structured


def curve(k, seed, *, n_long=16, n_short=60, short_steps=3, n_components=3):
    values, vectors = np.linalg.eigh(k)
    top = vectors[:, len(k) - n_components :]
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(len(k), n_long + n_short))
    process = Lanczos(lambda x: k @ x, signs - top @ (top.T @ signs))
    process.extend(np.arange(n_long + n_short), short_steps)
    process.extend(np.arange(n_long), 30)
    kept = len(k) - n_components
    return TraceCurve(
        tuple(Measure(np.array([x]), np.ones(1)) for x in values[kept:]),
        kept,
        float(values[:kept].sum()),
        tuple(process.jacobi(j).gauss() for j in range(n_long)),
        tuple(process.jacobi(j).moments() for j in range(n_long, n_long + n_short)),
        2 * short_steps,
    )


@pytest.mark.parametrize("n_short", [0, 60])
@pytest.mark.parametrize("h", [0.1, 0.6, 0.95])
def test_values__scatter_around_the_truth_as_printed(h, n_short):
    k = structured(120, 300)
    at, step = np.array([h]), 1e-4
    values = np.linalg.eigvalsh(k)
    truth = log_shifted(at, values).sum(), log_shifted_slope(at, values).sum()
    scaled = []
    for seed in range(40):
        found = curve(k, seed, n_short=n_short)
        low, middle, high = found.values(np.array([h - step, h, h + step]))
        errors = found.errors(h)
        scaled.append(
            ((middle - truth[0]) / errors[0], ((high - low) / (2 * step) - truth[1]) / errors[1])
        )
    # 40 draws determine a root mean square to 11 %, and 16 probes an error to 18 %
    assert (np.sqrt(np.mean(np.square(scaled), axis=0)) < 1.6).all()
    assert (np.sqrt(np.mean(np.square(scaled), axis=0)) > 0.6).all()


def test_short_probes__reduce_the_error():
    k = structured(120, 300)
    plain, shared = curve(k, 1, n_short=0), curve(k, 1, n_short=200)
    assert shared.errors(0.6)[1] < 0.7 * plain.errors(0.6)[1]
    assert (plain.n_long, plain.n_short, shared.n_short) == (16, 0, 200)


def test_values__are_exact_where_a_line_is(rng):
    # at small h the logarithm is nearly linear, and the trace of the line is known
    k = structured(120, 300)
    found = curve(k, 1, n_short=0).values(np.array([1e-4]))[0]
    expected = np.log1p(1e-4 * (np.linalg.eigvalsh(k) - 1.0)).sum()
    assert found == pytest.approx(expected, abs=1e-6)


def test_values__of_a_matrix_with_one_eigenvalue():
    found = curve(2.0 * np.eye(50), 1, n_components=0)
    assert found.values(np.array([0.5]))[0] == pytest.approx(50 * np.log(1.5), rel=1e-12)
    # rounding of sums of 50 terms
    assert max(found.errors(0.5)) < 1e-10
    first, second = found.slope_square(0.5)
    assert (first, second) == pytest.approx((50 / 1.5, 50 / 1.5**2), rel=0.2)
