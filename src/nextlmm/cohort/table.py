"""Text tables keyed by sample: traits, covariates, and lists of samples."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.dialect import Row, read_rows
from nextlmm.cohort.values import is_number_or_missing
from nextlmm.errors import FormatError
from nextlmm.genotype.tables import StringArray, string_array
from nextlmm.genotype.textfile import read_lines

_FAMILY_NAMES = frozenset({"fid", "family", "family_id"})
_SAMPLE_NAMES = frozenset({"iid", "id", "sample", "sample_id"})


@dataclass(frozen=True, eq=False)
class SampleColumns:
    """A table of one row per sample, its values as they were written.

    Attributes
    ----------
    path : the file, for messages.
    family_id : (r,) family IDs, or None if the table has sample IDs only.
    sample_id : (r,) sample IDs; leading zeros are kept.
    columns : name -> r values as text, in the order of the file.
    line : (r,) line of the file that each row stands on, from 1.
    has_header : whether the file named its columns; if not, column k of it is called "column<k>".
    """

    path: str
    family_id: StringArray | None
    sample_id: StringArray
    columns: Mapping[str, Sequence[str]]
    line: NDArray[np.int64]
    has_header: bool = True

    def __len__(self) -> int:
        return len(self.sample_id)

    def __repr__(self) -> str:
        return f"<{self.path}: {len(self):,} samples, columns {', '.join(self.columns) or 'none'}>"


@dataclass(frozen=True)
class _Layout:
    """Where the IDs stand and where the values begin."""

    family: int | None
    sample: int

    @property
    def n_id_columns(self) -> int:
        return 1 if self.family is None else 2


def read_sample_table(path: str | os.PathLike[str]) -> SampleColumns:
    """Read a trait or covariate file.

    The columns may be separated by tabs, commas, semicolons or any white space.  With a header line
    the first columns are named FID and IID, or IID alone (a leading # is ignored); without one they
    are taken to be family and sample ID, and column k of the file is called "column<k>".  Blank
    lines are skipped; values may stand in double quotes; the file may be gzip-compressed.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, is empty, has rows of unequal length, or column names that are
        empty or occur twice.
    """
    path = os.fspath(path)
    rows = read_rows(path)
    first_line, first = rows[0]
    layout = _layout_of_header(first)
    has_header = layout is not None
    if layout is None:
        _check_headerless(path, first_line, first)
        layout = _Layout(family=0, sample=1)
        names = [f"column{k}" for k in range(1, len(first) + 1)]
    else:
        names, rows = _column_names(path, first_line, first), rows[1:]
    if not rows:
        raise FormatError(
            f"{path} has a header line and nothing else; expected one line per sample: check that "
            "the file was written completely"
        )
    table = _table(path, layout, names[layout.n_id_columns :], rows)
    return replace(table, has_header=has_header)


def read_sample_list(path: str | os.PathLike[str]) -> SampleColumns:
    """Read a list of samples: family and sample ID, or sample ID alone, one sample a line.

    Further columns are ignored, and a header line that begins with FID or IID is recognised.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, lists no sample, or has one ID on some lines and two on others.
    """
    path = os.fspath(path)
    numbered = enumerate(read_lines(path), start=1)
    rows = [(line, re.split(r"[\s,;]+", text.strip())) for line, text in numbered if text.strip()]
    layout = _layout_of_header(rows[0][1]) if rows else None
    if layout is not None:
        rows = rows[1:]
    elif rows:
        layout = _Layout(None, 0) if len(rows[0][1]) == 1 else _Layout(0, 1)
    if layout is None or not rows:
        raise FormatError(
            f"{path} lists no samples; expected a family ID and a sample ID, or a sample ID, on "
            "each line: check that the right file is named"
        )
    for line, cells in rows:
        if (len(cells) == 1) != (len(rows[0][1]) == 1):
            raise FormatError(
                f"{path}, line {line}: {len(cells)} IDs or columns where line {rows[0][0]} has "
                f"{len(rows[0][1])}; write family ID and sample ID on every line, or the sample ID "
                "alone on every line"
            )
    return _table(path, layout, [], [(line, cells[: layout.n_id_columns]) for line, cells in rows])


def _layout_of_header(cells: list[str]) -> _Layout | None:
    """Where a header line says that the IDs are, or None if it is not a header line."""
    names = [cell.lstrip("#").casefold() for cell in cells[:2]]
    second = names[1] if len(names) > 1 else ""
    if names[0] in _FAMILY_NAMES and second in _SAMPLE_NAMES:
        return _Layout(family=0, sample=1)
    if names[0] in _SAMPLE_NAMES:
        return _Layout(family=1, sample=0) if second in _FAMILY_NAMES else _Layout(None, 0)
    return None


def _column_names(path: str, line: int, cells: list[str]) -> list[str]:
    """The names of a header line, each of which must be there and occur once."""
    for k, name in enumerate(cells, start=1):
        if not name:
            raise FormatError(
                f"{path}, line {line}: column {k} has no name; expected a name for each column: "
                "add one or delete the column"
            )
        if name in cells[: k - 1]:
            raise FormatError(
                f"{path}, line {line}: the name '{name}' occurs twice, in columns "
                f"{cells.index(name) + 1} and {k}; expected different names: rename one of them"
            )
    return cells


def _check_headerless(path: str, line: int, cells: list[str]) -> None:
    """Refuse a first line that is neither a header line nor two IDs and values."""
    expected = (
        "expected a header line that begins with FID IID or with IID, or family ID, sample ID and "
        "numbers: add or correct the header line"
    )
    if len(cells) < 3:
        raise FormatError(f"{path}, line {line}: '{' '.join(cells)}' is no header; {expected}")
    odd = [cell for cell in cells[2:] if not is_number_or_missing(cell)]
    if odd:
        raise FormatError(
            f"{path}, line {line}: the line begins with '{cells[0]}' and holds '{odd[0]}', which "
            f"is not a number; {expected}"
        )


def _table(path: str, layout: _Layout, names: list[str], rows: list[Row]) -> SampleColumns:
    """Turn rows into columns, IDs apart from values."""
    for line, cells in rows:
        if not all(cells[: layout.n_id_columns]):
            raise FormatError(
                f"{path}, line {line}: the row has no ID; expected a sample ID in each row: add it "
                "or delete the row"
            )
    columns = list(zip(*(cells for _, cells in rows), strict=True))
    values = columns[layout.n_id_columns :]
    return SampleColumns(
        path=path,
        family_id=None if layout.family is None else string_array(columns[layout.family]),
        sample_id=string_array(columns[layout.sample]),
        columns=dict(zip(names, values, strict=True)),
        line=np.array([line for line, _ in rows], dtype=np.int64),
    )
