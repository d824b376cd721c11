"""Packed genotypes: standardising in one look-up, packing anew; decoding is tested with the file.

A look-up copies numbers that were computed one by one, so that results in double precision are
those of `standardize` to the last bit, and those in single precision are these, rounded.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.genotype import packed
from nextlmm.genotype.packed import PackedGenotypes
from nextlmm.genotype.standardize import standardize

from .examples import called_genotypes, random_calls

CODES = {0.0: 0b11, 1.0: 0b10, 2.0: 0b00}


def pack(genotypes):
    """Packed bytes, bit by bit, as the format is described; spare bits are set."""
    n, m = genotypes.shape
    rows = np.full((m, (n + 3) // 4), 0xFF, dtype=np.uint8)
    for (i, j), copies in np.ndenumerate(genotypes):
        code, place = CODES.get(copies, 0b01), 2 * (i % 4)
        rows[j, i // 4] = int(rows[j, i // 4]) & ~(3 << place) | code << place
    return PackedGenotypes(rows, n)


def scaling_of(genotypes, rng):
    mean = rng.uniform(0.0, 2.0, genotypes.shape[1])
    scale = rng.uniform(0.5, 30.0, genotypes.shape[1])
    scale[::3] = 0.0
    return mean, scale


@given(genotypes=called_genotypes(), dtype=st.sampled_from([np.float32, np.float64]))
def test_standardized__is_standardize(genotypes, dtype):
    mean, scale = scaling_of(genotypes, np.random.default_rng(3))
    z = pack(genotypes).standardized(np.arange(genotypes.shape[1]), mean, scale, dtype)
    expected = standardize(genotypes.astype(np.float32), mean, scale)
    assert z.dtype == dtype
    assert z.strides[0] == z.itemsize
    assert np.array_equal(z, expected.astype(dtype))
    assert not z[:, scale == 0.0].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2001, 16387], ids=["short rows", "long rows"])
def test_standardized__many_tables_and_chunks(rng, n, dtype):
    genotypes = rng.choice([0.0, 1.0, 2.0, np.nan], size=(n, 5))
    small = pack(genotypes)
    repeats = np.tile(np.arange(5), 30)
    stored = PackedGenotypes(small.packed[repeats], n)
    mean, scale, shift = rng.normal(size=(3, 150))
    chosen = rng.permutation(150)
    z = stored.standardized(chosen, mean[chosen], scale[chosen], dtype, shift=shift[chosen])
    dosage = genotypes[:, repeats[chosen]].astype(np.float32)
    expected = standardize(dosage, mean[chosen], scale[chosen]) - shift[chosen]
    assert np.array_equal(z, expected.astype(dtype))
    room = np.full((200, 4 * stored.packed.shape[1]), np.nan, dtype)
    again = stored.standardized(
        slice(20, 90), mean[20:90], scale[20:90], dtype, shift=shift[20:90], out=room
    )
    assert np.shares_memory(again, room)
    assert np.array_equal(again, z[:, np.argsort(chosen)[20:90]])


def test_standardized__long_rows_and_short_ones_give_the_same(rng, monkeypatch):
    stored = pack(random_calls(rng, 103, 40))
    mean, scale = rng.normal(size=(2, 40))
    together = stored.standardized(slice(None), mean, scale)
    monkeypatch.setattr(packed, "_LONG_ROW_BYTES", 1)
    monkeypatch.setattr(packed, "_TABLES", 3)
    assert np.array_equal(stored.standardized(slice(None), mean, scale), together)


@given(genotypes=called_genotypes(), data=st.data())
def test_take__what_is_taken_is_packed_in_that_order(genotypes, data):
    n, m = genotypes.shape
    samples = np.array(data.draw(st.lists(st.integers(0, n - 1))), dtype=np.intp)
    variants = np.array(data.draw(st.lists(st.integers(0, m - 1))), dtype=np.intp)
    stored = pack(genotypes)
    for chosen in (samples, None):
        taken = stored.take(variants, chosen)
        expected = genotypes[:, variants] if chosen is None else genotypes[chosen][:, variants]
        assert (taken.n, len(taken)) == expected.shape
        every = np.arange(len(variants))
        assert np.array_equal(taken.dosages(every), expected, equal_nan=True)


def test_take__is_a_copy_that_nobody_changes(rng):
    stored = pack(random_calls(rng, 9, 4))
    taken = stored.take(np.arange(4))
    assert not np.shares_memory(taken.packed, stored.packed)
    assert not taken.packed.flags.writeable


@pytest.mark.parametrize("wrong", [[-1], [4]])
def test_positions_outside_are_refused(rng, wrong):
    stored = pack(random_calls(rng, 4, 4))
    with pytest.raises(IndexError, match="variants must lie between 0 and 3"):
        stored.standardized(np.array(wrong), np.zeros(1), np.ones(1))
    with pytest.raises(IndexError, match="variants must lie between 0 and 3"):
        stored.take(np.array(wrong))
    with pytest.raises(IndexError, match="samples must lie between 0 and 3"):
        stored.take(np.arange(4), np.array(wrong))


def test_packed_genotypes__rows_must_fit_the_samples():
    with pytest.raises(ValueError, match="9 samples do not fit rows of 2 bytes"):
        PackedGenotypes(np.zeros((3, 2), dtype=np.uint8), 9)


def test_packed_genotypes__print_as_one_line(rng):
    assert repr(pack(random_calls(rng, 5, 2))) == "<5 samples, 2 variants packed in memory>"
