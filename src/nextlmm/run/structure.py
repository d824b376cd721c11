"""The order of the samples, the blocks over them and their ranks, however a route found them."""

from collections.abc import Iterator
from dataclasses import dataclass

from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import CovarianceFactor
from nextlmm.linalg.hierarchy import HierarchicalFactor, Hierarchy
from nextlmm.linalg.hodlr import MergedFactor
from nextlmm.linalg.tree import Node
from nextlmm.relatedness.ordering import Components

_FINEST = 64
"""Blocks of less than this part of the samples are too small to be seen, and are left out."""


@dataclass(frozen=True)
class Block:
    """A node with two children: rows [start, middle) against [middle, stop) in tree order.

    ``rank`` is the number of columns that link the two, None where nothing was compressed.
    """

    start: int
    middle: int
    stop: int
    rank: int | None


@dataclass(frozen=True, eq=False)
class Structure:
    """What a route found of the samples on its way.

    Attributes
    ----------
    order : (n,) position in the problem of each sample in tree order.
    blocks : the large ones, the root first.
    components : dominant components of K in tree order, None where they were not looked for.
    """

    order: IndexArray
    blocks: tuple[Block, ...]
    components: Components | None = None


def blocks_of_tree(root: Node) -> tuple[Block, ...]:
    """The blocks of a tree, without ranks."""
    return tuple(_blocks(root, root.size, None))


def blocks_of_hierarchy(found: Hierarchy | HierarchicalFactor) -> tuple[Block, ...]:
    """The blocks of a hierarchy of columns; a node without columns has rank 0."""
    if isinstance(found, Hierarchy):
        rank = {each.node: each.columns.shape[1] for each in found.nodes}
    else:
        rank = {each.node: len(each.core) for each in found.corrections}
    return tuple(_blocks(found.root, found.root.size, rank))


def blocks_of_factor(factor: CovarianceFactor) -> tuple[Block, ...]:
    """The blocks of a nested factor; none if it is one leaf."""
    return tuple(_merged(factor, 0, factor.n))


def _blocks(node: Node, n: int, rank: dict[Node, int] | None) -> Iterator[Block]:
    if node.children is None or _FINEST * node.size < n:
        return
    left, right = node.children
    yield Block(node.start, left.stop, node.stop, None if rank is None else rank.get(node, 0))
    yield from _blocks(left, n, rank)
    yield from _blocks(right, n, rank)


def _merged(factor: CovarianceFactor, start: int, n: int) -> Iterator[Block]:
    if not isinstance(factor, MergedFactor) or _FINEST * factor.n < n:
        return
    middle = start + factor.left.n
    yield Block(start, middle, start + factor.n, len(factor.core))
    yield from _merged(factor.left, start, n)
    yield from _merged(factor.right, middle, n)
