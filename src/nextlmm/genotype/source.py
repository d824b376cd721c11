"""What every source of genotypes can do, and how to open one."""

import os
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable


class GenotypeSource(Protocol):
    """Genotypes that can be read in blocks of variants.

    A source can be pickled; one that reads a file is reopened from its path in the process that
    receives it, so that the genotypes themselves never travel.
    """

    @property
    def path(self) -> str:
        """Where the genotypes come from, for messages and provenance."""

    @property
    def files(self) -> Mapping[str, str]:
        """Path of every file that the genotypes are read from, by role; empty for none."""

    @property
    def samples(self) -> SampleTable:
        """The rows."""

    @property
    def variants(self) -> VariantTable:
        """The columns."""

    def dosages(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> NDArray[np.float32]:
        """Copies of the effect allele, (n_samples, n_variants) in Fortran order, NaN if missing.

        ``variants`` and ``samples`` are positions in the tables, in any order; all samples if None.
        The array is the caller's to change.
        """


@runtime_checkable
class CountingSource(Protocol):
    """A source of called genotypes that counts them faster than it hands them out."""

    def genotype_counts(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> GenotypeCounts:
        """Genotype counts of the variants over the samples, which must be distinct."""


def open_genotypes(path: str | os.PathLike[str]) -> GenotypeSource:
    """Open a genotype file; its tables are read now, its genotypes when asked for.

    Parameters
    ----------
    path : the prefix of PLINK 1 .bed, .bim and .fam files, or the path of any of the three.

    Raises
    ------
    MissingFileError
        If one of the files is not there or cannot be read.
    FormatError
        If one of them is damaged, of another format, or contradicts the others.
    """
    return open_bed(path)
