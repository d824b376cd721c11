"""Genotypes as PLINK 1 packs them, two bits each, and what can be made of them.

Four samples share a byte, the first in the lowest bits, and a variant begins on a new byte.  The
two bits mean::

    00   two copies of the effect allele
    10   one copy
    11   none
    01   missing

Bits beyond the last sample mean nothing and are ignored.  A byte is decoded by one look-up, which
yields the values of its four genotypes; a table of values of its own for each variant centres,
scales and imputes in the same look-up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.packed_file import PackedFile
from nextlmm.genotype.tables import IndexArray

FloatArray = NDArray[np.float64]
PackedArray = NDArray[np.uint8]

# Bytes of packed genotypes decoded at a time: what they unpack into stays in the processor's cache.
_CHUNK_BYTES = 65536
_CHUNKS_READ = 16  # asked for at a time
# Rows at least this long are looked up one by one, at some microseconds a call; shorter ones
# together, at the price of adding a position to every byte.
_LONG_ROW_BYTES = 4096
_TABLES = 64  # tables of values made at a time, of 4 or 8 KB each
_COPIES_OF_CODE = np.array([2, np.nan, 1, 0], dtype=np.float32)
_NO_COPY = 3
_MOST_COPIES = 2
_MISSING = 0b01
_CODE_OF_COPIES = np.array([0b11, 0b10, 0b00], dtype=np.uint8)
_SHIFTS = np.array([0, 2, 4, 6])
# Three counts share one 64-bit integer, 21 bits each, so no more than 2^21 - 1 samples at a time.
_FIELD_BITS = 21
_FIELD_MASK = (1 << _FIELD_BITS) - 1
_COUNTED_BYTES = _FIELD_MASK // 4


def _codes_of_byte() -> NDArray[np.uint8]:
    """The four two-bit codes of each byte, (256, 4)."""
    return np.asarray((np.arange(256)[:, None] >> _SHIFTS) & 3, dtype=np.uint8)


def _dosages_of_byte() -> NDArray[np.complex128]:
    """The four float32 dosages of each byte, as one 16-byte item to be copied at once, (256,)."""
    return np.ascontiguousarray(_COPIES_OF_CODE[_codes_of_byte()]).view(np.complex128)[:, 0]


def _counts_of_byte() -> NDArray[np.int64]:
    """Two-copy, one-copy and missing genotypes in each byte, in fields of 21 bits, (256,)."""
    codes = _codes_of_byte()
    two, missing, one = ((codes == code).sum(axis=1, dtype=np.int64) for code in (0, 1, 2))
    return np.asarray(two | one << _FIELD_BITS | missing << 2 * _FIELD_BITS)


_DOSAGES_OF_BYTE = _dosages_of_byte()
_COUNTS_OF_BYTE = _counts_of_byte()
_CODES_OF_BYTE = _codes_of_byte().view(np.uint32)[:, 0]
_HALVES_OF_BYTE = np.arange(256)[:, None] >> np.array([0, 4]) & 15  # four bits each, (256, 2)
_CODES_OF_HALF = np.arange(16)[:, None] >> np.array([0, 2]) & 3  # (16, 2)
for _table in (
    _DOSAGES_OF_BYTE,
    _COUNTS_OF_BYTE,
    _CODES_OF_BYTE,
    _HALVES_OF_BYTE,
    _CODES_OF_HALF,
):
    _table.setflags(write=False)


class PackedRows(Protocol):
    """Packed variants that can be asked for by position: an array, or a file that is read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of variants and bytes of each, ceil(n / 4)."""

    def __getitem__(self, variants: Any, /) -> PackedArray:
        """Rows at a slice or at an array of positions, in the order asked for."""


def packed_calls(dosages: NDArray[np.floating]) -> PackedArray | None:
    """Rows of dosages (b, n), NaN where missing, packed; None if one is not 0, 1 or 2.

    Bits beyond the last sample are zero, as PLINK leaves them.
    """
    n_variants, n = dosages.shape
    is_missing = np.isnan(dosages)
    copies = np.where(is_missing, 0.0, dosages)
    calls = copies.astype(np.uint8)
    if not np.array_equal(calls, copies) or (calls > _MOST_COPIES).any():
        return None
    codes = np.zeros((n_variants, -(-n // 4) * 4), dtype=np.uint8)
    codes[:, :n] = _CODE_OF_COPIES[calls]
    codes[:, :n][is_missing] = _MISSING
    return pack_codes(codes)


@dataclass(frozen=True, eq=False)
class PackedGenotypes:
    """Called genotypes of n samples, two bits each.

    Attributes
    ----------
    packed : (m, ceil(n / 4)) bytes, in memory or in a file.
    n : number of samples.
    """

    packed: PackedRows
    n: int

    def __post_init__(self) -> None:
        if self.packed.shape[1] != -(-self.n // 4):
            raise ValueError(f"{self.n} samples do not fit rows of {self.packed.shape[1]} bytes")

    def __len__(self) -> int:
        return self.packed.shape[0]

    def __repr__(self) -> str:
        where = "in a file" if isinstance(self.packed, PackedFile) else "in memory"
        return f"<{self.n:,} samples, {len(self):,} variants packed {where}>"

    def standardized(
        self,
        variants: IndexArray | slice,
        mean: FloatArray,
        scale: FloatArray,
        dtype: DTypeLike = np.float64,
        *,
        shift: FloatArray | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """``(dosage - mean) * scale``, missing genotypes 0, less ``shift`` (n, b).

        Parameters
        ----------
        variants : b positions, or a slice.
        mean, scale : (b,) of those variants; where scale is 0 the column is ``-shift``.
        dtype : float32 or float64; values are computed in double precision and rounded once.
        shift : (b,) taken off every genotype, called or not; nothing if None.
        out : array of that type with room for b (4 ceil(n / 4)) numbers, overwritten; a new one
            if None.

        Returns
        -------
        Columns contiguous, as a view of ``out``; each begins ceil(n / 4) 4 items after the last.

        Cost: 1.5 to 2.5 G genotypes a second in float32 and half of that in float64 on one core,
        and one microsecond for each variant.
        """
        values = _values_of_codes(mean, scale, shift).astype(dtype)
        width = 4 * self.packed.shape[1]
        room = np.empty(len(values) * width, dtype) if out is None else out.reshape(-1)
        target = room[: len(values) * width].reshape(len(values), width // 4, 4)
        step = max(1, min(_TABLES, _CHUNK_BYTES // (width // 4 or 1)))
        look_up = _by_row if width // 4 >= _LONG_ROW_BYTES else _together
        rows = self._rows(variants)
        for start in range(0, len(values), step):
            part = slice(start, start + step)
            look_up(_tables_of_bytes(values[part]), rows[part], target[part])
        return target.reshape(len(values), width)[:, : self.n].T

    def dosages(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> NDArray[np.float32]:
        """Copies of the effect allele, (n_samples, n_variants) in Fortran order, NaN if missing.

        Cost: some 2 G genotypes a second on one core for all samples and a third of that for a
        subset; memory is the result and 2 MB.
        """
        if samples is not None:
            _check_index(samples, self.n, "samples")
        n_chosen = self.n if samples is None else len(samples)
        decoded = np.empty((len(variants), n_chosen), np.float32)
        for start, packed in self._chunks(variants):
            rows = _DOSAGES_OF_BYTE.take(packed, mode="clip").view(np.float32)
            target = decoded[start : start + len(packed)]
            if samples is None:
                target[...] = rows[:, : self.n]
            else:
                rows.take(samples, axis=1, out=target, mode="clip")
        return decoded.T

    def counts(self, variants: IndexArray, samples: IndexArray | None = None) -> GenotypeCounts:
        """Genotype counts of the variants over the samples, which must be distinct.

        Cost: some 10 G genotypes a second on one core, whatever the number of samples chosen.
        """
        n_chosen = self.n if samples is None else len(samples)
        ignored = self._ignored_bits(samples)
        two, one, missing = (np.zeros(len(variants), dtype=np.int64) for _ in range(3))
        for start, packed in self._chunks(variants):
            rows = slice(start, start + len(packed))
            for first in range(0, packed.shape[1], _COUNTED_BYTES):
                part = slice(first, first + _COUNTED_BYTES)
                sums = _COUNTS_OF_BYTE.take(packed[:, part] | ignored[part], mode="clip").sum(
                    axis=1
                )
                two[rows] += sums & _FIELD_MASK
                one[rows] += sums >> _FIELD_BITS & _FIELD_MASK
                missing[rows] += sums >> 2 * _FIELD_BITS
        return GenotypeCounts(n_called=n_chosen - missing, n_one=one, n_two=two)

    def take(self, variants: IndexArray, samples: IndexArray | None = None) -> "PackedGenotypes":
        """The chosen genotypes in memory, packed anew in the orders given; all samples if None.

        Cost: some 0.5 G genotypes a second on one core if samples are chosen; memory is the result
        and 2 MB.
        """
        if samples is not None:
            _check_index(samples, self.n, "samples")
        n_chosen = self.n if samples is None else len(samples)
        taken = np.empty((len(variants), -(-n_chosen // 4)), dtype=np.uint8)
        for start, packed in self._chunks(variants):
            rows = slice(start, start + len(packed))
            taken[rows] = packed if samples is None else _repacked(packed, samples)
        taken.setflags(write=False)
        return PackedGenotypes(taken, n_chosen)

    def _ignored_bits(self, samples: IndexArray | None) -> PackedArray:
        """Bits that turn every genotype not asked for into 11, which is not counted, (ceil(n/4),).

        Bits beyond the last sample are among them.
        """
        chosen = np.zeros(4 * self.packed.shape[1], dtype=bool)
        if samples is None:
            chosen[: self.n] = True
        else:
            _check_index(samples, self.n, "samples")
            chosen[samples] = True
            if np.count_nonzero(chosen) != len(samples):
                raise ValueError("genotypes can be counted over distinct samples only")
        ignored = pack_codes(np.where(chosen, 0, _NO_COPY).astype(np.uint8)[None])
        return ignored.reshape(-1)

    def _rows(self, variants: IndexArray | slice) -> PackedArray:
        if not isinstance(variants, slice):
            _check_index(variants, len(self), "variants")
        return self.packed[variants]

    def _chunks(self, variants: IndexArray) -> Iterator[tuple[int, PackedArray]]:
        """Packed rows of the variants in pieces that fit the cache, with their first position."""
        _check_index(variants, len(self), "variants")
        step = max(1, _CHUNK_BYTES // (self.packed.shape[1] or 1))
        for first in range(0, len(variants), _CHUNKS_READ * step):
            rows = self.packed[variants[first : first + _CHUNKS_READ * step]]
            for at in range(0, len(rows), step):
                yield first + at, rows[at : at + step]


def _values_of_codes(mean: FloatArray, scale: FloatArray, shift: FloatArray | None) -> FloatArray:
    """The number that stands for each two-bit code of each variant, (b, 4)."""
    values = (_COPIES_OF_CODE.astype(np.float64) - mean[:, None]) * scale[:, None]
    values[np.isnan(_COPIES_OF_CODE)[None] | (scale == 0.0)[:, None]] = 0.0
    return values if shift is None else np.asarray(values - shift[:, None])


def _tables_of_bytes(values: NDArray[Any]) -> NDArray[Any]:
    """The four numbers of each byte, of variants with these numbers for a code, (b, 256, 4)."""
    of_half = values.take(_CODES_OF_HALF, axis=1, mode="clip")
    pairs = of_half.view(np.result_type(values.dtype, np.complex64))[..., 0]  # copied as one item
    return np.asarray(pairs.take(_HALVES_OF_BYTE, axis=1, mode="clip").view(values.dtype))


def _by_row(tables: NDArray[Any], packed: PackedArray, target: NDArray[Any]) -> None:
    """Look the bytes of each variant up in its table."""
    for table, row, decoded in zip(tables, packed, target, strict=True):
        table.take(row, axis=0, out=decoded, mode="clip")


def _together(tables: NDArray[Any], packed: PackedArray, target: NDArray[Any]) -> None:
    """The same in one call for all variants."""
    first = 256 * np.arange(len(tables))[:, None]
    places = np.add(packed, first, dtype=np.intp)
    tables.reshape(-1, 4).take(places, axis=0, out=target, mode="clip")


def _repacked(packed: PackedArray, samples: IndexArray) -> PackedArray:
    """Packed rows of the chosen samples."""
    codes = np.full((len(packed), -(-len(samples) // 4) * 4), _NO_COPY, dtype=np.uint8)
    every = _CODES_OF_BYTE.take(packed, mode="clip").view(np.uint8)
    codes[:, : len(samples)] = every.take(samples, axis=1, mode="clip")
    return pack_codes(codes)


def pack_codes(codes: NDArray[np.uint8]) -> PackedArray:
    """Four two-bit codes to a byte, (b, 4 w) to (b, w)."""
    packed: PackedArray = codes[:, 0::4].copy()
    for place in (1, 2, 3):
        packed |= codes[:, place::4] << np.uint8(2 * place)
    return packed


def _check_index(index: IndexArray, length: int, what: str) -> None:
    if len(index) and (index.min() < 0 or index.max() >= length):
        raise IndexError(f"positions of {what} must lie between 0 and {length - 1}")
