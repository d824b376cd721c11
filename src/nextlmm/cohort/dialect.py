"""Cutting the lines of a table into cells, whatever separates them."""

import csv
from collections import Counter
from collections.abc import Callable

from nextlmm.errors import FormatError
from nextlmm.genotype.textfile import read_lines

Row = tuple[int, list[str]]  # line of the file, from 1, and its cells
Splitter = Callable[[str], list[str]]

_DELIMITERS = "\t,;"
_LONGEST_EXCERPT = 60


def read_rows(path: str) -> list[Row]:
    """The cells of every line that is not blank.

    Cells are separated by tabs, commas, semicolons or runs of white space, whichever makes all
    lines equally long; white space and double quotes around a cell are removed.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, has no line, or has lines of unequal length.
    """
    lines = [
        (number, text)
        for number, text in enumerate(read_lines(path), 1)
        if text.strip(" \t,;").strip()
    ]
    if not lines:
        raise FormatError(
            f"{path} is empty; expected one line per sample: check that the file was written "
            "completely"
        )
    attempts = [
        [(number, split(text)) for number, text in lines] for split in _splitters(lines[0][1])
    ]
    rows = min(attempts, key=_count_ragged)
    if _count_ragged(rows):
        raise FormatError(_ragged(path, rows))
    return _without_empty_last_column(rows)


def _splitters(first_line: str) -> list[Splitter]:
    """Ways to split a table that begins with this line, the likeliest first."""
    used = [character for character in first_line if character in _DELIMITERS]
    if not used:
        return [_split_white_space]
    # "F1 I1 1,5" has commas, but not between its cells: no ID holds white space.
    first_cell = first_line.split(used[0])[0].strip()
    if len(first_cell.split()) != 1 and first_cell:
        return [_split_white_space]
    delimited = _split_delimited(used[0])
    return [delimited, _split_white_space] if used[0] == "\t" else [delimited]


def _split_white_space(line: str) -> list[str]:
    return [_unquote(cell) for cell in line.split()]


def _split_delimited(delimiter: str) -> Splitter:
    def split(line: str) -> list[str]:
        return [cell.strip() for cell in _cells_between(line, delimiter)]

    return split


def _cells_between(line: str, delimiter: str) -> list[str]:
    """The cells of a line, of which some may be quoted and contain the delimiter."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:  # an absurdly long cell, or a stray quote; let later checks judge
        return line.split(delimiter)


def _unquote(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _count_ragged(rows: list[Row]) -> int:
    """Rows that are not as long as the first."""
    return sum(len(cells) != len(rows[0][1]) for _, cells in rows)


def _ragged(path: str, rows: list[Row]) -> str:
    """The sentence for a table with rows of unequal length."""
    expected = len(rows[0][1])
    lengths = Counter(len(cells) for _, cells in rows[1:])
    if lengths == {expected + 1: len(rows) - 1}:
        return (
            f"{path}, line {rows[0][0]}: {expected} column names for rows of {expected + 1} cells; "
            "expected one name per column: are there row names, as R writes them (write the file "
            "with row.names=FALSE)?"
        )
    line, cells = next(row for row in rows if len(row[1]) != expected)
    excerpt = " ".join(cells)
    if len(excerpt) > _LONGEST_EXCERPT:
        excerpt = f"{excerpt[:_LONGEST_EXCERPT]}..."
    return (
        f"{path}, line {line}: {len(cells)} cells ({excerpt}); expected {expected} as on line "
        f"{rows[0][0]}: complete the line, with NA where a value is missing"
    )


def _without_empty_last_column(rows: list[Row]) -> list[Row]:
    """The rows without a last column that is empty throughout, as trailing delimiters make it."""
    used = 1 + max(
        next((k for k in reversed(range(len(cells))) if cells[k]), 0) for _, cells in rows
    )
    return rows if used == len(rows[0][1]) else [(line, cells[:used]) for line, cells in rows]
