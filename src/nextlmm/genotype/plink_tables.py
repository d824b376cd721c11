"""Reading .fam and .bim files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError
from nextlmm.genotype.digits import are_plain, position_bp
from nextlmm.genotype.tables import SampleTable, StringArray, VariantTable, string_array
from nextlmm.genotype.textfile import read_lines

Row = tuple[int, list[str]]  # line of the file, from 1, and its fields

_FAM_COLUMNS = 5
_BIM_COLUMNS = 6


def read_fam(path: Path) -> SampleTable:
    """The samples of a .fam file: family and sample ID are columns 1 and 2 of 5 or more.

    Columns may be separated by any white space; blank lines are skipped.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, a line is too short or not as long as the first, or there is
        no line at all.
    """
    rows = _rows(path)
    for line, fields in rows:
        if len(fields) < _FAM_COLUMNS:
            raise FormatError(
                f"{path}, line {line}: {_columns(len(fields))} ({_excerpt(fields)}); a .fam file "
                "has 5 or 6: family ID, sample ID, father, mother, sex and trait; complete the line"
            )
        if len(fields) != len(rows[0][1]):
            raise FormatError(
                f"{path}, line {line}: {_columns(len(fields))} ({_excerpt(fields)}); expected "
                f"{len(rows[0][1])} as on line {rows[0][0]}: correct the line, in which an ID may "
                "hold a blank"
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
    lines = read_lines(path)
    n_columns = _count_bim_columns(path, lines)
    # One flat list: a million short lists, one per line, would take longer than all the rest.
    cells = " ".join(lines).split()
    columns = [cells[k::n_columns] for k in range(n_columns)]
    chromosome, variant_id, *_, position, effect, other = columns
    return VariantTable(
        chromosome=_shared_strings(chromosome),
        variant_id=string_array(variant_id),
        position_bp=_positions(path, lines, position),
        effect_allele=_shared_strings(effect),
        other_allele=_shared_strings(other),
    )


def _count_bim_columns(path: Path, lines: list[str]) -> int:
    """Columns of each line that is not blank, 5 or 6."""
    counts = np.fromiter((len(line.split()) for line in lines), dtype=np.int64, count=len(lines))
    used = np.flatnonzero(counts)
    if not len(used):
        raise FormatError(
            f"{path} lists no variants; expected one line per variant: check that the file was "
            "written completely"
        )
    n_columns = int(counts[used[0]])
    is_allowed = _BIM_COLUMNS - 1 <= n_columns <= _BIM_COLUMNS
    wrong = used[counts[used] != n_columns] if is_allowed else used
    if len(wrong):
        i = int(wrong[0])
        raise FormatError(_wrong_bim_line(path, i + 1, lines[i].split(), n_columns))
    return n_columns


def _shared_strings(values: Sequence[str]) -> StringArray:
    """The strings, each distinct one held once: a million alleles are four objects."""
    known: dict[str, str] = {}
    return string_array([known.setdefault(value, value) for value in values])


def _positions(path: Path, lines: list[str], texts: Sequence[str]) -> NDArray[np.int64]:
    try:
        if are_plain(texts):
            return np.fromiter(map(int, texts), dtype=np.int64, count=len(texts))
    except (ValueError, OverflowError):
        pass
    # Slower, but knows the line.
    numbered = [(number, line.split()[-3]) for number, line in enumerate(lines, 1) if line.strip()]
    return np.array([_position(path, *each) for each in numbered], dtype=np.int64)


def _rows(path: Path) -> list[Row]:
    """Line numbers and fields of the lines that are not blank."""
    numbered = enumerate((line.split() for line in read_lines(path)), start=1)
    return [(line, fields) for line, fields in numbered if fields]


def _position(path: Path, line: int, text: str) -> int:
    hint = "; .bim files have no header line" if line == 1 else ""
    return position_bp(f"{path}, line {line}", text, hint)


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
