"""Some variants of many samples, packed both ways, ready for products.

The products are those of :mod:`lookup`.  A genotype counts copies of the rarer allele here, so that
most of them are 0 and sums in single precision keep their digits; that is undone where the products
leave this module.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.lookup import (
    GENOTYPES_IN_WORD,
    WIDTHS,
    product_kernels,
    width_for,
    word_kernels,
)
from nextlmm.genotype.tables import IndexArray

PackedArray = NDArray[np.uint8]
WordArray = NDArray[np.uint64]
FloatArray = NDArray[np.float64]

_EVEN = np.uint64(0x5555555555555555)
_ONE = np.uint64(1)
_NONE = 0xFF  # four genotypes without the effect allele
_ROWS = 4096  # whose sums stay in the second cache
MOSTLY_CALLED = 16  # one genotype in so many may be missing, or they are looked up in a pass anew
COPIES = (2.0, 0.0, 1.0, 0.0)
IS_MISSING = (0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class GenotypeTile:
    """Genotypes of ``n_variants`` variants and ``n`` samples.

    Attributes
    ----------
    by_variant : (ceil(n / 32), b) words of samples, b the number of variants rounded up to 32.
    by_sample : (b / 32, 32 ceil(n / 32)) words of variants.
    is_flipped : (n_variants,) whether the words count the other allele.
    starts, places : the samples that miss variant v are places[starts[v]:starts[v + 1]].
    """

    n: int
    n_variants: int
    by_variant: WordArray
    by_sample: WordArray
    is_flipped: NDArray[np.bool_]
    starts: NDArray[np.int64]
    places: NDArray[np.uint32]

    def __repr__(self) -> str:
        return f"<tile of {self.n:,} samples and {self.n_variants:,} variants>"

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(x.nbytes for x in (self.by_variant, self.by_sample, self.starts, self.places))

    def packed(self, variants: IndexArray) -> PackedArray:
        """Some variants as PLINK 1 packs them, (len(variants), ceil(n / 4))."""
        words = np.ascontiguousarray(self.by_variant[:, variants].T)
        flipped = self.is_flipped[variants]
        words[flipped] = _flipped(words[flipped])
        return words.view(np.uint8)[:, : -(-self.n // 4)]

    def inner(
        self, x: NDArray[Any], mean: FloatArray, scale: FloatArray, sums: FloatArray
    ) -> NDArray[Any]:
        """The columns ``(dosage - mean) * scale``, 0 where missing, times x: (b, k).

        Parameters
        ----------
        x : (rows, k) from `padded`.
        mean, scale : (n_variants,).
        sums : (k,) of the columns of x.

        Returns
        -------
        As `outer` takes it: rows beyond the last variant are 0.

        Cost: an addition of k numbers for every two genotypes.
        """
        sign = np.where(self.is_flipped, -scale, scale)
        mean = np.where(self.is_flipped, 2.0 - mean, mean)
        padded_out = np.zeros((self.by_variant.shape[1], x.shape[1]), x.dtype)
        out = padded_out[: self.n_variants]
        _product(self.by_variant, slice(0, self.n_variants), x, COPIES, out)
        if len(self.places) * MOSTLY_CALLED <= self.n * self.n_variants:
            _add_missing(self.starts, self.places, mean.astype(x.dtype), x, out)
        else:
            missing = np.zeros_like(out)
            _product(self.by_variant, slice(0, self.n_variants), x, IS_MISSING, missing)
            missing *= mean.astype(x.dtype)[:, None]
            out += missing
        if sums.any():
            out -= np.multiply.outer(mean, sums).astype(x.dtype)
        out *= sign.astype(x.dtype)[:, None]
        return padded_out

    def outer(self, t: NDArray[Any], values: FloatArray) -> NDArray[Any]:
        """An array of numbers that stand for the genotypes times t: (32 ceil(n / 32), k).

        Parameters
        ----------
        t : (b, k), from `padded` or `inner`.
        values : (n_variants, 4) the number for each two-bit code of each variant.

        Cost: an addition of k numbers for every two genotypes.
        """
        own = np.zeros((len(t), 4), t.dtype)
        own[: self.n_variants] = values
        own[: self.n_variants][self.is_flipped] = values[self.is_flipped][:, [3, 1, 2, 0]]
        out = np.zeros((self.by_sample.shape[1], t.shape[1]), t.dtype)
        for start in range(0, len(out), _ROWS):
            rows = slice(start, min(start + _ROWS, len(out)))
            _product(self.by_sample, rows, t, own, out[rows])
        return out


def tile_of_packed(packed: PackedArray, n: int, is_common: NDArray[np.bool_]) -> GenotypeTile:
    """A tile of rows as PLINK 1 packs them, (b, ceil(n / 4)); bits beyond the last are ignored.

    ``is_common`` (b,) says whether the effect allele is the commoner one, which changes the
    rounding of the products and nothing else.

    Cost: some 2 G genotypes a second on one core.
    """
    chunks = -(-n // GENOTYPES_IN_WORD)
    rows = np.full((-(-len(packed) // GENOTYPES_IN_WORD) * GENOTYPES_IN_WORD, 8 * chunks), _NONE)
    rows = rows.astype(np.uint8)
    rows[: len(packed), : packed.shape[1]] = packed
    if n % 4:
        rows[:, n // 4] |= np.uint8(_NONE << 2 * (n % 4) & 0xFF)
    words = np.ascontiguousarray(rows.view(np.uint64).T)
    words[:, : len(packed)][:, is_common] = _flipped(words[:, : len(packed)][:, is_common])
    _clear_padding(words, n)
    return _tile_of_words(words, n, is_common)


def tile_of_samples(tile: GenotypeTile, samples: IndexArray) -> GenotypeTile:
    """The tile with the chosen samples, in their order."""
    chunks = -(-len(samples) // GENOTYPES_IN_WORD)
    shape = (tile.by_sample.shape[0], GENOTYPES_IN_WORD * chunks)
    by_sample = np.full(shape, np.uint64(2**64 - 1))
    by_sample[:, : len(samples)] = tile.by_sample[:, samples]
    return _tile_of_words(_transposed(by_sample), len(samples), tile.is_flipped)


def padded(x: NDArray[Any], rows: int, dtype: DTypeLike) -> NDArray[Any]:
    """An array (n, k) with zeros below and to the right, as products take it."""
    n, k = x.shape
    width = sum(width for _, width in panels(k, np.dtype(dtype)))
    result = np.zeros((-(-rows // GENOTYPES_IN_WORD) * GENOTYPES_IN_WORD, width), dtype)
    result[:n, :k] = x
    return result


def _tile_of_words(words: WordArray, n: int, is_flipped: NDArray[np.bool_]) -> GenotypeTile:
    """A tile from words by variant that count the rarer allele."""
    n_variants = len(is_flipped)
    starts, places = listed_missing(words, n_variants)
    tile = GenotypeTile(n, n_variants, words, _transposed(words), is_flipped, starts, places)
    for array in (words, tile.by_sample, is_flipped, starts, places):
        array.setflags(write=False)
    return tile


def listed_missing(
    words: WordArray, n_variants: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Where words by variant have missing genotypes: starts and places."""
    kernels, stride = word_kernels().call, words.strides[0] // 8
    counts = np.zeros(n_variants, dtype=np.int64)
    address = words.ctypes.data
    kernels["count_missing"](address, stride, n_variants, len(words), counts.ctypes.data)
    starts = np.zeros(n_variants + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    places, ends = np.empty(starts[-1], dtype=np.uint32), starts[:-1].copy()
    kernels["list_missing"](
        address, stride, n_variants, len(words), ends.ctypes.data, places.ctypes.data
    )
    return starts, places


def _add_missing(
    starts: NDArray[np.int64],
    places: NDArray[np.uint32],
    weights: NDArray[Any],
    x: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Add the rows of x at missing genotypes, times the weight of the variant."""
    if not len(places):
        return
    for column, width in panels(x.shape[1], x.dtype):
        product_kernels(x.dtype.name, width).call["gather"](
            starts.ctypes.data,
            places.ctypes.data,
            len(out),
            weights.ctypes.data,
            x.ctypes.data + column * x.itemsize,
            x.strides[0],
            out.ctypes.data + column * x.itemsize,
            out.strides[0],
        )


def _flipped(words: WordArray) -> WordArray:
    """The same genotypes counting the other allele: 00 and 11 change places."""
    same = ~(words ^ words >> _ONE) & _EVEN
    return np.asarray(words ^ (same | same << _ONE))


def _clear_padding(words: WordArray, n: int) -> None:
    """No copies and nothing missing beyond the last sample."""
    rest = n % GENOTYPES_IN_WORD
    if rest:
        words[-1] |= np.uint64(2**64 - (1 << 2 * rest))


def _transposed(words: WordArray) -> WordArray:
    """Words (chunks, rows) as words (rows / 32, 32 chunks)."""
    chunks, rows = words.shape
    out = np.empty((rows // GENOTYPES_IN_WORD, chunks * GENOTYPES_IN_WORD), np.uint64)
    word_kernels().call["transpose"](
        words.ctypes.data, rows, chunks, out.ctypes.data, out.shape[1], len(out)
    )
    return out


def panels(k: int, dtype: DTypeLike) -> Iterator[tuple[int, int]]:
    """First column and width of the panels that hold k columns."""
    widest = WIDTHS[np.dtype(dtype).name][-1]
    widths = [widest] * (k // widest)
    if k % widest:
        widths.append(width_for(k % widest, dtype))
    return zip(accumulate([0, *widths]), widths, strict=False)


def _product(
    words: WordArray, rows: slice, x: NDArray[Any], values: Any, out: NDArray[Any]
) -> None:
    """Add genotypes times x to ``out``; values (4,) of all columns or (columns, 4) of each."""
    table_of = np.ascontiguousarray(values, dtype=x.dtype)
    stride = 0 if table_of.ndim == 1 else table_of.strides[0]
    for column, width in panels(x.shape[1], x.dtype):
        table = np.empty(256 * width, x.dtype)
        product_kernels(x.dtype.name, width).call["product"](
            words.ctypes.data + 8 * rows.start,
            words.shape[1],
            rows.stop - rows.start,
            len(words),
            x.ctypes.data + column * x.itemsize,
            x.strides[0],
            table_of.ctypes.data,
            stride,
            table.ctypes.data,
            out.ctypes.data + column * x.itemsize,
            out.strides[0],
        )
