"""VCF and BCF genotypes, of every alternative allele: dosages (DS), probabilities (GP), calls (GT).

A variant with several alternative alleles becomes one row for each of them.  A haploid call counts
twice, as PLINK has it; a call of which an allele is missing is missing.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.bcf_check import check_bcf
from nextlmm.genotype.byte_progress import ByteProgress
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.held import Collector, PackedSource
from nextlmm.genotype.kinds import VcfField
from nextlmm.genotype.packages import reader_package
from nextlmm.genotype.sample_tables import without_families
from nextlmm.genotype.textfile import BGZF_END, GZIP_MAGIC, missing_file
from nextlmm.genotype.variant_rows import VariantRows
from nextlmm.genotype.vcf_contigs import declared_contigs, used_contigs
from nextlmm.genotype.vcf_fields import (
    check_calls,
    check_probabilities,
    chosen_field,
    copies_of_calls,
    copies_of_dosages,
    copies_of_probabilities,
    no_calls,
    numeric_field,
)
from nextlmm.progress import Progress

_BLOCKED = b"BC\x02\x00"  # of the first block of a file that bgzip wrote


def open_vcf(
    path: str | os.PathLike[str],
    *,
    field: VcfField = "auto",
    held_bytes: float,
    progress: Progress,
    most: int | None = None,
) -> PackedSource | ArraySource:
    """Read a VCF or BCF file into memory.

    Parameters
    ----------
    path : of the file, compressed or not.
    field : what the genotypes are read from: DS, GP or GT; the first of these that the header
        describes if "auto".
    held_bytes : most memory that the genotypes may take.
    progress : told of the variants done.
    most : records to read at most; all unless given.

    Raises
    ------
    MissingFileError, FormatError
        If the file is missing, damaged, cut short, or has no genotypes.
    UsageError
        If the package that reads it is not installed.

    Cost: parsing the whole file on one core, some 10 M genotypes a second; and unpacking it before,
    to check what the library takes for granted.
    """
    file = Path(path)
    _check_end(file)
    library = reader_package("cyvcf2", extra="vcf", of="VCF and BCF files")
    check_bcf(file)
    names = used_contigs(file)
    with file.open("rb") as content:
        reader = _open_reader(library, file, content)
        _declare(file, reader, names)
        return _read(
            file,
            reader,
            progress=ByteProgress(content, progress),
            field=field,
            held_bytes=held_bytes,
            most=most,
        )


def _open_reader(library: Any, file: Path, content: BinaryIO) -> Any:
    """A reader that shares the place in the file with ``content``, which says how far it is."""
    shared = content.fileno()  # which the library leaves open
    try:
        return library.VCF(shared, strict_gt=True)
    except Exception as error:  # the library raises bare ones
        said = _said(error).removeprefix(f"{shared} ")
        raise FormatError(
            f"{file} cannot be read as VCF or BCF ({said}); expected ##fileformat=VCF in its first "
            "line: check that the right file is named"
        ) from error


def _declare(file: Path, reader: Any, names: Iterable[str]) -> None:
    """Put contigs into the header that it lacks, and make sure that it has all of them."""
    declared = declared_contigs(reader.raw_header)
    for name in names:
        if name not in declared:
            reader.add_to_header(f"##contig=<ID={name}>")
    lacking = [name for name in names if name not in declared_contigs(reader.raw_header)]
    if lacking:
        raise FormatError(
            f"{file} has variants on {excerpt(lacking[0])}, and a ##contig line for it cannot be "
            "read; expected one such as ##contig=<ID=1>: correct the header"
        )


def _read(
    file: Path,
    reader: Any,
    *,
    progress: ByteProgress,
    field: VcfField,
    held_bytes: float,
    most: int | None,
) -> PackedSource | ArraySource:
    try:
        samples, described = without_families(reader.samples, file), _described(reader)
    except Exception as error:  # the library raises bare ones
        raise FormatError(
            f"{file} has a header that cannot be read ({_said(error)}); it is damaged: copy it "
            "again"
        ) from error
    if not len(samples):
        raise FormatError(
            f"{file} has no samples: its #CHROM line ends before the first; expected genotypes and "
            "not sites alone: name the file that has them"
        )
    chosen = chosen_field(str(file), described, field)
    collector = Collector(str(file), len(samples), held_bytes)
    rows = VariantRows(collector)
    progress.start("Reading genotypes")
    for number, variant in enumerate(islice(_variants(file, reader), most)):
        try:
            name, alleles = variant.ID or ".", variant.ALT or ["."]
            for allele, dosage in zip(
                alleles, _copies(variant, len(alleles), chosen, len(samples)), strict=True
            ):
                rows.add(variant.CHROM, name, variant.POS, allele, variant.REF, dosage)
        except (ValueError, OverflowError) as error:
            raise FormatError(
                f"{file}: variant {number + 1:,} cannot be used ({_said(error)}); correct it, or "
                "leave it out"
            ) from error
        progress.advance()
    progress.finish()
    return collector.source(samples, rows.table(), {"vcf": str(file)})


def _check_end(path: Path) -> None:
    """Refuse a file that is cut short, which the library reads as if it were whole."""
    try:
        with path.open("rb") as content:
            head = content.read(18)
            size = content.seek(0, os.SEEK_END)
            content.seek(max(0, size - len(BGZF_END)))
            tail = content.read()
    except OSError as error:
        raise missing_file(path, error) from error
    if not head:
        raise FormatError(
            f"{path} is empty (0 bytes); expected VCF or BCF: the program that wrote it failed or "
            "the copy did; make or copy it again"
        )
    is_blocked = head.startswith(GZIP_MAGIC) and head[12:16] == _BLOCKED
    if is_blocked and tail != BGZF_END:
        raise FormatError(
            f"{path} does not end with the empty block that bgzip writes last; it is truncated: "
            "copy it again"
        )
    if not head.startswith(GZIP_MAGIC) and not head.startswith(b"BCF") and tail[-1:] != b"\n":
        raise FormatError(
            f"{path} does not end with a line end; its last line may be cut short: copy it again, "
            "or add the line end"
        )


def _described(reader: Any) -> set[str]:
    """The FORMAT fields of the header."""
    lines = [line.info() for line in reader.header_iter()]
    return {str(line.get("ID")) for line in lines if line.get("HeaderType") == "FORMAT"}


def _variants(path: Path, reader: Any) -> Iterator[Any]:
    number = 0
    try:
        for variant in reader:
            number += 1
            yield variant
    except Exception as error:  # the library raises bare ones
        raise FormatError(
            f"{path}: variant {number + 1:,} cannot be read ({_said(error)}); the file is damaged "
            "or cut short there: copy it again"
        ) from error


def _values(variant: Any, field: str) -> Any:
    try:
        return variant.format(field)
    except Exception as error:  # the library raises bare ones
        raise ValueError(f"{field} has another type in the header ({_said(error)})") from error


def _said(error: Exception) -> str:
    return excerpt(" ".join(str(error).split()), 200)


def _copies(variant: Any, n_alternatives: int, field: str, n: int) -> Iterator[NDArray[np.float32]]:
    """Copies of each alternative allele, (n,), NaN where missing.

    Raises
    ------
    ValueError
        If the genotypes contradict the alleles, or are no numbers.
    """
    calls, numbers = no_calls(n), range(1, n_alternatives + 1)
    if "GT" in variant.FORMAT:
        calls = np.asarray(variant.genotype.array())[:, :-1]
        check_calls(calls, len(variant.ALT))
    values = None if field == "GT" else numeric_field(field, _values(variant, field), n)
    if values is None:
        return (copies_of_calls(calls, k) for k in numbers)
    if field == "GP":
        check_probabilities(values)
        return (copies_of_probabilities(values, calls, k, 1 + len(variant.ALT)) for k in numbers)
    if values.shape[1] < n_alternatives:
        raise ValueError(
            f"{variant.CHROM}:{variant.POS} has {values.shape[1]} value(s) of DS and "
            f"{len(variant.ALT)} alternative alleles, and one for each is expected"
        )
    return (copies_of_dosages(values, calls, k) for k in numbers)
