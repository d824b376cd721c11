"""Weighted sums of squares of products of variants with fixed vectors: quadratic forms."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.lookup import WIDTH, product_kernels, table_room
from nextlmm.genotype.tile import COPIES, GenotypeTile, panels
from nextlmm.genotype.words import GENOTYPES_IN_WORD

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SquarePanels:
    """Vectors of which squares of products are wanted, ready for any number of tiles.

    dtype : of all arrays.
    arrays : of the panels, kept because ``listed`` has their addresses: vectors (32 chunks, width)
        with zeros around them, their sums and their weights (width,).
    listed : (p, 5) the panels as `lookup` takes them.
    """

    dtype: np.dtype[Any]
    arrays: tuple[NDArray[Any], ...]
    listed: NDArray[np.int64]


def square_panels(
    parts: Iterable[tuple[int, NDArray[Any], FloatArray]], dtype: DTypeLike
) -> SquarePanels:
    """Vectors in panels of a type; one copy of them.

    A part is the first sample that its vectors meet, the vectors (rows, k) and weights (k,).
    """
    kind = np.dtype(dtype)
    width = WIDTH[kind.name]
    arrays: list[NDArray[Any]] = []
    listed: list[list[int]] = []
    for start, vectors, weights in parts:
        rows, k = vectors.shape
        first, above = divmod(start, GENOTYPES_IN_WORD)
        chunks = -(-(start + rows) // GENOTYPES_IN_WORD) - first
        for column in panels(k, kind):
            own = slice(column, min(column + width, k))
            x = np.zeros((GENOTYPES_IN_WORD * chunks, width), kind)
            x[above : above + rows, : own.stop - column] = vectors[:, own]
            weight = np.zeros(width, kind)
            weight[: own.stop - column] = weights[own]
            sums = x.sum(axis=0, dtype=np.float64).astype(kind)
            arrays += [x, sums, weight]
            listed.append([first, chunks, *(_address(array) for array in arrays[-3:])])
    return SquarePanels(kind, tuple(arrays), np.array(listed, np.int64).reshape(-1, 5))


def sum_of_squares(tile: GenotypeTile, vectors: SquarePanels, mean: FloatArray) -> FloatArray:
    """Sum over the vectors v of weight (v' x)^2 of every variant x of a tile, (n_variants,).

    Parameters
    ----------
    tile : the variants.
    vectors : in panels.
    mean : (n_variants,) taken off the called genotypes; missing ones are 0 after that.

    Cost: an addition for every four genotypes that a vector meets.
    """
    kind = vectors.dtype
    totals = np.zeros(tile.n_variants)
    listed, copies, table = _listed_before(tile), np.array(COPIES, kind), table_room(kind)
    products = np.zeros((tile.n_variants, WIDTH[kind.name]), kind)
    counted = np.where(tile.is_flipped, 2.0 - mean, mean).astype(kind)
    ones = np.ones(tile.n_variants, kind)
    product_kernels(kind.name).call["squares"](
        _address(tile.by_variant),
        tile.by_variant.shape[1],
        tile.n_variants,
        _address(listed),
        _address(tile.places),
        _address(vectors.listed),
        len(vectors.listed),
        _address(copies),
        _address(table),
        _address(products),
        _address(counted),
        _address(ones),
        _address(totals),
    )
    return totals


def _listed_before(tile: GenotypeTile) -> NDArray[np.int64]:
    """Where in ``places`` each word of each variant begins, (chunks + 1, n_variants)."""
    shape = len(tile.by_variant) + 1, tile.n_variants
    variant = np.repeat(np.arange(tile.n_variants), np.diff(tile.starts))
    following = tile.places.astype(np.int64) // GENOTYPES_IN_WORD + 1
    counts = np.bincount(following * shape[1] + variant, minlength=shape[0] * shape[1])
    result = counts.reshape(shape).cumsum(axis=0)
    result += tile.starts[:-1]
    return result


def _address(array: NDArray[Any]) -> int:
    """Where an array lies; quicker than by its attribute ``ctypes``."""
    return int(array.__array_interface__["data"][0])
