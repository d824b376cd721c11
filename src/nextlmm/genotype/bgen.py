"""BGEN genotypes, version 1.1 to 1.3: dosages from probabilities, with or without a .sample file.

The effect allele is the second one, which is the alternative where the first is the reference.
A variant with more than two alleles becomes one row for each but the first.
"""

import logging
import math
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import AlignmentError, FormatError
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.conversion import advice
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.held import Collector, PackedSource
from nextlmm.genotype.packages import reader_package
from nextlmm.genotype.sample_tables import read_oxford_sample, without_families
from nextlmm.genotype.tables import SampleTable
from nextlmm.genotype.textfile import missing_file
from nextlmm.genotype.variant_rows import VariantRows
from nextlmm.progress import Progress

_MAGIC = (b"bgen", b"\0\0\0\0")
_DIPLOID = 2
_FEWEST_ALLELES = 2
_VARIANT_BYTES, _ID_BYTES = 20, 2
"""What a variant and the name of a sample take at least."""

_DAMAGE = (ValueError, OSError, RuntimeError, IndexError, MemoryError, OverflowError, TypeError)
"""What the library raises for a damaged file."""


@dataclass(frozen=True)
class _Header:
    """How many variants and samples a file says that it has, and whether it names the samples."""

    n_variants: int
    n_samples: int
    has_ids: bool


def open_bgen(
    path: str | os.PathLike[str],
    sample: str | os.PathLike[str] | None,
    *,
    held_bytes: float,
    progress: Progress,
    most: int | None = None,
) -> PackedSource | ArraySource:
    """Read a BGEN file into memory.

    Parameters
    ----------
    path : of the .bgen file.
    sample : of its .sample file; if not given, the one beside it with the same name, or else the
        IDs within the file.
    held_bytes : most memory that the genotypes may take.
    progress : told of the variants done.
    most : records to read at most; all unless given.

    Raises
    ------
    MissingFileError, FormatError
        If a file is missing or damaged, or has no sample IDs.
    AlignmentError
        If the .sample file does not fit.
    UsageError
        If the package that reads them is not installed.

    Cost: decompression of the whole file on one core; two bits a genotype where all are calls,
    four bytes where not.
    """
    file = Path(path)
    header = _read_header(file)
    # Before the library sees the file, since it makes up a name for every sample of the header.
    given, listed = _given_samples(file, sample, header)
    library = reader_package("bgen", extra="bgen", of="BGEN files")
    try:
        # An absolute path, since the name "-" would be standard input to the library.
        reader = library.BgenReader(os.path.abspath(file), delay_parsing=True)
        embedded = list(map(str, reader.samples)) if header.has_ids else []
    except _DAMAGE as error:
        raise FormatError(
            f"{file} cannot be opened ({_said(error)}); its header or its list of samples is "
            "damaged: copy it again"
        ) from error
    with reader:
        samples = _samples(file, given, listed, header, embedded)
        collector = Collector(str(file), len(samples), held_bytes)
        rows = VariantRows(collector)
        expected = header.n_variants
        progress.start("Reading genotypes", expected)
        for number, variant in enumerate(islice(_variants(file, reader, expected), most)):
            try:
                with _complaints():
                    for row in _rows(variant):
                        rows.add(*row)
            except _DAMAGE as error:
                raise _damaged(file, number, error) from error
            progress.advance(1)
        progress.finish()
    files = {"bgen": str(file)} | ({"sample": str(listed)} if listed else {})
    return collector.source(samples, rows.table(), files)


def _rows(variant: Any) -> Iterator[tuple[str, str, int, str, str, NDArray[np.float32]]]:
    """Chromosome, name, position, effect allele, other allele and copies: a row for each allele."""
    alleles = list(variant.alleles)
    if len(alleles) < _FEWEST_ALLELES:
        raise ValueError(f"it has {len(alleles)} allele(s), and two or more are expected")
    name = variant.rsid or variant.varid
    for at, allele in enumerate(alleles[1:], 1):
        yield variant.chrom, name, variant.pos, allele, alleles[0], _copies(variant, at)


@contextmanager
def _complaints() -> Iterator[None]:
    """Raise what the library only logs: probabilities of a genotype that exceed 1 in sum."""
    said: list[str] = []
    listener, root = logging.Handler(logging.WARNING), logging.getLogger()
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    root.addHandler(listener)
    try:
        yield
    finally:
        root.removeHandler(listener)
    if said:
        raise ValueError(said[0])


def _read_header(path: Path) -> _Header:
    """The counts of a header, which the file must have the bytes for."""
    try:
        with path.open("rb") as content:
            head = content.read(20)
            size = content.seek(0, os.SEEK_END)
            content.seek(struct.unpack_from("<I", head.ljust(8), 4)[0])
            flags = content.read(4)
    except OSError as error:
        raise missing_file(path, error) from error
    if len(head) < 20 or head[16:20] not in _MAGIC:
        raise FormatError(
            f"{path} is not a BGEN file: bytes 17 to 20 are {head[16:20]!r}; expected b'bgen': "
            + advice(path, "check that the right file is named and complete")
        )
    n_variants, n_samples = struct.unpack_from("<II", head, 8)
    has_ids = len(flags) == 4 and flags[3] >> 7 == 1
    if n_variants * _VARIANT_BYTES > size or (has_ids and n_samples * _ID_BYTES > size):
        raise FormatError(
            f"{path} has {size:,} bytes, too few for the {n_variants:,} variants and {n_samples:,} "
            "samples of its header; it is damaged or truncated: copy it again"
        )
    return _Header(n_variants, n_samples, has_ids)


