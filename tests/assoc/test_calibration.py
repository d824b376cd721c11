import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.assoc.calibration import EXTREMES, calibrate, choose_audit
from nextlmm.errors import NumericalError


def simulated(m, seed, *, spread=0.005, tilt=0.3):
    """x'P_F x, its share, and an exact x'Px whose ratio depends on the share."""
    rng = np.random.default_rng(seed)
    share = rng.lognormal(0.0, 0.3, m)
    predicted = share * rng.uniform(50, 500, m)
    exact = predicted * share**tilt * (1.0 + spread * rng.normal(size=m))
    return share, predicted, exact


def audited(share, predicted, exact, count, seed):
    chosen = choose_audit(share, count, np.random.default_rng(seed))
    return chosen, calibrate(share[chosen], predicted[chosen], exact[chosen])


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_holds_for_every_one_of_ten_thousand(seed):
    # The probability of a miss is 1e-7 a variant by the choice of the quantile, so 1e-3 a run.
    share, predicted, exact = simulated(10_000, seed)
    _, calibration = audited(share, predicted, exact, 192, seed)
    value, bound = calibration.corrected(predicted, share)
    assert np.all(np.abs(exact / value - 1.0) <= bound)


def test_the_ratio_follows_the_structure():
    """One ratio for all would be off by the tilt; the line takes nearly all of it away."""
    share, predicted, exact = simulated(10_000, 3, spread=1e-4)
    chosen, calibration = audited(share, predicted, exact, 384, 3)
    value, _ = calibration.corrected(predicted, share)
    single = predicted * (exact[chosen] / predicted[chosen]).mean()
    assert np.std(exact / value) < 0.05 * np.std(exact / single)


def test_the_audit_is_spread_over_the_shares_and_has_their_extremes():
    share, *_ = simulated(10_000, 4)
    chosen = choose_audit(share, 192, np.random.default_rng(0))
    assert np.all(np.diff(chosen) > 0)
    ordered = np.argsort(share)
    assert set(ordered[:EXTREMES]) | set(ordered[-EXTREMES:]) <= set(chosen)
    lowest = np.count_nonzero(share[chosen] < np.quantile(share, 0.02))
    assert lowest >= 30  # a sixth of the sample in a fiftieth of the variants


def test_variants_that_cannot_be_tested_are_not_audited():
    share, *_ = simulated(100, 5)
    share[::2] = np.nan
    chosen = choose_audit(share, 40, np.random.default_rng(0))
    assert np.isfinite(share[chosen]).all()


def test_an_exact_prediction_has_no_error():
    share, predicted, _ = simulated(100, 6)
    _, calibration = audited(share, predicted, 2.0 * predicted, 60, 0)
    value, bound = calibration.corrected(predicted, share)
    # logarithm, fit and exponential each lose a few units of the last place
    np.testing.assert_allclose(value, 2.0 * predicted, rtol=1e-13)
    assert bound.max() < 1e-12


@given(st.integers(3, 40), st.integers(0, 100))
def test_few_audited_variants_widen_the_bound(count, seed):
    share, predicted, exact = simulated(400, seed)
    _, small = audited(share, predicted, exact, count, seed)
    _, bound = small.corrected(predicted, share)
    assert np.all(bound >= 5.3 * small.spread)  # the normal quantile of 1e-7
    assert np.isfinite(bound).all()


def test_one_audited_variant_is_refused():
    with pytest.raises(NumericalError, match="expected at least 3"):
        calibrate(np.ones(1), np.ones(1), np.ones(1))
