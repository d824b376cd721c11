"""PLINK 1 genotypes: decoding, counting, choosing."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.source import CountingSource, open_genotypes

from .examples import bed_source, called_genotypes, random_calls, write_bed


def all_of(source):
    return np.arange(len(source.variants))


def decoded_by_definition(prefix: Path, n: int, m: int) -> NDArray[np.float64]:
    """Genotype after genotype, as the format is described."""
    content = prefix.with_suffix(".bed").read_bytes()[3:]
    width = (n + 3) // 4
    copies = {0b00: 2.0, 0b01: np.nan, 0b10: 1.0, 0b11: 0.0}
    return np.array(
        [
            [copies[content[j * width + i // 4] >> 2 * (i % 4) & 3] for j in range(m)]
            for i in range(n)
        ]
    )


@given(genotypes=called_genotypes())
def test_dosages__what_was_written_is_read(genotypes):
    with tempfile.TemporaryDirectory() as folder:
        source = bed_source(folder, genotypes)
        dosages = source.dosages(all_of(source))
        assert np.array_equal(dosages, genotypes, equal_nan=True)
        assert dosages.dtype == np.float32
        assert dosages.flags.f_contiguous
        assert dosages.flags.writeable
        by_definition = decoded_by_definition(Path(folder) / "g", *genotypes.shape)
        assert np.array_equal(dosages, by_definition, equal_nan=True)


@given(genotypes=called_genotypes(), data=st.data())
def test_dosages__a_subset_is_a_slice(genotypes, data):
    n, m = genotypes.shape
    samples = np.array(data.draw(st.lists(st.integers(0, n - 1))), dtype=np.intp)
    variants = np.array(data.draw(st.lists(st.integers(0, m - 1))), dtype=np.intp)
    with tempfile.TemporaryDirectory() as folder:
        source = bed_source(folder, genotypes)
        chosen = source.dosages(variants, samples)
    expected = genotypes[samples][:, variants]
    assert chosen.shape == expected.shape
    assert np.array_equal(chosen, expected, equal_nan=True)
    assert chosen.flags.f_contiguous


@given(genotypes=called_genotypes(), data=st.data())
def test_genotype_counts__equals_counting_dosages(genotypes, data):
    n, m = genotypes.shape
    samples = np.array(data.draw(st.lists(st.integers(0, n - 1), unique=True)), dtype=np.intp)
    variants = np.array(data.draw(st.permutations(range(m))), dtype=np.intp)
    with tempfile.TemporaryDirectory() as folder:
        source = bed_source(folder, genotypes)
        for chosen in (None, samples):
            counts = source.genotype_counts(variants, chosen)
            called = genotypes[:, variants] if chosen is None else genotypes[chosen][:, variants]
            assert counts.n_called.tolist() == (~np.isnan(called)).sum(axis=0).tolist()
            assert counts.n_one.tolist() == (called == 1).sum(axis=0).tolist()
            assert counts.n_two.tolist() == (called == 2).sum(axis=0).tolist()


@pytest.mark.parametrize("read_at_a_time", [1, 2, 16])
def test_dosages__more_than_one_chunk(tmp_path, rng, monkeypatch, read_at_a_time):
    monkeypatch.setattr("nextlmm.genotype.packed._CHUNKS_READ", read_at_a_time)
    genotypes = random_calls(rng, 3001, 300)  # 751 bytes a variant, 87 variants a chunk
    source = bed_source(tmp_path, genotypes)
    order = rng.permutation(300)
    assert np.array_equal(source.dosages(order), genotypes[:, order], equal_nan=True)
    some = rng.permutation(3001)[:1000]
    chosen = source.dosages(order, some)
    assert np.array_equal(chosen, genotypes[np.ix_(some, order)], equal_nan=True)
    counts = source.genotype_counts(order, some)
    assert np.array_equal(counts.n_two, (chosen == 2).sum(axis=0))


def test_genotype_counts__rows_longer_than_a_count_field(tmp_path, rng, monkeypatch):
    monkeypatch.setattr("nextlmm.genotype.packed._COUNTED_BYTES", 3)
    genotypes = random_calls(rng, 41, 7)
    counts = bed_source(tmp_path, genotypes).genotype_counts(np.arange(7))
    assert np.array_equal(counts.n_called, (~np.isnan(genotypes)).sum(axis=0))
    assert np.array_equal(counts.n_one, (genotypes == 1).sum(axis=0))


def test_genotype_counts__repeated_samples_are_refused(tmp_path, rng):
    source = bed_source(tmp_path, random_calls(rng, 5, 2))
    with pytest.raises(ValueError, match="distinct"):
        source.genotype_counts(np.arange(2), np.array([1, 1]))


@pytest.mark.parametrize("wrong", [[-1], [2], [0, 7]])
def test_dosages__positions_outside_the_table_are_refused(tmp_path, rng, wrong):
    source = bed_source(tmp_path, random_calls(rng, 2, 2))
    with pytest.raises(IndexError, match="between 0 and 1"):
        source.dosages(np.array(wrong))
    with pytest.raises(IndexError, match="between 0 and 1"):
        source.dosages(np.arange(2), np.array(wrong))
    with pytest.raises(IndexError, match="between 0 and 1"):
        source.genotype_counts(np.arange(2), np.array(wrong))


def test_open_bed__prefix_or_any_of_the_files(tmp_path, rng):
    genotypes = random_calls(rng, 6, 3)
    prefix = write_bed(tmp_path, genotypes, "cohort.v1")
    for path in (prefix, str(prefix), f"{prefix}.bed", f"{prefix}.bim", f"{prefix}.fam"):
        assert open_bed(path).path == f"{prefix}.bed"


def test_bed_source__survives_pickling_by_reopening(tmp_path, rng, monkeypatch):
    genotypes = random_calls(rng, 2000, 50)
    write_bed(tmp_path, genotypes)
    monkeypatch.chdir(tmp_path)
    message = pickle.dumps(open_genotypes("g"))
    assert len(message) < 1000
    monkeypatch.chdir("/")
    reopened = pickle.loads(message)
    assert np.array_equal(reopened.dosages(np.arange(50)), genotypes, equal_nan=True)
    assert list(reopened.samples.sample_id[:2]) == ["I0", "I1"]


def test_bed_source__is_a_counting_source(tmp_path, rng):
    assert isinstance(bed_source(tmp_path, random_calls(rng, 2, 2)), CountingSource)


def test_bed_source__bits_beyond_the_last_sample_mean_nothing(shared_data):
    odd = shared_data / "formats" / "odd"
    padded, plain = open_bed(odd / "padbits"), open_bed(odd.parent / "base" / "geno")
    everything = np.arange(139)
    assert len(padded.samples) == 97
    expected = plain.dosages(everything, np.arange(97))
    assert np.array_equal(padded.dosages(everything), expected, equal_nan=True)
    counts = padded.genotype_counts(everything)
    assert np.array_equal(counts.n_two, (expected == 2).sum(axis=0))
    assert np.array_equal(counts.n_called, (~np.isnan(expected)).sum(axis=0))
