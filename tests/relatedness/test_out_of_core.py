"""Genotypes that are not held: the same bytes as held ones, in memory that does not grow with them.

A part of the variants is a sixteenth of them here.  A thread has that in use twice (packed both
ways) while the next one is made (four times: as read, padded, and both ways), with the part before
and the part after it as they are read: eight sixteenths, and less than four for products and
what is made on the way.
"""

import tracemalloc

import numpy as np
import pytest

from nextlmm.genotype.array import array_source
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array
from nextlmm.relatedness import columns
from nextlmm.relatedness.grm import variant_scaling
from nextlmm.relatedness.operator import relationship_operator

N, M = 2_000, 8_192


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rng = np.random.default_rng(3)
    genotypes = rng.binomial(2, 0.3, (N, M)).astype(np.float32)
    genotypes[rng.random((N, M)) < 0.01] = np.nan
    variants = VariantTable(
        chromosome=string_array(str(1 + 2 * j // M) for j in range(M)),
        variant_id=string_array(f"v{j}" for j in range(M)),
        position_bp=np.arange(1, M + 1),
        effect_allele=string_array("A" for _ in range(M)),
        other_allele=string_array("G" for _ in range(M)),
    )
    ids = string_array(f"I{i}" for i in range(N))
    prefix = tmp_path_factory.mktemp("genotypes") / "g"
    write_plink(prefix, genotypes, SampleTable(ids, ids), variants)
    return open_bed(prefix)


def operator(source, held_bytes, samples=N):
    summary = summarise_variants(source)
    k = relationship_operator(
        source,
        np.arange(len(source.variants)),
        variant_scaling(summary, "standardized"),
        np.arange(samples),
        summarise_variants(source, np.arange(samples)),
        held_bytes=held_bytes,
    )
    object.__setattr__(k, "threads", 1)
    return k


def peak_of(work):
    tracemalloc.start()
    try:
        value = work()
        return value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_streamed_genotypes_give_the_bytes_of_held_ones_in_a_part_of_the_memory(source, dtype, rng):
    x, left_out = rng.normal(size=(N, 4)), np.array([-1, 0, 1, -1])
    held, streamed = operator(source, 10**9), operator(source, 0)
    expected = held.matmul(x, left_out, dtype=dtype)
    packed_bytes = M * N // 4
    found, peak = peak_of(lambda: streamed.matmul(x, left_out, dtype=dtype))
    assert (found == expected).all()
    assert peak < 12 / 16 * packed_bytes
    _, peak_held = peak_of(lambda: operator(source, 10**9))
    assert peak_held > 2.0 * packed_bytes  # what the limit is compared with is seen at all


def test_dosages_of_many_samples_are_read_in_small_parts(source, rng, monkeypatch):
    some = np.arange(0, M, 4)
    dosages = array_source(source.dosages(some), variants=source.variants.take(some))
    monkeypatch.setattr(columns, "_TILE_ITEMS", 64 * N)
    x = rng.normal(size=(N, 4))
    held, streamed = operator(dosages, 10**9), operator(dosages, 0)
    expected = held.matmul(x, dtype=np.float32)
    found, peak = peak_of(lambda: streamed.matmul(x, dtype=np.float32))
    assert (found == expected).all()
    assert peak < 6 * 64 * N * 4 + 2**20  # of 32 such parts
