import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.genotype import correlation
from nextlmm.genotype.array import array_source
from nextlmm.genotype.correlation import squared_correlation


def dosages(n: int = 60, m: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    first = rng.binomial(2, 0.4, n).astype(float)
    columns = [np.where(rng.random(n) < k / m, rng.binomial(2, 0.4, n), first) for k in range(m)]
    return np.stack(columns, axis=1).astype(float)


def test_squared_correlation__is_the_definition() -> None:
    g = dosages()
    samples = np.arange(5, 50)
    found = squared_correlation(array_source(g), 0, np.arange(1, 12), samples)
    expected = np.corrcoef(g[samples], rowvar=False)[0, 1:] ** 2
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_squared_correlation__missing_genotypes_are_at_the_mean() -> None:
    g = dosages()
    g[::7, 0] = np.nan
    g[3::5, 1] = np.nan
    imputed = np.where(np.isnan(g), np.nanmean(g, axis=0), g)
    found = squared_correlation(array_source(g), 0, np.array([1]), np.arange(60))
    np.testing.assert_allclose(found, np.corrcoef(imputed[:, 0], imputed[:, 1])[0, 1] ** 2)


@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 20))
def test_squared_correlation__does_not_depend_on_which_allele_counts(
    flips: list[bool], seed: int
) -> None:
    g = dosages(40, 4, seed)
    flipped = np.where(flips, 2.0 - g, g)
    index, samples = np.arange(4), np.arange(40)
    np.testing.assert_allclose(
        squared_correlation(array_source(flipped), 0, index, samples),
        squared_correlation(array_source(g), 0, index, samples),
        atol=1e-12,
    )


def test_squared_correlation__unknown_where_one_does_not_vary() -> None:
    g = dosages(20, 3)
    g[:, 1] = 1.3
    found = squared_correlation(array_source(g), 0, np.arange(3), np.arange(20))
    assert np.isnan(found[1])
    assert found[0] == pytest.approx(1.0, abs=1e-14)
    assert np.isnan(squared_correlation(array_source(g), 1, np.arange(3), np.arange(20))).all()


def test_squared_correlation__does_not_depend_on_the_size_of_a_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, index, samples = array_source(dosages()), np.arange(12), np.arange(60)
    whole = squared_correlation(source, 3, index, samples)
    monkeypatch.setattr(correlation, "_BYTES_PER_BLOCK", 8 * 60 * 5)
    np.testing.assert_allclose(squared_correlation(source, 3, index, samples), whole, atol=1e-14)
