"""Frequencies, missingness and variances."""

import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.genotype.array import array_source
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.summary import summarise_variants

from .examples import bed_source, called_genotypes


def naive(dosages):
    """Number called, frequency and variance of one column after the other."""
    rows = []
    for column in dosages.T:
        called = column[~np.isnan(column)]
        if not len(called):
            rows.append((0, np.nan, np.nan))
            continue
        imputed = np.where(np.isnan(column), called.mean(), column)
        rows.append((len(called), called.mean() / 2, imputed.var()))
    return [np.array(column) for column in zip(*rows, strict=True)]


def assert_equals_naive(summary, dosages):
    n_called, frequency, variance = naive(dosages)
    assert summary.n_called.tolist() == n_called.tolist()
    np.testing.assert_allclose(summary.effect_allele_frequency, frequency, rtol=1e-14)
    np.testing.assert_allclose(summary.variance, variance, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(summary.mean, 2 * summary.effect_allele_frequency)


@given(genotypes=called_genotypes(), data=st.data())
def test_summarise_variants__equals_the_definition(genotypes, data):
    n = len(genotypes)
    some = data.draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1))
    with tempfile.TemporaryDirectory() as folder:
        for source in (bed_source(folder, genotypes), array_source(genotypes)):
            assert_equals_naive(summarise_variants(source), genotypes)
            assert_equals_naive(summarise_variants(source, np.array(some)), genotypes[some])


def test_summarise_variants__fractional_dosages(rng):
    dosages = rng.uniform(0, 2, size=(101, 9)).astype(np.float32)
    dosages[rng.random(dosages.shape) < 0.1] = np.nan
    assert_equals_naive(summarise_variants(array_source(dosages)), dosages.astype(float))


def test_summarise_variants__constant_dosages_have_no_variance(rng):
    dosages = np.full((997, 3), np.float32(0.1))
    dosages[rng.random(997) < 0.3, 1] = np.nan
    dosages[5, 2] = 0.2
    summary = summarise_variants(array_source(dosages))
    assert summary.variance[:2].tolist() == [0.0, 0.0]
    assert summary.is_polymorphic.tolist() == [False, False, True]


def test_summarise_variants__monomorphic_and_missing_variants(shared_data):
    source = open_genotypes(shared_data / "formats" / "odd" / "mono_allmiss")
    summary = summarise_variants(source)
    # Monomorphic for either allele, all heterozygous, all missing, one call, one heterozygote.
    assert summary.n_called[:6].tolist() == [100, 100, 100, 0, 1, 100]
    assert summary.is_polymorphic[:6].tolist() == [False, False, False, False, False, True]
    assert np.isnan(summary.effect_allele_frequency[3])
    assert_equals_naive(summary, source.dosages(np.arange(139)).astype(float))


class Recorder:
    """A progress listener that remembers."""

    def __init__(self):
        self.events = []

    def start(self, label, total):
        self.events.append(("start", total))

    def advance(self, amount=1):
        self.events.append(("advance", amount))

    def finish(self):
        self.events.append(("finish", 0))


@pytest.mark.parametrize("as_array", [False, True])
def test_summarise_variants__blocks_do_not_matter(tmp_path, rng, monkeypatch, as_array):
    dosages = rng.choice([0.0, 1.0, 2.0], size=(30, 25))
    monkeypatch.setattr("nextlmm.genotype.summary._VARIANTS_PER_COUNT", 4)
    monkeypatch.setattr("nextlmm.genotype.summary._BYTES_PER_BLOCK", 4 * 8 * 30)
    recorder = Recorder()
    source = array_source(dosages) if as_array else bed_source(tmp_path, dosages)
    assert_equals_naive(summarise_variants(source, progress=recorder), dosages)
    advances = [amount for event, amount in recorder.events if event == "advance"]
    assert advances == [4] * 6 + [1]
    assert recorder.events[0] == ("start", 25)
    assert recorder.events[-1] == ("finish", 0)
