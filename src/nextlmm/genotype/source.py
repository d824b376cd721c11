"""What every source of genotypes can do, and how to open one."""

import os
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype import bgen, bimbam, pgen, vcf, vcf_zarr
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.held import Collector, TooLargeError
from nextlmm.genotype.kinds import Kind, VcfField, check_companions, kind_of
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable
from nextlmm.progress import Progress, Silent

HELD_BYTES = 4 * 2**30
_READ = 256


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


def open_genotypes(
    path: str | os.PathLike[str],
    *,
    kind: Kind | None = None,
    sample: str | os.PathLike[str] | None = None,
    annotation: str | os.PathLike[str] | None = None,
    vcf_field: VcfField = "auto",
    held_bytes: float = HELD_BYTES,
    progress: Progress | None = None,
) -> GenotypeSource:
    """Open a genotype file of any format.

    Parameters
    ----------
    path : a .bgen, .vcf, .vcf.gz, .bcf or .pgen file; a .vcz or .zarr store; a .bed, .bim or .fam
        file; or the prefix of PLINK 1 files, or of PLINK 2 files if there are none.
    kind : its format; told by the end of its name unless given, as "bimbam" must be.
    sample : the .sample file of a .bgen file, or the list of the samples of BIMBAM genotypes.
    annotation : where the variants of BIMBAM genotypes are.
    vcf_field : what genotypes of a VCF file or VCF-Zarr store are read from: DS, GP or GT, or the
        first that it has.
    held_bytes : most memory for genotypes.  BGEN and VCF files and VCF-Zarr stores are read into it
        as a whole; .pgen files are too if they fit, and .bed files are read when asked for.
    progress : told of the variants read.

    Raises
    ------
    MissingFileError
        If one of the files is not there or cannot be read.
    FormatError
        If one of them is damaged, of another format, contradicts the others or does not fit.
    UsageError
        If the package that reads the format is not installed, or a choice is for another format.
    """
    name, listener = os.fspath(path), progress or Silent()
    kind = kind or kind_of(name)
    check_companions(name, kind, sample=sample is not None, annotation=annotation is not None)
    if kind == "bimbam":
        return bimbam.open_bimbam(
            path, sample, annotation, held_bytes=held_bytes, progress=listener
        )
    if kind == "bgen":
        return bgen.open_bgen(path, sample, held_bytes=held_bytes, progress=listener)
    if kind == "vcf":
        return vcf.open_vcf(path, field=vcf_field, held_bytes=held_bytes, progress=listener)
    if kind == "zarr":
        return vcf_zarr.open_vcf_zarr(
            path, field=vcf_field, held_bytes=held_bytes, progress=listener
        )
    if kind == "pgen":
        return _held(pgen.open_pgen(path), held_bytes, listener)
    return open_bed(path)


def _held(source: pgen.PgenSource, held_bytes: float, progress: Progress) -> GenotypeSource:
    """The genotypes in memory if they fit there, two bits a call, and as they are otherwise."""
    n, m = len(source.samples), len(source.variants)
    if -(-n // 4) * m > held_bytes:
        return source
    collector = Collector(source.path, n, held_bytes)
    progress.start("Reading genotypes", m)
    for start in range(0, m, _READ):
        block = np.arange(start, min(start + _READ, m))
        try:
            collector.add(source.dosages(block).T)
        except TooLargeError:
            progress.finish()
            return source
        progress.advance(len(block))
    progress.finish()
    return collector.source(source.samples, source.variants, source.files)