def _variants(path: Path, reader: Any, expected: int) -> Iterator[Any]:
    """The variants, as many as the header says."""
    number = 0
    try:
        for variant in reader:
            yield variant
            number += 1
    except _DAMAGE as error:
        raise _damaged(path, number, error) from error
    if number != expected:
        raise FormatError(
            f"{path} ends after {number:,} variants and its header says {expected:,}; it is "
            "truncated: copy it again"
        )


def _damaged(path: Path, number: int, error: Exception) -> FormatError:
    return FormatError(
        f"{path}: variant {number + 1:,} cannot be read ({_said(error)}); the file is damaged or "
        "truncated: copy it again"
    )


def _said(error: Exception) -> str:
    return excerpt(" ".join(str(error).split()) or type(error).__name__, 200)


def _copies(variant: Any, allele: int) -> NDArray[np.float32]:
    """Expected copies of an allele, (n,), NaN where missing; a haploid genotype counts twice."""
    n_alleles, ploidy = len(variant.alleles), np.asarray(variant.ploidy)
    if n_alleles == _DIPLOID and (ploidy == _DIPLOID).all():
        return np.asarray(variant.alt_dosage, np.float32)
    return copies_of_allele(
        np.asarray(variant.probabilities, np.float64),
        ploidy,
        n_alleles=n_alleles,
        allele=allele,
        is_phased=bool(np.all(variant.is_phased)),
    )


def copies_of_allele(
    probabilities: NDArray[np.float64],
    ploidy: NDArray[np.integer],
    *,
    n_alleles: int,
    allele: int,
    is_phased: bool,
) -> NDArray[np.float32]:
    """Expected copies of an allele, scaled to two: (n,) from BGEN's probabilities (n, columns).

    Genotypes of ``ploidy`` (n,) alleles are in the order of the BGEN specification, in phased data
    haplotype after haplotype; columns beyond those of a sample are ignored.

    Raises
    ------
    ValueError
        If there are fewer columns than genotypes.
    """
    copies = np.full(len(ploidy), np.nan)
    for count in np.unique(ploidy).tolist():
        chosen = np.flatnonzero(ploidy == count)
        n_needed = count * n_alleles if is_phased else math.comb(count + n_alleles - 1, count)
        if n_needed > probabilities.shape[1]:
            raise ValueError(
                f"{probabilities.shape[1]} probabilities for genotypes of {count} out of "
                f"{n_alleles} alleles, which are {n_needed:,}"
            )
        if is_phased:
            weights = np.tile(np.arange(n_alleles) == allele, count).astype(float)
        else:
            weights = np.array([each.count(allele) for each in _genotypes(count, n_alleles)])
        share = probabilities[chosen, : len(weights)] @ weights / max(count, 1)
        copies[chosen] = _DIPLOID * share
    return copies.astype(np.float32)


def _genotypes(ploidy: int, n_alleles: int) -> list[tuple[int, ...]]:
    """All sets of ``ploidy`` alleles, the first allele's copies falling fastest."""
    if ploidy == 0:
        return [()]
    return [
        (*lower, last)
        for last in range(n_alleles)
        for lower in _genotypes(ploidy - 1, n_alleles)
        if not lower or lower[-1] <= last
    ]


def _given_samples(
    path: Path, sample: str | os.PathLike[str] | None, header: _Header
) -> tuple[SampleTable | None, Path | None]:
    """The samples of the .sample file and that file, if there is one."""
    beside = path.with_suffix(".sample")
    listed = Path(sample) if sample is not None else beside if beside.is_file() else None
    if listed is None:
        if not header.has_ids:
            raise FormatError(
                f"{path} holds no sample IDs and there is no {beside.name} beside it; expected one "
                "of the two: name the .sample file (--sample)"
            )
        return None, None
    table = read_oxford_sample(listed)
    if len(table) != header.n_samples:
        raise AlignmentError(
            f"{listed} lists {len(table):,} samples and {path} holds {header.n_samples:,}; they "
            "must agree: name the .sample file that was made with the genotypes"
        )
    return table, listed


def _samples(
    path: Path,
    given: SampleTable | None,
    listed: Path | None,
    header: _Header,
    embedded: list[str],
) -> SampleTable:
    """The samples of the list, or those that the file itself names."""
    if header.has_ids and len(embedded) != header.n_samples:
        raise FormatError(
            f"{path} holds {len(embedded):,} sample IDs for {header.n_samples:,} samples; expected "
            "one for each: copy it again"
        )
    if given is None or listed is None:
        return without_families(embedded, path)
    if header.has_ids:
        _check_order(path, listed, embedded, given)
    return given


def _check_order(path: Path, listed: Path, embedded: Sequence[str], table: SampleTable) -> None:
    """Refuse a list that has the same samples as the file in another order."""
    for names in (table.sample_id.tolist(), [f"{f}_{s}" for f, s in _pairs(table)]):
        if names != list(embedded) and sorted(names) == sorted(embedded):
            at = next(i for i, name in enumerate(names) if name != embedded[i])
            raise AlignmentError(
                f"{listed} lists the samples in another order than {path}: sample {at + 1} is "
                f"{names[at]!r} there and {embedded[at]!r} here; name the .sample file that was "
                "made with the genotypes, or leave it out"
            )


def _pairs(table: SampleTable) -> Iterator[tuple[str, str]]:
    return zip(table.family_id.tolist(), table.sample_id.tolist(), strict=True)
