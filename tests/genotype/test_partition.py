"""Blocks of variants."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.partition import chromosome_groups, variant_blocks
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.tables import string_array


@given(
    chromosomes=st.lists(st.sampled_from(["1", "2", "X", "chr1"])),
    block_size=st.integers(1, 5),
    data=st.data(),
)
def test_variant_blocks__each_variant_once_and_one_chromosome_a_block(
    chromosomes, block_size, data
):
    chromosome = string_array(chromosomes)
    key = string_array(chromosome_key(name) for name in chromosomes)
    chosen = [i for i in range(len(chromosomes)) if data.draw(st.booleans())]
    blocks = list(variant_blocks(np.array(chosen, dtype=np.intp), chromosome, block_size))
    assert sorted(i for block in blocks for i in block.tolist()) == chosen
    assert all(1 <= len(block) <= block_size for block in blocks)
    assert all(len(set(key[block])) == 1 for block in blocks)
    visited = [key[block][0] for block in blocks]
    changes = sum(a != b for a, b in itertools.pairwise(visited))
    assert changes == max(0, len(set(visited)) - 1)


def test_chromosome_groups__order_of_first_appearance():
    groups = chromosome_groups(np.array([4, 0, 2, 1]), string_array(["1", "X", "1", "9", "X"]))
    assert {name: group.tolist() for name, group in groups.items()} == {"X": [4, 1], "1": [0, 2]}
    assert list(groups) == ["X", "1"]
    assert chromosome_groups(np.array([], dtype=np.intp), string_array([])) == {}


def test_chromosome_groups__spellings_of_a_chromosome_are_one():
    names = string_array(["chr2", "1", "2", "02", "01", "x", "chrX"])
    groups = chromosome_groups(np.arange(7), names)
    found = {name: group.tolist() for name, group in groups.items()}
    assert found == {"chr2": [0, 2, 3], "1": [1, 4], "x": [5, 6]}


def test_variant_blocks__sorted_variants_stay_in_order():
    chromosome = string_array(["1"] * 5 + ["2"] * 3)
    blocks = variant_blocks(np.arange(8), chromosome, 3)
    assert [block.tolist() for block in blocks] == [[0, 1, 2], [3, 4], [5, 6, 7]]


def test_variant_blocks__split_chromosomes_are_brought_together(shared_data):
    variants = open_genotypes(shared_data / "formats" / "odd" / "unsorted").variants
    groups = chromosome_groups(np.arange(len(variants)), variants.chromosome)
    assert sum(map(len, groups.values())) == 139
    assert len(groups) == 22


def test_variant_blocks__empty_blocks_are_refused():
    with pytest.raises(ValueError, match="at least one variant"):
        list(variant_blocks(np.arange(2), string_array(["1", "1"]), 0))
