"""PLINK 1 binary genotypes: .bed, .bim and .fam.

A .bed file has three magic bytes and then the packed genotypes, variant by variant (see
:mod:`nextlmm.genotype.packed`).  They are read when asked for and never held as a whole.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.bed_check import check_bed, check_present, plink_paths
from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.packed import PackedGenotypes
from nextlmm.genotype.packed_file import PackedFile
from nextlmm.genotype.plink_tables import read_bim, read_fam
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable


@dataclass(frozen=True, eq=False)
class BedSource:
    """PLINK 1 genotypes; the .bed file is read and decoded block by block.

    Attributes
    ----------
    path : the path of the .bed file.
    samples, variants : the tables of the .fam and .bim files.
    genotypes : the packed genotypes of all of them.
    """

    path: str
    samples: SampleTable
    variants: VariantTable
    genotypes: PackedGenotypes

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

        Raises
        ------
        FormatError
            If the file has become shorter since it was opened; so does ``genotype_counts``.
        """
        return self.genotypes.dosages(variants, samples)

    def genotype_counts(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> GenotypeCounts:
        """Genotype counts of the variants over the samples, which must be distinct.

        Cost: some 10 G genotypes a second on one core, whatever the number of samples chosen.
        """
        return self.genotypes.counts(variants, samples)


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
    check_bed(bed, len(samples), len(variants))
    packed = PackedFile(bed, (len(variants), -(-len(samples) // 4)))
    return BedSource(str(bed), samples, variants, PackedGenotypes(packed, len(samples)))
