"""PLINK 1 binary genotypes: .bed, .bim and .fam.

A .bed file has three magic bytes and then, variant by variant, two bits per sample, four samples to
a byte, the first sample in the lowest bits.  The two bits mean::

    00   two copies of the effect allele (column 5 of the .bim file)
    10   one copy
    11   none
    01   missing

Each variant begins on a new byte, so a variant takes ceil(n/4) bytes; bits beyond the last sample
mean nothing and are ignored.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.bed_check import BED_HEADER_BYTES, check_bed, check_present, plink_paths
from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.plink_tables import read_bim, read_fam
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable

# Bytes of packed genotypes decoded at a time: what they unpack into stays in the processor's cache.
_CHUNK_BYTES = 65536
_COPIES_OF_CODE = np.array([2, np.nan, 1, 0], dtype=np.float32)
# Three counts share one 64-bit integer, 21 bits each, so no more than 2^21 - 1 samples at a time.
_FIELD_BITS = 21
_FIELD_MASK = (1 << _FIELD_BITS) - 1
_COUNTED_BYTES = _FIELD_MASK // 4


def _codes_of_byte() -> NDArray[np.uint8]:
    """The four two-bit codes of each byte, (256, 4)."""
    return np.asarray((np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3, dtype=np.uint8)


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
_DOSAGES_OF_BYTE.setflags(write=False)
_COUNTS_OF_BYTE.setflags(write=False)


@dataclass(frozen=True, eq=False)
class BedSource:
    """PLINK 1 genotypes; the .bed file is mapped into memory and decoded block by block.

    Attributes
    ----------
    path : the path of the .bed file.
    samples, variants : the tables of the .fam and .bim files.
    """

    path: str
    samples: SampleTable
    variants: VariantTable
    _packed: NDArray[np.uint8]  # (m, ceil(n/4)), two bits per genotype

    def __repr__(self) -> str:
        return f"<{self.path}: {len(self.samples):,} samples, {len(self.variants):,} variants>"

    @property
    def files(self) -> Mapping[str, str]:
        """Paths of the .bed, .bim and .fam files."""
        return dict(zip(("bed", "bim", "fam"), map(str, plink_paths(self.path)), strict=True))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path alone; whoever unpickles reads the tables again."""
        return open_bed, (os.path.abspath(self.path),)

    def dosages(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> NDArray[np.float32]:
        """Copies of the effect allele, (n_samples, n_variants) in Fortran order, NaN if missing.

        Cost: O(genotypes), some 2 G genotypes a second on one core for all samples and a third
        of that for a subset; memory is the result and 2 MB.
        """
        n = len(self.samples)
        if samples is not None:
            _check_index(samples, n, "samples")
        decoded = np.empty((len(variants), n if samples is None else len(samples)), np.float32)
        for start, packed in self._chunks(variants):
            rows = _DOSAGES_OF_BYTE.take(packed, mode="clip").view(np.float32)
            target = decoded[start : start + len(packed)]
            if samples is None:
                target[...] = rows[:, :n]
            else:
                rows.take(samples, axis=1, out=target, mode="clip")
        return decoded.T

    def genotype_counts(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> GenotypeCounts:
        """Genotype counts of the variants over the samples, which must be distinct.

        Cost: some 10 G genotypes a second on one core, whatever the number of samples chosen.
        """
        n_chosen = len(self.samples) if samples is None else len(samples)
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

    def _ignored_bits(self, samples: IndexArray | None) -> NDArray[np.uint8]:
        """Bits that turn every genotype not asked for into 11, which is not counted, (ceil(n/4),).

        Bits beyond the last sample are among them.
        """
        n = len(self.samples)
        chosen = np.zeros(4 * self._packed.shape[1], dtype=bool)
        if samples is None:
            chosen[:n] = True
        else:
            _check_index(samples, n, "samples")
            chosen[samples] = True
            if np.count_nonzero(chosen) != len(samples):
                raise ValueError("genotypes can be counted over distinct samples only")
        codes = np.where(chosen, 0, 3).astype(np.uint8).reshape(-1, 4)
        shifted = codes << np.array([0, 2, 4, 6], dtype=np.uint8)
        return np.asarray(np.bitwise_or.reduce(shifted, axis=1), dtype=np.uint8)

    def _chunks(self, variants: IndexArray) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Packed rows of the variants in pieces that fit the cache, with their first position."""
        _check_index(variants, len(self.variants), "variants")
        step = max(1, _CHUNK_BYTES // self._packed.shape[1])
        for start in range(0, len(variants), step):
            yield start, self._packed[variants[start : start + step]]


def _check_index(index: IndexArray, length: int, what: str) -> None:
    if len(index) and (index.min() < 0 or index.max() >= length):
        raise IndexError(f"positions of {what} must lie between 0 and {length - 1}")


def open_bed(path: str | os.PathLike[str]) -> BedSource:
    """Open PLINK 1 files by their prefix or by the path of one of the three.

    Raises
    ------
    MissingFileError, FormatError
        If a file is missing, damaged, or does not fit the other two.

    Cost: reads the two tables; the .bed file is mapped, not read.
    """
    bed, bim, fam = plink_paths(path)
    for file in (bed, bim, fam):
        check_present(file)
    samples, variants = read_fam(fam), read_bim(bim)
    check_bed(bed, len(samples), len(variants))
    bytes_per_variant = -(-len(samples) // 4)
    packed = np.memmap(
        bed,
        dtype=np.uint8,
        mode="r",
        offset=BED_HEADER_BYTES,
        shape=(len(variants), bytes_per_variant),
    )
    # A plain view: indexing a memmap object costs more than the decoding of small blocks.
    return BedSource(str(bed), samples, variants, packed.view(np.ndarray))
