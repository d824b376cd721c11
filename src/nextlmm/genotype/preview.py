"""What can be known of genotypes in seconds, however many there are.

Tables, headers and sizes are read as they always are.  Of the genotypes themselves a sample of
variants is read: drawn at random where the format lets any variant be reached, the first ones
where it has to be read from the beginning.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextlmm.genotype import bgen, bimbam, pgen, vcf, vcf_zarr
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.kinds import Kind, VcfField, check_companions, kind_of
from nextlmm.genotype.packed import packed_calls
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.tables import IndexArray
from nextlmm.genotype.textfile import refuse_pipe

DRAWN = 2_048
"""Variants of a sample."""

_MOST_GENOTYPES = 200_000_000  # of the first variants of a file that is read from its beginning
_FEWEST_READ = 64
_SMALL_BYTES = 4_000_000  # of a file of text, which is read whole; readers read ahead of themselves
_HELD_BYTES = 2.0**33  # more than these genotypes take


@dataclass(frozen=True, eq=False)
class Preview:
    """Genotypes of which a part has been read.

    Attributes
    ----------
    source : all samples, and all variants or the first ones.
    n_variants : rows of the whole file, estimated from its size unless ``is_counted``.
    is_counted : whether that number is known.
    is_whole : whether ``source`` has all variants.
    is_read_whole : whether a run reads all genotypes into memory before anything else.
    """

    source: GenotypeSource
    n_variants: int
    is_counted: bool
    is_whole: bool
    is_read_whole: bool

    def __repr__(self) -> str:
        about = "" if self.is_counted else "about "
        return f"<preview of {self.source!r} of {about}{self.n_variants:,} variants>"

    @property
    def is_packed(self) -> bool:
        """Whether a run holds two bits a genotype, as far as the part that was read tells."""
        if isinstance(self.source, PackedSource):
            return True
        if isinstance(self.source, ArraySource) or not len(self.source.variants):
            return False
        some = drawn(np.arange(len(self.source.variants)), _FEWEST_READ)
        return packed_calls(self.source.dosages(some).T) is not None


def drawn(index: IndexArray, count: int = DRAWN, *, seed: int = 0) -> IndexArray:
    """``count`` entries of ``index`` at random, in their order, or all if they are no more."""
    if len(index) <= count:
        return index
    return np.sort(np.random.default_rng(seed).choice(index, count, replace=False))


def preview_genotypes(
    path: str | os.PathLike[str],
    *,
    kind: Kind | None = None,
    sample: str | os.PathLike[str] | None = None,
    annotation: str | os.PathLike[str] | None = None,
    vcf_field: VcfField = "auto",
) -> Preview:
    """Look at a genotype file of any format; parameters as of `nextlmm.genotype.source`.

    Raises
    ------
    MissingFileError, FormatError, AlignmentError, UsageError
        As `nextlmm.genotype.source.open_genotypes`, for what is seen of the files.

    Cost: reading the tables of samples and variants, and at most 200 M genotypes.
    """
    name = os.fspath(path)
    refuse_pipe(Path(name))
    kind = kind or kind_of(name)
    check_companions(name, kind, sample=sample is not None, annotation=annotation is not None)
    if kind in ("bed", "pgen"):
        source: GenotypeSource = open_bed(path) if kind == "bed" else pgen.open_pgen(path)
        m = len(source.variants)
        return Preview(source, m, is_counted=True, is_whole=True, is_read_whole=kind == "pgen")
    # How many samples there are is known once some variants are read: few at first, then enough.
    if kind in ("vcf", "bimbam") and os.path.isfile(name) and os.path.getsize(name) <= _SMALL_BYTES:
        source = _first(
            path, kind, (sample, annotation), vcf_field=vcf_field, most=None, seen=_Seen()
        )
        m = len(source.variants)
        return Preview(source, m, is_counted=True, is_whole=True, is_read_whole=True)
    most = _FEWEST_READ
    while True:
        seen = _Seen()
        first = _first(path, kind, (sample, annotation), vcf_field=vcf_field, most=most, seen=seen)
        n, m = len(first.samples), len(first.variants)
        enough = int(np.clip(_MOST_GENOTYPES // max(n, 1), _FEWEST_READ, DRAWN))
        is_whole = m < most or (seen.done == seen.total and kind in ("bgen", "zarr"))
        if most >= enough or is_whole:
            break
        most = enough
    if is_whole:
        return Preview(first, m, is_counted=True, is_whole=True, is_read_whole=True)
    # Zarr and BGEN count records, the others bytes; either way the share that has been read.
    whole = round(m * seen.total / seen.done) if seen.done else m
    counted = kind == "bgen" and m == seen.done
    return Preview(first, max(whole, m), is_counted=counted, is_whole=False, is_read_whole=True)


class _Seen:
    """A listener that remembers how far a file was read."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def start(self, label: str, total: int) -> None:
        self.total = total

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    def finish(self) -> None:
        pass


def _first(
    path: str | os.PathLike[str],
    kind: Kind,
    beside: tuple[str | os.PathLike[str] | None, str | os.PathLike[str] | None],
    *,
    vcf_field: VcfField,
    most: int | None,
    seen: _Seen,
) -> GenotypeSource:
    """The first records of a file that is read from its beginning; ``beside`` are its companions.

    Those are the list of samples and the annotation.
    """
    sample, annotation = beside
    if kind == "bgen":
        return bgen.open_bgen(path, sample, held_bytes=_HELD_BYTES, progress=seen, most=most)
    if kind == "bimbam":
        return bimbam.open_bimbam(
            path, sample, annotation, held_bytes=_HELD_BYTES, progress=seen, most=most
        )
    opened = vcf.open_vcf if kind == "vcf" else vcf_zarr.open_vcf_zarr
    return opened(path, field=vcf_field, held_bytes=_HELD_BYTES, progress=seen, most=most)
