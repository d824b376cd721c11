"""The people whom a table of relatives names, and the columns that it names them in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextlmm.cohort.dialect import Row
from nextlmm.cohort.match import RowMatch, match_rows
from nextlmm.cohort.table import SampleColumns
from nextlmm.errors import FormatError
from nextlmm.genotype.tables import IndexArray, SampleTable, string_array

FAMILY = frozenset({"fid", "family", "family_id"})


@dataclass(frozen=True)
class Header:
    """The first line of a table, which may or may not name its columns."""

    path: str
    line: int
    cells: list[str]

    def find(self, names: frozenset[str]) -> int | None:
        """The column of one of these names, or None if there is none."""
        found = [k for k, cell in enumerate(self.cells) if cell.lstrip("#").casefold() in names]
        if len(found) > 1:
            first, second = found[:2]
            raise FormatError(
                f"{self.path}, line {self.line}: the columns {first + 1} "
                f"('{self.cells[first]}') and {second + 1} ('{self.cells[second]}') mean the same; "
                "expected one of them: rename or delete the other"
            )
        return found[0] if found else None


def body(path: str, rows: list[Row]) -> list[Row]:
    """The rows below the header line."""
    if len(rows) == 1:
        raise FormatError(
            f"{path} has a header line and nothing else; expected one line per sample or pair: "
            "check that the file was written completely"
        )
    return rows[1:]


def distinct_people(
    path: str, families: list[str] | None, ids: list[str], lines: list[int]
) -> tuple[SampleColumns, IndexArray]:
    """The different people among those named, by first mention, and the number of each mention."""
    keys: Sequence[object] = ids if families is None else list(zip(families, ids, strict=True))
    number_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    number = np.fromiter((number_of[key] for key in keys), dtype=np.intp, count=len(keys))
    at = np.unique(number, return_index=True)[1]
    people = SampleColumns(
        path=path,
        family_id=None if families is None else string_array(families)[at],
        sample_id=string_array(ids)[at],
        columns={},
        line=np.array(lines, dtype=np.int64)[at],
    )
    return people, number


def match_all(samples: SampleTable, table: SampleColumns) -> RowMatch:
    """The row of each of the samples in a table; see :func:`match_rows`."""
    return match_rows(samples, table, np.ones(len(samples), dtype=bool))


def person_id(path: str, row: Row, column: int) -> str:
    """The ID in a column of a row, which must not be empty."""
    if not row[1][column]:
        raise FormatError(
            f"{path}, line {row[0]}: the row lacks an ID; expected the IDs of all samples in each "
            "row: add it or delete the row"
        )
    return row[1][column]
