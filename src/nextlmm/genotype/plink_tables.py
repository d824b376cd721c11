"""Reading .fam and .bim files."""

from pathlib import Path

import numpy as np

from nextlmm.errors import FormatError
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array
from nextlmm.genotype.textfile import read_lines

_FAM_COLUMNS = 5
_BIM_COLUMNS = 6


def read_fam(path: Path) -> SampleTable:
    """The samples of a .fam file: family and sample ID are columns 1 and 2 of 5 or more.

    Columns may be separated by any white space; blank lines are skipped.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, a line is too short, or there is no line at all.
    """
    rows = _rows(path)
    for line, fields in rows:
        if len(fields) < _FAM_COLUMNS:
            raise FormatError(
                f"{path}, line {line}: {_columns(len(fields))} ({_excerpt(fields)}); a .fam file "
                "has 5 or 6: family ID, sample ID, father, mother, sex and trait; complete the line"
            )
    if not rows:
        raise FormatError(
            f"{path} lists no samples; expected one line per genotyped sample: check that the file "
            "was written completely"
        )
    return SampleTable(
        family_id=string_array(fields[0] for _, fields in rows),
        sample_id=string_array(fields[1] for _, fields in rows),
        origin=str(path),
    )


def read_bim(path: Path) -> VariantTable:
    """The variants of a .bim file: chromosome, ID, [genetic position], position, two alleles.

    The effect allele is the first of the two (column 5 of 6).  Columns may be separated by any
    white space, the genetic position may be absent from the whole file, blank lines are skipped,
    and the variants may come in any order.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, a line has another number of columns, a position is not an
        integer, or there is no line at all.
    """
    rows = _rows(path)
    if not rows:
        raise FormatError(
            f"{path} lists no variants; expected one line per variant: check that the file was "
            "written completely"
        )
    n_columns = len(rows[0][1])
    known: dict[str, str] = {}  # one str object per distinct chromosome and allele
    chromosome, variant_id, effect, other = [], [], [], []
    position = np.empty(len(rows), dtype=np.int64)
    for i, (line, fields) in enumerate(rows):
        if len(fields) != n_columns or not _BIM_COLUMNS - 1 <= n_columns <= _BIM_COLUMNS:
            raise FormatError(_wrong_bim_line(path, line, fields, n_columns))
        chromosome.append(known.setdefault(fields[0], fields[0]))
        variant_id.append(fields[1])
        position[i] = _position(path, line, fields[-3])
        effect.append(known.setdefault(fields[-2], fields[-2]))
        other.append(known.setdefault(fields[-1], fields[-1]))
    return VariantTable(
        chromosome=string_array(chromosome),
        variant_id=string_array(variant_id),
        position_bp=position,
        effect_allele=string_array(effect),
        other_allele=string_array(other),
    )


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers and fields of the lines that are not blank."""
    numbered = enumerate((line.split() for line in read_lines(path)), start=1)
    return [(line, fields) for line, fields in numbered if fields]


def _position(path: Path, line: int, text: str) -> int:
    try:
        position = int(text)
    except ValueError:
        hint = "; .bim files have no header line" if line == 1 else ""
        raise FormatError(
            f"{path}, line {line}: the position of the variant is '{text}'; expected an integer "
            f"number of base pairs{hint}"
        ) from None
    if abs(position) > np.iinfo(np.int64).max:
        raise FormatError(
            f"{path}, line {line}: the position of the variant is {text}; expected an integer "
            "number of base pairs below 2^63"
        )
    return position


def _wrong_bim_line(path: Path, line: int, fields: list[str], n_columns: int) -> str:
    expected = (
        f"{n_columns} as on the lines before"
        if len(fields) != n_columns
        else "6 (chromosome, variant ID, genetic position, position, two alleles), or 5 without "
        "the genetic position"
    )
    return (
        f"{path}, line {line}: {_columns(len(fields))} ({_excerpt(fields)}); expected {expected}: "
        "correct the line, and the .bed file with it if variants are missing"
    )


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _excerpt(fields: list[str], longest: int = 50) -> str:
    text = " ".join(fields)
    return f"'{text}'" if len(text) <= longest else f"'{text[:longest]}...'"
