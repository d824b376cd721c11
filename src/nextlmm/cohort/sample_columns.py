"""What every table of samples is: columns by name, one row per sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError
from nextlmm.genotype.tables import StringArray

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
    row_word : what such a line is called in a message.
    words : the columns that are text by their type, None where columns have no types.
    is_file : whether it was written to a file, in which programs write -9 for want of a value.
    """

    path: str
    family_id: StringArray | None
    sample_id: StringArray
    columns: Mapping[str, Sequence[str]]
    line: NDArray[np.int64]
    has_header: bool = True
    row_word: str = "line"
    words: frozenset[str] | None = None
    is_file: bool = True

    def __len__(self) -> int:
        return len(self.sample_id)

    def __repr__(self) -> str:
        return f"<{self.path}: {len(self):,} samples, columns {', '.join(self.columns) or 'none'}>"


@dataclass(frozen=True)
class Layout:
    """Where the IDs stand and where the values begin."""

    family: int | None
    sample: int

    @property
    def n_id_columns(self) -> int:
        """Number of columns before those of values."""
        return 1 if self.family is None else 2


def layout_of_header(cells: list[str]) -> Layout | None:
    """Where a header line says that the IDs are, or None if it is not a header line."""
    names = [cell.lstrip("#").casefold() for cell in cells[:2]]
    second = names[1] if len(names) > 1 else ""
    if names[0] in _FAMILY_NAMES and second in _SAMPLE_NAMES:
        return Layout(family=0, sample=1)
    if names[0] in _SAMPLE_NAMES:
        return Layout(family=1, sample=0) if second in _FAMILY_NAMES else Layout(None, 0)
    return None


def column_names(path: str, line: int | None, cells: list[str]) -> list[str]:
    """The names of a header line, if any, each of which must be there and occur once."""
    where = path if line is None else f"{path}, line {line}"
    known = dict[str, int]()
    for k, name in enumerate(cells, start=1):
        if not name:
            raise FormatError(
                f"{where}: column {k} has no name; expected a name for each column: "
                "add one or delete the column"
            )
        if known.setdefault(name, k) != k:
            raise FormatError(
                f"{where}: the name '{name}' occurs twice, in columns "
                f"{known[name]} and {k}; expected different names: rename one of them"
            )
    return cells
