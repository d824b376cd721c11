"""Blocks of variants that never cross a chromosome."""

from collections.abc import Iterator

import numpy as np

from nextlmm.genotype.tables import IndexArray, StringArray


def chromosome_groups(index: IndexArray, chromosome: StringArray) -> dict[str, IndexArray]:
    """The chosen variants of each chromosome, in the order given.

    Parameters
    ----------
    index : positions of variants.
    chromosome : (m,) chromosome of every variant of the table, chosen or not.

    Returns
    -------
    One entry per chromosome, in the order of first appearance; chromosomes that are interrupted
    by others are brought together.
    """
    if not len(index):
        return {}
    known: dict[str, int] = {}
    label = np.array([known.setdefault(name, len(known)) for name in chromosome[index]])
    order = np.argsort(label, kind="stable")
    borders = np.flatnonzero(np.diff(label[order])) + 1
    return dict(zip(known, np.split(index[order], borders), strict=True))


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
