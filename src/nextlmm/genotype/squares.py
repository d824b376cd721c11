"""Weighted sums of squares of products of variants with fixed vectors: quadratic forms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.lookup import GENOTYPES_IN_WORD, Kernels, product_kernels
from nextlmm.genotype.tile import (
    COPIES,
    IS_MISSING,
    MOSTLY_CALLED,
    GenotypeTile,
    listed_missing,
    panels,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SquarePanel:
    """Vectors of which squares of products are wanted.

    first, chunks : which words of samples the vectors meet.
    x : (32 chunks, width) the vectors, zeros where there is none, of a width of `lookup`.
    sums, weights : (width,) of the vectors, of the type of x.
    """

    first: int
    chunks: int
    x: NDArray[Any]
    sums: NDArray[Any]
    weights: NDArray[Any]


class _Missing(NamedTuple):
    """Missing genotypes among the samples of some words: see `GenotypeTile`."""

    first: int
    chunks: int
    starts: NDArray[np.int64]
    places: NDArray[np.uint32]


class _Room(NamedTuple):
    """What the panels of a width share: code, numbers that stand for codes, and working memory."""

    kernels: Kernels
    copies: NDArray[Any]
    is_missing: NDArray[Any]
    table: NDArray[Any]
    products: NDArray[Any]
    means: NDArray[Any]


def square_panels(
    start: int, vectors: NDArray[Any], weights: FloatArray, dtype: DTypeLike
) -> Iterator[SquarePanel]:
    """Panels of vectors (rows, k) that meet the samples from ``start`` on, with weights (k,)."""
    first, stop = start // GENOTYPES_IN_WORD, start + len(vectors)
    chunks = -(-stop // GENOTYPES_IN_WORD) - first
    above = start - GENOTYPES_IN_WORD * first
    for column, width in panels(vectors.shape[1], dtype):
        part = vectors[:, column : column + width]
        x = np.zeros((GENOTYPES_IN_WORD * chunks, width), dtype)
        x[above : above + len(part), : part.shape[1]] = part
        weight = np.zeros(width, dtype)
        weight[: part.shape[1]] = weights[column : column + width]
        yield SquarePanel(first, chunks, x, x.sum(axis=0, dtype=np.float64).astype(dtype), weight)


def sum_of_squares(
    tile: GenotypeTile, vectors: Sequence[SquarePanel], mean: FloatArray
) -> FloatArray:
    """Sum over the vectors v of weight (v' x)^2 of every variant x of a tile, (n_variants,).

    Parameters
    ----------
    tile : the variants.
    vectors : in panels.
    mean : (n_variants,) taken off the called genotypes; missing ones are 0 after that.

    Cost: an addition for every two genotypes that a vector meets.
    """
    means = np.where(tile.is_flipped, 2.0 - mean, mean)
    totals = np.zeros(tile.n_variants)
    missing = _Missing(0, len(tile.by_variant), tile.starts, tile.places)
    rooms: dict[tuple[np.dtype[Any], int], _Room] = {}
    for panel in vectors:
        if (panel.first, panel.chunks) != (missing.first, missing.chunks):
            missing = _missing_in(tile, panel.first, panel.chunks)
        kind = panel.x.dtype, panel.x.shape[1]
        if kind not in rooms:
            rooms[kind] = _room(*kind, means)
        _add_squares(tile, panel, missing, rooms[kind], totals)
    return totals


def _add_squares(
    tile: GenotypeTile, panel: SquarePanel, missing: _Missing, room: _Room, totals: FloatArray
) -> None:
    call, products = room.kernels.call, _address(room.products)
    x, stride, count = _address(panel.x), panel.x.strides[0], tile.n_variants
    row_stride = tile.by_variant.shape[1]
    words = _address(tile.by_variant) + 8 * panel.first * row_stride
    shape = (row_stride, count, panel.chunks, x, stride)
    table, means = _address(room.table), _address(room.means)
    call["product"](words, *shape, _address(room.copies), 0, table, products, stride)
    if len(missing.places) * MOSTLY_CALLED > GENOTYPES_IN_WORD * panel.chunks * count:
        of_missing = np.zeros_like(room.products)
        target = _address(of_missing)
        call["product"](words, *shape, _address(room.is_missing), 0, table, target, stride)
        of_missing *= room.means[:, None]
        np.add(room.products, of_missing, out=room.products)
    elif len(missing.places):
        listed = _address(missing.starts), _address(missing.places), count
        call["gather"](*listed, means, x, stride, products, stride)
    vectors = _address(panel.sums), _address(panel.weights)
    call["squares"](products, count, means, *vectors, _address(totals))


def _room(dtype: np.dtype[Any], width: int, means: FloatArray) -> _Room:
    return _Room(
        product_kernels(dtype.name, width),
        np.array(COPIES, dtype),
        np.array(IS_MISSING, dtype),
        np.empty(256 * width, dtype),
        np.zeros((len(means), width), dtype),
        means.astype(dtype),
    )


def _missing_in(tile: GenotypeTile, first: int, chunks: int) -> _Missing:
    """Missing genotypes among the samples of some words, counted from the first of these."""
    if len(tile.places) == 0 or chunks == len(tile.by_variant):
        return _Missing(first, chunks, tile.starts, tile.places)
    words = tile.by_variant[first : first + chunks]
    return _Missing(first, chunks, *listed_missing(words, tile.n_variants))


def _address(array: NDArray[Any]) -> int:
    """Where an array lies; quicker than by its attribute ``ctypes``."""
    return int(array.__array_interface__["data"][0])
