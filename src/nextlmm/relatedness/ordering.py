"""The order of the samples and the tree over them, found from genotypes or given by the user.

The rules are those of :mod:`nextlmm.linalg.ordering`: dominant components say who shares a
population, what is left of the genotypes once those are taken out says who are relatives.  Nothing
of n x n is ever held.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.linalg.ordering import bisect, joined, strong_in_row
from nextlmm.linalg.subspace import diagonalized, dominant_eigenvectors
from nextlmm.linalg.threads import one_thread
from nextlmm.linalg.tree import ClusterTree, Node
from nextlmm.relatedness.columns import blocks_of
from nextlmm.relatedness.operator import RelationshipOperator

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_COMPONENTS = 20
_THINNED = 20_000  # variants that components are first looked for in
_SCREENED = (1024, 8192)  # fewest and most variants that relatives are looked for in
_SCREEN_ITEMS = 2**25  # genotypes of all samples at them
_ROWS = 512
_TIE = 0.1
_NOISE = 5.0
_EXPLAINED = 1e-3  # a row of which less is left is tied to none
_COLUMNS = 256


@dataclass(frozen=True, eq=False)
class Components:
    """The largest eigenvalues of K (d,), descending, and their orthonormal eigenvectors (n, d).

    As found; the values are exact Rayleigh quotients of the vectors for the whole K.
    """

    values: FloatArray
    vectors: FloatArray


def find_components(
    operator: RelationshipOperator, count: int = _COMPONENTS, *, seed: int = 0
) -> Components:
    """The dominant components of K, from a part of its variants and two passes over all.

    Cost: 4 passes over 20,000 variants and 2 over all, with ``count + 8`` columns each.
    """
    n, wanted = operator.n, min(count, max(1, operator.n // 10))
    thinned = operator.thinned(_THINNED, seed)

    def product(x: FloatArray) -> FloatArray:
        return thinned.matmul(x, dtype=np.float32)

    rng = np.random.default_rng(seed)
    found = dominant_eigenvectors(product, n, min(n, wanted + 8), worth=lambda v: v, rng=rng)[1]
    if thinned.n_variants < operator.n_variants:
        found = np.linalg.qr(operator.matmul(found, dtype=np.float32))[0]
    image = operator.matmul(found, dtype=np.float32)
    values, rotation, rounding = diagonalized(found, image)
    best = np.argsort(-values, kind="stable")[:wanted]
    best = best[values[best] > rounding]
    return Components(values[best], found @ rotation[:, best])


def genotype_tree(
    operator: RelationshipOperator, components: Components, *, leaf_size: int, seed: int = 0
) -> ClusterTree:
    """The tree over the samples of K: populations contiguous, relatives in one leaf.

    Cost: reading 8,192 variants, fewer from 4,096 samples on and 1,024 at least, and n^2 operations
    for each; memory is that of those genotypes in single precision and of 512 rows of n numbers.
    """
    first, second, _ = find_relatives(operator, components, seed=seed)
    group = joined(operator.n, first, second, leaf_size)
    return tree_of_groups(group, components, leaf_size=leaf_size)


def find_relatives(
    operator: RelationshipOperator, components: Components, *, seed: int = 0
) -> tuple[IndexArray, IndexArray, FloatArray]:
    """Pairs of relatives and their correlation, the strongest first.

    Two samples are relatives if their genotypes, components taken out, are correlated by more than
    both 0.1 and five robust standard deviations of all pairs.  Of each sample at most 32 pairs with
    later samples are kept.
    """
    fewest, most = _SCREENED
    count = int(np.clip(_SCREEN_ITEMS // operator.n, fewest, most))
    residual = _residual_genotypes(operator.thinned(count, seed + 1), components)

    def of_rows(start: int) -> tuple[IndexArray, IndexArray, FloatArray]:
        rows = np.arange(start, min(start + _ROWS, operator.n))
        tie = residual[rows] @ residual[start:].T
        sampled = tie[:, :: max(1, tie.shape[1] // 2048)]
        noise = float(np.median(np.abs(sampled))) / 0.6745
        tie[np.tril_indices(len(rows), 0, tie.shape[1])] = 0.0
        i, j = np.nonzero(strong_in_row(tie, max(_TIE, _NOISE * noise)))
        return rows[i], start + j, tie[i, j].astype(np.float64)

    with one_thread(), ThreadPoolExecutor(operator.threads) as pool:
        pairs = list(pool.map(of_rows, range(0, operator.n, _ROWS)))
    first, second, strength = (np.concatenate(column) for column in zip(*pairs, strict=True))
    best = np.argsort(-strength, kind="stable")
    return first[best], second[best], strength[best]


def _residual_genotypes(
    operator: RelationshipOperator, components: Components
) -> NDArray[np.float32]:
    """Genotypes (n, m) without the components, rows of length 1, or 0 if nothing is left."""
    basis = components.vectors.astype(np.float32)
    residual = np.empty((operator.n, operator.n_variants), np.float32)
    length = np.zeros(operator.n)
    for at in blocks_of(0, operator.n_variants, _COLUMNS):
        f = operator.columns.block(at, np.float32)[operator.rows]
        f -= basis @ (basis.T @ f)
        length += np.einsum("ij,ij->i", f, f)
        residual[:, at] = f
    length = np.sqrt(length)
    length[length < _EXPLAINED * float(length.max(initial=0.0))] = np.inf
    residual /= length.astype(np.float32)[:, None]
    return residual


def tree_of_order(order: IndexArray, *, leaf_size: int) -> ClusterTree:
    """The tree over a given order of the samples, cut into halves."""
    group = np.arange(len(order))
    position = np.arange(len(order), dtype=np.float64)[:, None]
    tree = bisect(position, group, leaf_size=leaf_size)
    return ClusterTree(order[tree.permutation], tree.root, group)


def tree_of_groups(
    group: NDArray[np.generic], components: Components, *, leaf_size: int
) -> ClusterTree:
    """The tree that cuts no group, but within a group of more than ``leaf_size`` samples.

    Parameters
    ----------
    group : (n,) labels: families, populations, pens.
    components : where the samples lie.
    """
    coordinates = components.vectors * np.sqrt(components.values)
    label = np.unique(group, return_inverse=True)[1]
    tree = bisect(coordinates, label, leaf_size=leaf_size)
    order = tree.permutation.copy()

    def split(node: Node) -> Node:
        if node.children is not None:
            left, right = (split(child) for child in node.children)
            return Node(node.start, node.stop, left, right)
        if node.size <= leaf_size:
            return node
        rows = order[node.start : node.stop].copy()
        inner = bisect(coordinates[rows], np.arange(len(rows)), leaf_size=leaf_size)
        order[node.start : node.stop] = rows[inner.permutation]
        return _shifted(inner.root, node.start)

    root = split(tree.root)
    return ClusterTree(order, root, label[order])


def groups_of_pairs(
    n: int,
    first: IndexArray,
    second: IndexArray,
    relationship: FloatArray,
    *,
    largest: int,
    least: float = _TIE,
) -> IndexArray:
    """Label (n,) of the family of each sample, from a list of related pairs.

    Families grow from the closest pair down while they have at most ``largest`` samples.

    Parameters
    ----------
    n : number of samples.
    first, second : samples of each pair.
    relationship : of each pair, on the scale of K (twice the kinship coefficient).
    largest : most samples of a family.
    least : pairs less related than this are ignored.
    """
    used = np.flatnonzero(relationship > least)
    used = used[np.argsort(-relationship[used], kind="stable")]
    return joined(n, first[used], second[used], largest)


def groups_of_pedigree(
    sample: Sequence[str],
    father: Sequence[str | None],
    mother: Sequence[str | None],
    *,
    largest: int,
) -> IndexArray:
    """Label (n,) of the family of each sample, from its parents, genotyped or not.

    Full and half siblings and parents with their children are joined while a family has at most
    ``largest`` samples.

    Parameters
    ----------
    sample, father, mother : (n,) identifiers, None where a parent is not known.
    """
    number = {name: at for at, name in enumerate(sample)}
    child: list[int] = []
    parent: list[int] = []
    for parents in (mother, father):
        for at, name in enumerate(parents):
            if name is not None:
                child.append(at)
                parent.append(number.setdefault(name, len(number)))
    size = np.zeros(len(number), dtype=np.intp)
    size[: len(sample)] = 1
    label = joined(len(number), np.array(child, int), np.array(parent, int), largest, size=size)
    return label[: len(sample)]


def _shifted(node: Node, by: int) -> Node:
    if node.children is None:
        return Node(node.start + by, node.stop + by)
    left, right = (_shifted(child, by) for child in node.children)
    return Node(node.start + by, node.stop + by, left, right)
