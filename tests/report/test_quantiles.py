import numpy as np
import polars as pl
import pytest

from nextlmm.report.quantiles import frequency_bins, quantiles


def test_quantiles__are_the_sorted_values() -> None:
    strength = np.array([0.1, 3.0, 1.0, 0.5])
    found = quantiles(strength)
    np.testing.assert_array_equal(found.observed, [3.0, 1.0, 0.5, 0.1])
    np.testing.assert_allclose(found.expected, -np.log10([0.125, 0.375, 0.625, 0.875]))
    assert (found.lower < found.upper).all()


def test_quantiles__the_band_of_the_smallest_is_that_of_a_minimum() -> None:
    found = quantiles(np.full(1000, 0.3))
    # P(min of n uniforms <= p) = 1 - (1 - p)^n
    expected = -np.log10(1.0 - (1.0 - np.array([0.025, 0.975])) ** (1 / 1000))
    np.testing.assert_allclose([found.upper[0], found.lower[0]], expected, rtol=1e-9)


def test_quantiles__thins_but_keeps_the_ends() -> None:
    strength = -np.log10(np.random.default_rng(0).random(100_000))
    found = quantiles(strength, count=50)
    assert len(found.observed) <= 100
    assert found.observed[0] == strength.max()
    assert found.observed[-1] == strength.min()
    assert found.n == 100_000


def test_frequency_bins__tell_variants_apart_by_their_rarer_allele() -> None:
    frequency = [0.005, 0.995, 0.01, 0.97, 0.1, 0.5, None]
    frame = pl.DataFrame(
        {
            "effect_allele_frequency": frequency,
            "neg_log_10_p_value": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, None],
        }
    )
    found = {(part.low, part.high): part.curve.observed.tolist() for part in frequency_bins(frame)}
    assert found == {
        (0.0, 0.01): [2.0, 1.0],
        (0.01, 0.05): [4.0, 3.0],
        (0.05, 0.2): [5.0],
        (0.2, 0.5): [6.0],
    }


def test_frequency_bins__lambda_is_that_of_the_bin() -> None:
    rng = np.random.default_rng(3)
    frame = pl.DataFrame(
        {
            "effect_allele_frequency": np.repeat([0.03, 0.4], 20_000),
            "neg_log_10_p_value": -np.log10(rng.random(40_000)) * np.repeat([1.0, 2.0], 20_000),
        }
    )
    null, inflated = frequency_bins(frame)
    assert null.lambda_gc == pytest.approx(1.0, abs=0.05)  # its standard error is about 0.013
    assert inflated.lambda_gc > 1.5
