"""Sums of many arrays in one order, whoever has which of them.

The numbers from 0 to ``count`` are halved until single ones are left.  A node of that tree is a
stretch (start, stop) of numbers, and its sum that of its left half plus that of its right one.  So
the order of all additions, and with it every bit of the total, is the same however the arrays are
spread, while whoever has both halves of a node can add them on the spot.
"""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Node = tuple[int, int]
Sums = dict[Node, FloatArray]


def folded(sums: Mapping[Node, FloatArray], count: int) -> Sums:
    """The sums with both halves of a node added wherever both are there.

    Parameters
    ----------
    sums : of nodes, none of which is within another one.
    count : of all numbers.
    """
    return _folded(sums, (0, count))


def nodes_of(numbers: Collection[int], count: int) -> list[Node]:
    """The nodes that `folded` leaves of the arrays with these numbers, from left to right."""
    return _whole(set(numbers), (0, count))


def _halves(node: Node) -> tuple[Node, Node]:
    start, stop = node
    middle = (start + stop) // 2
    return (start, middle), (middle, stop)


def _folded(sums: Mapping[Node, FloatArray], node: Node) -> Sums:
    if node in sums:
        return {node: sums[node]}
    if node[1] - node[0] < 2:
        return {}
    first, second = _halves(node)
    left, right = _folded(sums, first), _folded(sums, second)
    if first in left and second in right:
        return {node: left[first] + right[second]}
    return left | right


def _whole(numbers: set[int], node: Node) -> list[Node]:
    inside = numbers.intersection(range(*node))
    if len(inside) == node[1] - node[0]:
        return [node]
    return [each for half in _halves(node) for each in _whole(inside, half)] if inside else []
