"""Centring, scaling, imputing."""

import numpy as np
from hypothesis import given

from nextlmm.genotype.array import array_source
from nextlmm.genotype.standardize import impute_mean, standardize
from nextlmm.genotype.summary import summarise_variants

from .examples import called_genotypes


@given(genotypes=called_genotypes())
def test_standardize__unit_variance_or_zero(genotypes):
    source = array_source(genotypes)
    summary = summarise_variants(source)
    dosage = source.dosages(np.arange(genotypes.shape[1]))
    polymorphic = summary.is_polymorphic
    scale = np.zeros(len(summary))
    scale[polymorphic] = 1 / np.sqrt(summary.variance[polymorphic])
    block = standardize(dosage, summary.mean, scale)
    assert block.flags.f_contiguous
    assert not np.isnan(block).any()
    assert (block[np.isnan(genotypes)] == 0).all()
    assert not block[:, ~polymorphic].any()
    np.testing.assert_allclose(block.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(block.var(axis=0), polymorphic.astype(float), atol=1e-12)
    assert np.array_equal(dosage, genotypes, equal_nan=True)


@given(genotypes=called_genotypes())
def test_impute_mean__keeps_calls_and_means(genotypes):
    source = array_source(genotypes)
    summary = summarise_variants(source)
    dosage = source.dosages(np.arange(genotypes.shape[1]))
    imputed = impute_mean(dosage, summary.mean)
    called = ~np.isnan(genotypes)
    assert np.array_equal(imputed[called], genotypes[called])
    some_called = summary.n_called > 0
    np.testing.assert_allclose(imputed.mean(axis=0)[some_called], summary.mean[some_called])
    assert np.isnan(imputed[:, ~some_called]).all()
    assert imputed.flags.f_contiguous
