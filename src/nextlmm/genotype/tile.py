"""Some variants of many samples, packed both ways, ready for products.

The products are those of :mod:`lookup`.  A genotype counts copies of the rarer allele here, so that
most of them are 0 and sums in single precision keep their digits; that is undone where the products
leave this module.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.lookup import WIDTH, product_kernels, table_room
from nextlmm.genotype.tables import IndexArray
from nextlmm.genotype.words import GENOTYPES_IN_WORD, word_kernels

PackedArray = NDArray[np.uint8]
WordArray = NDArray[np.uint64]
FloatArray = NDArray[np.float64]

_EVEN = np.uint64(0x5555555555555555)
_ONE = np.uint64(1)
_NONE = 0xFF  # four genotypes without the effect allele
_ROWS = 4096  # whose sums stay in the second cache
COPIES = (0.0, 1.0, 2.0)  # that a digit stands for
_OF_COPIES = (3, 2, 0)  # the two bits of none, one and two copies in PLINK 1
_BITS = np.zeros(256, np.uint8)  # the bytes of bits that bytes of digits stand for
_BITS[:81] = [
    sum(_OF_COPIES[digit] << 2 * place for place, digit in enumerate(reversed(digits)))
    for digits in product(range(3), repeat=4)
]


class TileScaling(NamedTuple):
    """A column is copies * scale - shift, a missing genotype as many copies as the mean.

    All (n_variants,), in terms of the allele that is counted; from `GenotypeTile.scaling`.
    """

    mean: FloatArray
    scale: FloatArray
    shift: FloatArray


class TileValues(NamedTuple):
    """The numbers that stand for genotypes, from `GenotypeTile.values`.

    of_copies : (b, 3) for no, one and two copies of the allele that is counted.
    of_missing : (n_variants,) by how much that of a missing genotype is above that of no copy.
    """

    of_copies: FloatArray
    of_missing: FloatArray


@dataclass(frozen=True, eq=False)
class GenotypeTile:
    """Genotypes of ``n_variants`` variants and ``n`` samples.

    Attributes
    ----------
    by_variant : (ceil(n / 32), b) words of digits of samples, b the number of variants rounded up
        to 32.
    by_sample : (b / 32, 32 ceil(n / 32)) words of digits of variants.
    is_flipped : (n_variants,) whether the digits count the other allele.
    starts, places : the samples that miss variant v are places[starts[v]:starts[v + 1]], rising.
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
        words = np.ascontiguousarray(self.bits(variants).T)
        flipped = self.is_flipped[variants]
        words[flipped] = _flipped(words[flipped])
        return words.view(np.uint8)[:, : -(-self.n // 4)]

    def bits(self, variants: IndexArray) -> WordArray:
        """Some variants as words (chunks, len(variants)) of bits, of the allele that is counted."""
        digits = np.ascontiguousarray(self.by_variant[:, variants])
        words: WordArray = _BITS.take(digits.view(np.uint8)).view(np.uint64)
        count = (self.starts[1:] - self.starts[:-1])[variants]
        column = np.repeat(np.arange(len(variants)), count)
        first = np.repeat(self.starts[:-1][variants] - (np.cumsum(count) - count), count)
        chunk, place = np.divmod(self.places[first + np.arange(len(first))], GENOTYPES_IN_WORD)
        # 11 where no copy was counted: less 10 it is 01, missing.
        np.subtract.at(words, (chunk, column), np.uint64(2) << (np.uint64(2) * place))
        return words

    def inner(self, x: NDArray[Any], scaling: TileScaling, sums: FloatArray) -> NDArray[Any]:
        """The standardised columns times x.

        Parameters
        ----------
        x : (panels, rows, width) from `in_panels`.
        scaling : of the columns.
        sums : (panels, width) of the columns of x.

        Returns
        -------
        (panels, b, width) as `outer` takes it: rows beyond the last variant are 0.

        Cost: an addition of k numbers for every four genotypes.
        """
        means, scales, shifts = (each.astype(x.dtype) for each in scaling)
        out = np.zeros((len(x), self.by_variant.shape[1], x.shape[2]), x.dtype)
        finish = product_kernels(x.dtype.name).call["finish"]
        for panel, total, result in zip(x, sums.astype(x.dtype), out, strict=True):
            _product(self.by_variant, slice(0, self.n_variants), panel, COPIES, result)
            finish(
                *self._listed(),
                means.ctypes.data,
                panel.ctypes.data,
                scales.ctypes.data,
                shifts.ctypes.data,
                total.ctypes.data,
                result.ctypes.data,
            )
        return out

    def outer(self, t: NDArray[Any], values: TileValues) -> NDArray[Any]:
        """Numbers that stand for the genotypes times t, (panels, 32 ceil(n / 32), width).

        Parameters
        ----------
        t : (panels, b, width), from `in_panels` or `inner`.
        values : the numbers.

        Cost: an addition of k numbers for every four genotypes.
        """
        of_copies, of_missing = (each.astype(t.dtype) for each in values)
        out = np.zeros((len(t), self.by_sample.shape[1], t.shape[2]), t.dtype)
        scatter = product_kernels(t.dtype.name).call["scatter"]
        for panel, result in zip(t, out, strict=True):
            for start in range(0, len(result), _ROWS):
                rows = slice(start, min(start + _ROWS, len(result)))
                _product(self.by_sample, rows, panel, of_copies, result[rows])
            listed = self._listed()
            scatter(*listed, of_missing.ctypes.data, panel.ctypes.data, result.ctypes.data)
        return out

    def scaling(self, mean: FloatArray, scale: FloatArray, shift: FloatArray) -> TileScaling:
        """For columns ``(dosage - mean) * scale - shift``, ``-shift`` where missing."""
        sign = np.where(self.is_flipped, -scale, scale)
        counted = np.where(self.is_flipped, 2.0 - mean, mean)
        return TileScaling(counted, sign, counted * sign + shift)

    def values(self, values: FloatArray) -> TileValues:
        """For numbers that stand for the two-bit codes of each variant, (n_variants, 4)."""
        of_copies = np.zeros((self.by_variant.shape[1], 3))
        of_copies[: self.n_variants] = values[:, _OF_COPIES]
        own = of_copies[: self.n_variants]
        own[self.is_flipped] = own[self.is_flipped][:, ::-1]
        return TileValues(of_copies, values[:, 1] - own[:, 0])

    def _listed(self) -> tuple[int, int, int, int]:
        """Where missing genotypes are listed, and of how many variants."""
        starts = self.starts.ctypes.data
        return starts, starts + self.starts.itemsize, self.places.ctypes.data, self.n_variants


def tile_of_packed(packed: PackedArray, n: int, is_common: NDArray[np.bool_]) -> GenotypeTile:
    """A tile of rows as PLINK 1 packs them, (b, ceil(n / 4)); bits beyond the last are ignored.

    ``is_common`` (b,) says whether the effect allele is the commoner one, which changes the
    rounding of the products and nothing else.

    Cost: some 2 G genotypes a second on one core.
    """
    chunks = -(-n // GENOTYPES_IN_WORD)
    shape = -(-len(packed) // GENOTYPES_IN_WORD) * GENOTYPES_IN_WORD, 8 * chunks
    rows = np.full(shape, _NONE, np.uint8)
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
    words = np.full(tile.by_variant.shape, np.uint64(2**64 - 1))
    words[:, : tile.n_variants] = tile.bits(np.arange(tile.n_variants))
    by_sample[:, : len(samples)] = _transposed(words)[:, samples]
    return _tile_of_words(_transposed(by_sample), len(samples), tile.is_flipped)


def in_panels(x: NDArray[Any], rows: int, dtype: DTypeLike) -> NDArray[Any]:
    """An array (n, k) as products take it: (panels, rows rounded up to 32, width).

    Panels of as many columns as `lookup` takes together lie one after the other, with zeros below
    and beside x; ``out_of_panels`` is the way back.
    """
    n, k = x.shape
    width = WIDTH[np.dtype(dtype).name]
    shape = -(-k // width), -(-rows // GENOTYPES_IN_WORD) * GENOTYPES_IN_WORD, width
    result = np.zeros(shape, dtype)
    for panel, start in zip(result, panels(k, dtype), strict=True):
        part = x[:, start : start + width]
        panel[:n, : part.shape[1]] = part
    return result


def out_of_panels(x: NDArray[Any], n: int, k: int) -> NDArray[Any]:
    """The array (n, k) that stands in panels."""
    return np.hstack(list(x[:, :n]))[:, :k] if len(x) else np.empty((n, k), x.dtype)


def _tile_of_words(words: WordArray, n: int, is_flipped: NDArray[np.bool_]) -> GenotypeTile:
    """A tile from words of bits by variant that count the rarer allele, which become digits."""
    n_variants = len(is_flipped)
    starts, places = _listed_missing(words, n_variants)
    by_sample = _transposed(words)
    for array in (words, by_sample):
        word_kernels().call["digits"](array.ctypes.data, array.size)
    tile = GenotypeTile(n, n_variants, words, by_sample, is_flipped, starts, places)
    for held in (words, by_sample, is_flipped, starts, places):
        held.setflags(write=False)
    return tile


def _listed_missing(
    words: WordArray, n_variants: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Where words of bits by variant have missing genotypes: starts and places."""
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


def panels(k: int, dtype: DTypeLike) -> range:
    """First columns of the panels that hold k columns."""
    return range(0, k, WIDTH[np.dtype(dtype).name])


def _product(
    words: WordArray, rows: slice, x: NDArray[Any], values: Any, out: NDArray[Any]
) -> None:
    """Add genotypes times a panel to ``out``; values (3,) of all or (columns, 3) of each column."""
    table_of = np.ascontiguousarray(values, dtype=x.dtype)
    table = table_room(x.dtype)
    product_kernels(x.dtype.name).call["product"](
        words.ctypes.data + 8 * rows.start,
        words.shape[1],
        rows.stop - rows.start,
        len(words),
        x.ctypes.data,
        table_of.ctypes.data,
        0 if table_of.ndim == 1 else table_of.strides[0],
        table.ctypes.data,
        out.ctypes.data,
    )
