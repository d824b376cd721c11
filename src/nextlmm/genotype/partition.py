"""Blocks of variants that never cross a chromosome."""

from collections.abc import Iterator

import numpy as np

from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.tables import IndexArray, StringArray


def chromosome_groups(index: IndexArray, chromosome: StringArray) -> dict[str, IndexArray]:
    """The chosen variants of each chromosome, in the order given.

    Parameters
    ----------
    index : positions of variants.
    chromosome : (m,) chromosome of every variant of the table, chosen or not.

    Returns
    -------
    One entry per chromosome, named as it is first spelled, in the order of first appearance;
    chromosomes that are interrupted by others, or spelled in several ways (see
    :func:`nextlmm.genotype.chromosome.chromosome_key`), are brought together.
    """
    if not len(index):
        return {}
    spelled: dict[str, int] = {}
    spelling = np.array([spelled.setdefault(name, len(spelled)) for name in chromosome[index]])
    known: dict[str, int] = {}
    keys = [known.setdefault(chromosome_key(name), len(known)) for name in spelled]
    label = np.array(keys)[spelling]
    names = dict(zip(reversed(keys), reversed(spelled), strict=True))  # the first spelling stays
    order = np.argsort(label, kind="stable")
    borders = np.flatnonzero(np.diff(label[order])) + 1
    groups = np.split(index[order], borders)
    return {names[key]: group for key, group in enumerate(groups)}


def variant_blocks(
    index: IndexArray, chromosome: StringArray, block_size: int
) -> Iterator[IndexArray]:
    """Positions of variants, block by block, one chromosome after the other.

    Parameters
    ----------
    index : positions of the variants to visit.
    chromosome : (m,) chromosome of every variant of the table, chosen or not.
    block_size : most variants in a block.

    Each position appears in exactly one block, no block holds two chromosomes, and the blocks of a
    chromosome follow each other even where the table interrupts it.
    """
    if block_size < 1:
        raise ValueError(f"a block holds at least one variant, not {block_size}")
    for group in chromosome_groups(index, chromosome).values():
        for start in range(0, len(group), block_size):
            yield group[start : start + block_size]
