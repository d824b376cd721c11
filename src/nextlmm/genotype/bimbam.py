"""BIMBAM mean genotypes, as GEMMA reads them: text, one variant a line.

A line has the identifier, the counted allele, the other allele, and a dosage for each sample;
commas and white space separate.  Neither samples nor positions are in the file: the samples come
from a list, the positions from an annotation file (identifier, position, chromosome), without which
the chromosome is "0", unknown.
"""

import gzip
import io
import itertools
import os
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError, UsageError
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.byte_progress import ByteProgress
from nextlmm.genotype.digits import excerpt, plain_numbers, position_bp
from nextlmm.genotype.held import Collector, PackedSource
from nextlmm.genotype.sample_tables import read_id_pairs
from nextlmm.genotype.textfile import GZIP_MAGIC, missing_file, read_lines
from nextlmm.genotype.variant_rows import VariantRows
from nextlmm.progress import Progress

_MISSING = frozenset({"NA", "na", "nan", "NaN", "."})
_UNKNOWN = ("0", 0)
_COLUMNS = 3  # before the dosages
_LONGEST_CELL, _LONGEST_ALLELES = 64, 2**22
"""Characters of a dosage with what separates it, and of all that stands before the first."""


def open_bimbam(
    path: str | os.PathLike[str],
    sample: str | os.PathLike[str] | None,
    annotation: str | os.PathLike[str] | None,
    *,
    held_bytes: float,
    progress: Progress,
    most: int | None = None,
) -> PackedSource | ArraySource:
    """Read a file of mean genotypes into memory.

    Parameters
    ----------
    path : of the file, plain or gzip-compressed.
    sample : list of its samples in their order, FID and IID or IID alone.
    annotation : where its variants are; None if that is not known.
    held_bytes : most memory that the genotypes may take.
    progress : told of the variants done.
    most : lines to read at most; all unless given.

    Raises
    ------
    UsageError
        If there is no list of samples.
    MissingFileError, FormatError
        If a file is missing or damaged, or a line is not what it should be.

    Cost: parsing the whole file on one core, some 10 M genotypes a second.
    """
    file = Path(path)
    if sample is None:
        raise UsageError(
            f"{file} does not say whose genotypes it holds; list its samples, in their order, by "
            "the option sample."
        )
    samples = read_id_pairs(Path(sample))
    places = {} if annotation is None else _read_annotation(Path(annotation))
    collector = Collector(str(file), len(samples), held_bytes)
    rows = VariantRows(collector)
    for number, cells in islice(_lines(file, len(samples), progress), most):
        dosage = _dosages(file, number, cells, len(samples), str(sample))
        chromosome, position = places.get(cells[0], _UNKNOWN)
        rows.add(chromosome, cells[0], position, cells[1], cells[2], dosage)
    files = {"bimbam": str(file), "sample": str(sample)}
    if annotation is not None:
        files["annotation"] = str(annotation)
    variants = rows.table()
    if not len(variants):
        raise FormatError(
            f"{file} lists no variants; expected a line for each: check that the file was written "
            "completely"
        )
    return collector.source(samples, variants, files)


def _lines(path: Path, n: int, progress: Progress) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, and its number."""
    number, longest = 0, _LONGEST_ALLELES + _LONGEST_CELL * n
    try:
        with path.open("rb") as content:
            read = ByteProgress(content, progress)
            is_packed = content.read(2) == GZIP_MAGIC
            content.seek(0)
            unpacked = gzip.GzipFile(fileobj=content) if is_packed else content
            read.start("Reading genotypes")
            with io.TextIOWrapper(unpacked, encoding="utf-8-sig") as lines:
                for number in itertools.count(1):
                    line = lines.readline(longest + 1)
                    if not line:
                        break
                    if len(line) > longest:
                        raise _too_long(path, number, longest, n)
                    if cells := line.replace(",", " ").split():
                        yield number, cells
                    read.advance()
            read.finish()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(
            f"{path} cannot be unpacked after line {number:,} ({error}); it is probably truncated: "
            "copy it again"
        ) from error
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path} is not text after line {number:,}; expected lines of an identifier, two "
            "alleles and dosages: check that the right file is named"
        ) from error
    except OSError as error:
        raise missing_file(path, error) from error


def _too_long(path: Path, number: int, longest: int, n: int) -> FormatError:
    return FormatError(
        f"{path}, line {number}: more than {longest:,} characters; expected an identifier, two "
        f"alleles and a dosage for each of {n:,} samples: check that the right file is named"
    )


def _dosages(path: Path, number: int, cells: list[str], n: int, listed: str) -> NDArray[np.float32]:
    """The dosages of a line, (n,), NaN where missing."""
    if len(cells) != _COLUMNS + n:
        raise FormatError(
            f"{path}, line {number}: {len(cells)} columns; expected {_COLUMNS + n:,}, an "
            f"identifier, two alleles and a dosage for each of the {n:,} samples of {listed}: take "
            "both files from the same place"
        )
    try:
        return plain_numbers(cells[_COLUMNS:], np.float32)
    except ValueError:
        texts = ["nan" if text in _MISSING else text for text in cells[_COLUMNS:]]
    try:
        return plain_numbers(texts, np.float32)
    except ValueError as error:
        raise FormatError(
            f"{path}, line {number} ({excerpt(cells[0])}): {excerpt(str(error), 100)}; "
            "expected dosages of 0 to 2, or NA: write mean genotypes, not letters"
        ) from error


def _read_annotation(path: Path) -> dict[str, tuple[str, int]]:
    """Chromosome and position of each identifier."""
    places: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(read_lines(path), 1):
        cells = line.replace(",", " ").split()
        if not cells:
            continue
        if len(cells) < _COLUMNS:
            raise FormatError(
                f"{path}, line {number}: {excerpt(' '.join(cells))!r}; expected an identifier, a "
                "position in base pairs and a chromosome: correct the line"
            )
        hint = ", after an identifier and before a chromosome: correct the line"
        place = cells[2], position_bp(f"{path}, line {number}", cells[1], hint)
        if places.setdefault(cells[0], place) != place:
            raise FormatError(
                f"{path}, line {number}: variant {excerpt(cells[0])} has another place than on a "
                "line before; expected one: delete one of the lines"
            )
    return places
