"""The cluster tree under which the off-diagonal blocks of a covariance are low-rank.

Two scales are told apart.  The large one, a few dominant eigenvectors, says which rows share a
population; the tree bisects it.  The small one, what is left of the matrix once those are taken
out, says which rows are close relatives of each other; they form groups that fit into a leaf and
are never cut.
"""

import numpy as np
from numpy.typing import NDArray

from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.subspace import dominant_eigenvectors
from nextlmm.linalg.threads import few_threads
from nextlmm.linalg.tree import ClusterTree, Node

_COMPONENTS = 20
_NEIGHBOURS = 32
_ROWS = 512
_TIE = 0.1
_NOISE = 5.0


def cluster_tree(k: FloatArray, *, leaf_size: int, seed: int = 0) -> ClusterTree:
    """Order the rows of ``k`` (n, n) and cut them into a tree of leaves of at most ``leaf_size``.

    Cost: about 120 products of ``k`` with a vector and one pass over its entries.
    """
    with few_threads(len(k)):
        values, vectors = components(k, min(_COMPONENTS, max(1, len(k) // 10)), seed=seed)
        group = tied_groups(k, values, vectors, largest=leaf_size)
    return bisect(vectors * np.sqrt(values), group, leaf_size=leaf_size)


def components(k: FloatArray, count: int, *, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """The ``count`` largest eigenvalues of ``k`` that are positive, and their eigenvectors."""
    values, vectors = dominant_eigenvectors(
        lambda x: k @ x, len(k), count, worth=lambda v: v, rng=np.random.default_rng(seed)
    )
    return values[values > 0.0], vectors[:, values > 0.0]


def tied_groups(
    k: FloatArray, values: FloatArray, vectors: FloatArray, *, largest: int
) -> NDArray[np.intp]:
    """Label (n,) of the group of close relatives of each row; none exceeds ``largest`` rows.

    Rows i and j are tied when their correlation in K - sum values_k vectors_k vectors_k' exceeds
    both 0.1 and five robust standard deviations of all such correlations.  Groups grow from the
    strongest tie down while they fit, so that a chain of weak ties cannot swallow everybody.
    """
    first, second, _ = _strong_ties(k, values, vectors)
    return joined(len(k), first, second, largest)


def bisect(coordinates: FloatArray, group: NDArray[np.intp], *, leaf_size: int) -> ClusterTree:
    """Recursive bisection of ``coordinates`` (n, d) along their principal axis between groups.

    The cut is the one with the smallest spread within the two sides (as in two-means clustering)
    that leaves at least a quarter of the rows on each, where the groups allow it.
    """
    labels, group = np.unique(group, return_inverse=True)
    size = np.bincount(group, minlength=len(labels))
    centre = np.stack(
        [np.bincount(group, weights=c, minlength=len(labels)) / size for c in coordinates.T],
        axis=1,
    )
    order: list[int] = []
    root = _cut(np.arange(len(labels)), centre, size, leaf_size, order)
    rank = np.empty(len(labels), dtype=np.intp)
    rank[order] = np.arange(len(labels))
    permutation = np.argsort(rank[group], kind="stable")
    return ClusterTree(permutation, root, group[permutation])


def _cut(
    groups: NDArray[np.intp],
    centre: FloatArray,
    size: NDArray[np.intp],
    leaf_size: int,
    order: list[int],
) -> Node:
    """The node over ``groups``, whose labels it appends to ``order`` in the order of its rows."""
    start = int(size[order].sum())
    rows = size[groups]
    total = int(rows.sum())
    if total <= leaf_size or len(groups) == 1:
        order.extend(int(g) for g in groups)
        return Node(start, start + total)
    position = _principal_position(centre[groups], rows)
    by_position = np.argsort(position, kind="stable")
    groups, rows, position = groups[by_position], rows[by_position], position[by_position]
    at = _two_means_cut(position, rows)
    left = _cut(groups[:at], centre, size, leaf_size, order)
    right = _cut(groups[at:], centre, size, leaf_size, order)
    return Node(start, start + total, left, right)


def _principal_position(points: FloatArray, weight: NDArray[np.intp]) -> FloatArray:
    centred = points - np.average(points, axis=0, weights=weight)
    scatter = (centred * weight[:, None]).T @ centred
    axis = np.linalg.eigh(scatter)[1][:, -1]
    return np.asarray(centred @ axis)


def _two_means_cut(position: FloatArray, weight: NDArray[np.intp]) -> int:
    """How many of the sorted groups go left."""
    count = np.cumsum(weight)[:-1].astype(float)
    total = float(weight.sum())
    mass = np.cumsum(position * weight)[:-1]
    whole = float((position * weight).sum())
    between = mass**2 / count + (whole - mass) ** 2 / (total - count)
    allowed = (count >= total / 4.0) & (count <= 3.0 * total / 4.0)
    if not allowed.any():
        return int(np.abs(count - total / 2.0).argmin()) + 1
    return int(np.where(allowed, between, -np.inf).argmax()) + 1


def _strong_ties(
    k: FloatArray, values: FloatArray, vectors: FloatArray
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Pairs (i < j) of tied rows and their correlation, the strongest first."""
    scaled = vectors * values
    spread = np.sqrt(np.maximum(k.diagonal() - np.einsum("ij,ij->i", scaled, vectors), 0.0))
    spread[spread == 0.0] = np.inf  # a row that the components explain whole is tied to none
    pairs: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    for start in range(0, len(k), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(k)))
        tie = k[rows] - scaled[rows] @ vectors.T
        tie /= spread[rows, None]
        tie /= spread
        noise = float(np.median(np.abs(tie[:, :: max(1, len(k) // 2048)]))) / 0.6745
        tie[rows - start, rows] = 0.0
        i, j = np.nonzero(strong_in_row(tie, max(_TIE, _NOISE * noise)))
        pairs.append((np.minimum(rows[i], j), np.maximum(rows[i], j), tie[i, j]))
    first, second, strength = (np.concatenate(column) for column in zip(*pairs, strict=True))
    best = np.argsort(-strength, kind="stable")
    return first[best], second[best], strength[best]


def strong_in_row(tie: NDArray[np.floating], least: float) -> NDArray[np.bool_]:
    """Mask of the entries above ``least``, in a row of more than 32 of them of the strongest.

    So the number of pairs stays O(n).
    """
    is_strong = tie > least
    many = np.flatnonzero(np.count_nonzero(is_strong, axis=1) > _NEIGHBOURS)
    weakest = np.partition(tie[many], -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS] if len(many) else 0.0
    is_strong[many] &= tie[many] >= np.reshape(weakest, (-1, 1))
    return is_strong


def joined(
    n: int,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    largest: int,
    *,
    size: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """Label (n,) of each row once pairs are joined in the order given, the closest first.

    Parameters
    ----------
    n : number of rows.
    first, second : rows of each pair.
    largest : a union that would exceed so many rows is left out.
    size : (n,) what each row counts for; 1 if None.
    """
    parent = list(range(n))
    count = [1] * n if size is None else size.tolist()

    def root_of(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        a, b = root_of(i), root_of(j)
        if a != b and count[a] + count[b] <= largest:
            a, b = min(a, b), max(a, b)
            parent[b] = a
            count[a] += count[b]
    return np.array([root_of(i) for i in range(n)], dtype=np.intp)
