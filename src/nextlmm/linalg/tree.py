"""A binary tree of index ranges: which rows of a matrix are close to which."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Node:
    """The half-open range [start, stop) of rows, cut into two children or a leaf."""

    start: int
    stop: int
    left: "Node | None" = None
    right: "Node | None" = None

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.stop - self.start

    @property
    def children(self) -> "tuple[Node, Node] | None":
        """Both children, or None for a leaf."""
        if self.left is None or self.right is None:
            return None
        return self.left, self.right

    def leaves(self) -> Iterator["Node"]:
        """The leaves below this node in the order of their rows."""
        children = self.children
        if children is None:
            yield self
        else:
            for child in children:
                yield from child.leaves()


@dataclass(frozen=True, eq=False)
class ClusterTree:
    """A permutation of n rows and the tree over the permuted rows.

    ``permutation`` (n,) lists the original row of each tree position: ``K[permutation][:,
    permutation]`` is the matrix in tree order.  ``group`` (n,) labels rows, in tree order, that
    belong together so closely that no cut parts them.
    """

    permutation: NDArray[np.intp]
    root: Node
    group: NDArray[np.intp]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.permutation)


def balanced_tree(n: int, leaf_size: int) -> ClusterTree:
    """The tree that halves the given order until ranges hold at most ``leaf_size`` rows."""
    index = np.arange(n)
    return ClusterTree(index, _halve(0, n, leaf_size), index)


def _halve(start: int, stop: int, leaf_size: int) -> Node:
    if stop - start <= leaf_size:
        return Node(start, stop)
    middle = (start + stop) // 2
    return Node(start, stop, _halve(start, middle, leaf_size), _halve(middle, stop, leaf_size))
