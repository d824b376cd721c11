"""Products by look-up against the same products of decoded genotypes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.genotype.lookup import table_room
from nextlmm.genotype.packed import PackedGenotypes
from nextlmm.genotype.squares import square_panels, sum_of_squares
from nextlmm.genotype.tile import in_panels, out_of_panels, tile_of_packed, tile_of_samples

EPS = {"float32": 2.0**-24, "float64": 2.0**-53}


def packed_genotypes(rng, n, m, missing):
    """Random rows as PLINK 1 packs them, with anything beyond the last sample."""
    chances = np.array([0.3, missing, 0.4, 0.3 - missing])
    codes = rng.choice(4, size=(m, -(-n // 4) * 4), p=chances).astype(np.uint8)
    common = rng.random(m) < 0.3
    codes[common] = np.where(codes[common] == 3, 0, codes[common])
    return (codes.reshape(m, -1, 4) << np.array([0, 2, 4, 6], np.uint8)).sum(-1, dtype=np.uint8)


class Example:
    """A tile and the dosages that it stands for, missing ones NaN."""

    def __init__(self, seed, n, m, missing):
        rng = self.rng = np.random.default_rng(seed)
        self.packed = packed_genotypes(rng, n, m, missing)
        self.dosage = PackedGenotypes(self.packed, n).dosages(np.arange(m)).astype(float)
        called = np.maximum((~np.isnan(self.dosage)).sum(axis=0), 1)
        self.mean = np.nansum(self.dosage, axis=0) / called
        self.tile = tile_of_packed(self.packed, n, self.mean > 1.0)
        self.n, self.m = n, m

    @property
    def centred(self):
        return np.nan_to_num(self.dosage - self.mean)


SHAPES = [
    (1, 1, 0.0),
    (31, 33, 0.02),
    (32, 64, 0.0),
    (101, 70, 0.03),
    (333, 40, 0.25),
    (5000, 33, 0.01),
]


@pytest.fixture(params=SHAPES, ids=str)
def example(request):
    return Example(1, *request.param)


def tolerance(dtype, *sizes):
    """Some roundings of sums of so many terms, of size 1."""
    return 4.0 * EPS[dtype] * max(sizes) * 4.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [1, 5, 16, 40])
def test_inner__is_the_product_with_standardised_columns(example, dtype, k):
    x, scale = example.rng.normal(size=(example.n, k)), example.rng.uniform(0.5, 2.0, example.m)
    room = in_panels(x, example.n, dtype)
    sums = room.sum(axis=1, dtype=np.float64)
    shift = example.rng.normal(size=example.m)
    product = example.tile.inner(room, example.tile.scaling(example.mean, scale, shift), sums)
    expected = (example.centred * scale - shift).T @ x.astype(dtype).astype(float)
    assert product.dtype == dtype
    size = np.abs(x).sum(axis=0).max() * (4.0 + np.abs(shift).max())
    np.testing.assert_allclose(
        out_of_panels(product, example.m, k),
        expected,
        atol=tolerance(dtype, 32, example.n) * size,
        rtol=0,
    )
    np.testing.assert_array_equal(product[:, example.m :], 0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outer__is_the_product_with_numbers_that_stand_for_codes(example, dtype):
    t, values = example.rng.normal(size=(example.m, 9)), example.rng.normal(size=(example.m, 4))
    codes = np.where(
        np.isnan(example.dosage), 1, np.array([3, 2, 0])[np.nan_to_num(example.dosage).astype(int)]
    )
    expected = values[np.arange(example.m), codes] @ t
    product = out_of_panels(
        example.tile.outer(in_panels(t, example.m, dtype), example.tile.values(values)),
        example.n,
        9,
    )
    size = np.abs(values).max() * np.abs(t).sum(axis=0).max()
    np.testing.assert_allclose(
        product, expected, atol=tolerance(dtype, 32, example.m) * size, rtol=0
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sum_of_squares__of_vectors_that_meet_some_samples(example, dtype):
    n, rng = example.n, example.rng
    expected, parts, size = np.zeros(example.m), [], 0.0
    for start, stop, k in ((0, n, 20), (n // 3, n, 3), (n // 2, n // 2 + 1, 1)):
        vectors, weights = rng.normal(size=(stop - start, k)), rng.normal(size=k)
        parts.append((start, vectors, weights))
        product = example.centred[start:stop].T @ vectors
        expected += product**2 @ weights
        size += (np.abs(example.centred[start:stop]).T @ np.abs(vectors) + 4.0) ** 2 @ abs(weights)
    found = sum_of_squares(example.tile, square_panels(parts, dtype), example.mean)
    slack = tolerance(dtype, 32, n)
    assert np.all(np.abs(found - expected) <= slack * size + slack)


def test_packed__of_some_variants_in_their_order(example):
    variants = example.rng.permutation(example.m)[: example.m // 2]
    again = PackedGenotypes(example.tile.packed(variants), example.n)
    found = again.dosages(np.arange(len(variants)))
    np.testing.assert_array_equal(found, example.dosage[:, variants])


def test_packed__gives_back_the_bytes(example):
    rows = example.tile.packed(np.arange(example.m))
    again = PackedGenotypes(rows, example.n).dosages(np.arange(example.m))
    np.testing.assert_array_equal(again, example.dosage)


def test_tile_of_samples__is_the_tile_of_the_chosen_genotypes(example):
    order = example.rng.permutation(example.n)[: max(1, example.n - 5)]
    tile = tile_of_samples(example.tile, order)
    again = PackedGenotypes(tile.packed(np.arange(example.m)), len(order))
    np.testing.assert_array_equal(
        again.dosages(np.arange(example.m)), example.dosage[order].astype(np.float32)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "k"), [(1, 0), (5, 1), (32, 16), (40, 37)])
def test_out_of_panels__undoes_in_panels(dtype, n, k):
    x = np.arange(n * k, dtype=dtype).reshape(n, k)
    panels = in_panels(x, n, dtype)
    assert panels.shape[1] % 32 == 0
    np.testing.assert_array_equal(out_of_panels(panels, n, k), x)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 100), st.integers(2, 80))
def test_inner__of_a_variant_depends_on_that_variant_alone(seed, n, m):
    example = Example(seed, n, m, 0.02)
    x = in_panels(example.rng.normal(size=(n, 3)), n, "float64")
    sums = x.sum(axis=1)

    def inner(tile, mean):
        scaling = tile.scaling(mean, np.ones_like(mean), np.zeros_like(mean))
        return tile.inner(x, scaling, sums)[0, : tile.n_variants]

    whole = inner(example.tile, example.mean)
    cut = m // 2
    for part in (slice(0, cut), slice(cut, m)):
        tile = tile_of_packed(example.packed[part], n, example.mean[part] > 1.0)
        alone = inner(tile, example.mean[part])
        np.testing.assert_allclose(alone, whole[part], rtol=0, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 100), st.integers(1, 40))
def test_inner__which_allele_is_counted_changes_rounding_only(seed, n, m):
    example = Example(seed, n, m, 0.02)
    x = in_panels(example.rng.normal(size=(n, 2)), n, "float64")
    other = tile_of_packed(example.packed, n, example.rng.random(m) < 0.5)
    found, expected = (
        tile.inner(x, tile.scaling(example.mean, np.ones(m), np.zeros(m)), x.sum(axis=1))
        for tile in (other, example.tile)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_table_room__begins_on_a_cache_line(dtype):
    assert all(table_room(dtype).ctypes.data % 64 == 0 for _ in range(20))
