"""PLINK 1 binary genotypes: .bed, .bim and .fam.

A .bed file has three magic bytes and then the packed genotypes, variant by variant (see
:mod:`nextlmm.genotype.packed`).  They are read when asked for and never held as a whole.
"""

import os
from pathlib import Path

import numpy as np

from nextlmm.genotype.bed_check import (
    STANDARD,
    BedLayout,
    check_bed,
    check_present,
    plink_paths,
)
from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.packed import PackedArray, PackedGenotypes, PackedRows, packed_calls
from nextlmm.genotype.packed_file import PackedFile
from nextlmm.genotype.plink_tables import read_bim, read_fam

_VARIANTS = 1024  # a multiple of the four of a byte


class BedSource(PackedSource):
    """PLINK 1 genotypes; the .bed file, ``path``, is read and decoded block by block."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path alone; whoever unpickles reads the tables again."""
        return open_bed, (os.path.abspath(self.path),)


def open_bed(path: str | os.PathLike[str]) -> BedSource:
    """Open PLINK 1 files by their prefix or by the path of one of the three.

    Raises
    ------
    MissingFileError, FormatError
        If a file is missing, damaged, or does not fit the other two.

    Cost: reads the two tables; the .bed file stays open until the source is forgotten.
    """
    bed, bim, fam = plink_paths(path)
    for file in (bed, bim, fam):
        check_present(file)
    samples, variants = read_fam(fam), read_bim(bim)
    layout = check_bed(bed, len(samples), len(variants))
    shape = len(samples), len(variants)
    packed: PackedRows
    if layout == STANDARD:
        packed = PackedFile(bed, (shape[1], -(-shape[0] // 4)))
    else:
        packed = _rewritten(bed, layout, shape)
    files = {"bed": str(bed), "bim": str(bim), "fam": str(fam)}
    return BedSource(str(bed), samples, variants, PackedGenotypes(packed, shape[0]), files)


def _rewritten(path: Path, layout: BedLayout, shape: tuple[int, int]) -> PackedArray:
    """The genotypes (samples, variants) of a file of another layout as this version packs them."""
    content = np.frombuffer(path.read_bytes(), np.uint8, offset=layout.header_bytes)
    n, m = shape
    if not layout.is_by_sample:
        return content.reshape(m, -1)
    by_sample = content.reshape(n, -1)
    rows = np.empty((m, -(-n // 4)), np.uint8)
    for start in range(0, m, _VARIANTS):
        width = min(_VARIANTS, m - start)
        part = np.ascontiguousarray(by_sample[:, start // 4 : (start + _VARIANTS) // 4])
        packed = packed_calls(PackedGenotypes(part, width).dosages(np.arange(n)))
        assert packed is not None, "two bits are a call"  # noqa: S101
        rows[start : start + width] = packed
    return rows
