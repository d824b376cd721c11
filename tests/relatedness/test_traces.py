"""Traces from summaries against those of the matrices themselves."""

import numpy as np
import pytest

from nextlmm.errors import VariantError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.standardize import standardize
from nextlmm.genotype.summary import summarise_variants
from nextlmm.relatedness.grm import variant_scaling
from nextlmm.relatedness.traces import column_moments, traces_of

N, M = 37, 25


@pytest.mark.parametrize("weighting", ["standardized", "centered"])
def test_column_moments__are_those_of_the_columns(rng, weighting):
    dosage = rng.choice([0, 0.25, 1, 2, np.nan], size=(N, M)).astype(np.float32)
    dosage[:, 3], dosage[:, 4] = 1.0, np.nan
    kept, analysed = np.arange(N - 3), rng.permutation(N - 3)[:20]
    dosage[analysed, 5] = np.nan  # called among the kept only
    dosage[analysed, 6] = 2.0  # constant among the analysed only
    source = array_source(dosage)
    scaling = variant_scaling(summarise_variants(source, kept), weighting)
    variants = rng.permutation(M)[:21]
    mean, squares = column_moments(variants, scaling, summarise_variants(source, analysed), 20)
    z = standardize(
        dosage[np.ix_(analysed, variants)], scaling.mean[variants], scaling.scale[variants]
    )
    # Sums of 20 terms of size 1 to 10 in double precision.
    np.testing.assert_allclose(mean, z.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(squares, z.var(axis=0) * 20, atol=1e-12)
    assert not squares[np.isin(variants, [3, 4, 5])].any()


def test_traces__without_a_chromosome_are_sums_over_the_others(rng):
    label, squares = rng.integers(0, 4, 50), rng.uniform(size=50)
    label[label == 2] = 0  # a chromosome without varying variants
    traces = traces_of(squares, label, 4)
    expected = [squares[label != c].sum() for c in range(4)] + [squares.sum()]
    np.testing.assert_allclose(traces.of(np.array([0, 1, 2, 3, -1])), expected, rtol=1e-14)
    changed = np.where(label == 1, rng.uniform(size=50) * 1e9, squares)
    assert traces_of(changed, label, 4).without[1] == traces.without[1]


def test_traces__nothing_left_is_refused():
    traces = traces_of(np.array([1.0, 2.0, 0.0]), np.array([1, 1, 0]), 2)
    assert traces.of(np.array([-1, 0])).tolist() == [3.0, 3.0]
    with pytest.raises(VariantError, match="of 3 variants none that is not left out differs"):
        traces.of(np.array([-1, 1]))


def test_traces__no_chromosome_at_all():
    with pytest.raises(VariantError, match="of 0 variants"):
        traces_of(np.zeros(0), np.zeros(0, dtype=np.intp), 0).of(np.array([-1]))
