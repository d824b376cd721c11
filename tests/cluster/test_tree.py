"""Sums in one order: the same bytes however arrays are spread."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.cluster.tree import folded, nodes_of


def leaves(count):
    rng = np.random.default_rng(count)
    return {(at, at + 1): rng.normal(size=3) * 10.0 ** rng.integers(-8, 8) for at in range(count)}


def in_halves(arrays, start, stop):
    """The sum as the definition has it."""
    if stop - start == 1:
        return arrays[start, stop]
    middle = (start + stop) // 2
    return in_halves(arrays, start, middle) + in_halves(arrays, middle, stop)


@given(st.integers(1, 70), st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_order_of_sums_is_that_of_the_tree_whoever_has_what(count, holders, random):
    arrays = leaves(count)
    owner = [random.randrange(holders) for _ in range(count)]
    parts = [
        folded({node: arrays[node] for node in arrays if owner[node[0]] == holder}, count)
        for holder in range(holders)
    ]
    random.shuffle(parts)
    total = {}
    for part in parts:
        total = folded({**total, **part}, count)
    assert list(total) == [(0, count)]
    assert (total[0, count] == in_halves(arrays, 0, count)).all()


@given(st.integers(1, 70), st.data())
def test_nodes_of__are_those_that_are_left(count, data):
    numbers = data.draw(st.sets(st.integers(0, count - 1)))
    arrays = leaves(count)
    left = folded({(n, n + 1): arrays[n, n + 1] for n in numbers}, count)
    assert nodes_of(numbers, count) == sorted(left)


def test_nodes_of__neighbours_leave_few():
    assert nodes_of(range(16, 32), 64) == [(16, 32)]
    assert len(nodes_of(range(21, 43), 64)) <= 2 * 6
