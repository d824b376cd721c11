"""A block of variants to be tested, and the products with it that all tests are made of."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.squares import SquarePanels, square_panels, sum_of_squares
from nextlmm.genotype.tables import IndexArray
from nextlmm.genotype.tile import (
    GenotypeTile,
    in_panels,
    out_of_panels,
    tile_of_packed,
    tile_of_samples,
)
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.inverse_form import InverseForm
from nextlmm.linalg.threads import one_thread
from nextlmm.work import count

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class VariantForm:
    """An inverse form, ready for any number of blocks: as squares, and as panels of a precision."""

    whole: InverseForm
    panels: SquarePanels

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the form; whoever unpickles makes panels, which are known by their addresses."""
        return variant_form, (self.whole, self.panels.dtype.name)


class VariantTile(Protocol):
    """Variants (n, b) with the mean of their called genotypes taken off, 0 where missing."""

    def products(self, x: FloatArray) -> FloatArray:
        """Of every variant with the columns of x (n, k), (b, k), in double precision."""

    def forms(self, form: VariantForm) -> FloatArray:
        """The form of every variant, (b,)."""


@dataclass(frozen=True, eq=False)
class PackedVariants:
    """Packed genotypes; ``mean`` (b,) of the called ones, ``variation`` (b,) around it."""

    tile: GenotypeTile
    mean: FloatArray
    variation: FloatArray

    def products(self, x: FloatArray) -> FloatArray:
        """Of every variant with the columns of x."""
        room = in_panels(x, self.tile.n, np.float64)
        ones, zeros = np.ones_like(self.mean), np.zeros_like(self.mean)
        scaling = self.tile.scaling(self.mean, ones, zeros)
        product = self.tile.inner(room, scaling, room.sum(axis=1))
        return out_of_panels(product, self.tile.n_variants, x.shape[1])

    def forms(self, form: VariantForm) -> FloatArray:
        """The form of every variant, in the precision of the panels."""
        return form.whole.identity * self.variation + sum_of_squares(
            self.tile, form.panels, self.mean
        )


def packed_variants(
    rows: NDArray[np.uint8],
    n: int,
    samples: IndexArray | None,
    mean: FloatArray,
    variation: FloatArray,
) -> PackedVariants:
    """Variants from packed rows (b, ceil(n / 4)), with the chosen samples, all if None."""
    tile = tile_of_packed(rows, n, mean > 1.0)
    if samples is not None:
        tile = tile_of_samples(tile, samples)
    return PackedVariants(tile, mean, variation)


@dataclass(frozen=True, eq=False)
class DosageVariants:
    """Variants as an array (n, b)."""

    columns: NDArray[np.float64]

    def products(self, x: FloatArray) -> FloatArray:
        """Of every variant with the columns of x."""
        return self.columns.T @ x

    def forms(self, form: VariantForm) -> FloatArray:
        """The form of every variant."""
        return form.whole.of(self.columns)


def variant_form(form: InverseForm, dtype: DTypeLike) -> VariantForm:
    """A form with its vectors in panels of a type; one copy of them."""
    parts = ((part.start, part.vectors, part.weights) for part in form.squares)
    return VariantForm(form, square_panels(parts, dtype))


def count_forms(form: VariantForm, n: int, n_variants: int) -> None:
    """Put the forms of so many variants of n samples on the account of the stage."""
    numbers = sum(part.vectors.size for part in form.whole.squares)
    count(operations=2.0 * numbers * n_variants, genotypes=float(n) * n_variants)


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> list[Result]:
    """The results in order, from several threads with one thread of linear algebra in each."""
    with one_thread(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
