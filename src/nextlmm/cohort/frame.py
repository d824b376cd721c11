"""Tables whose columns have types: Parquet files, and columns of a data frame."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextlmm.cohort.sample_columns import SampleColumns, column_names, layout_of_header
from nextlmm.errors import FormatError, UsageError
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.tables import StringArray, string_array
from nextlmm.genotype.textfile import check_readable, missing_file
from nextlmm.genotype.unpacking import most_bytes, too_large

PARQUET_MAGIC = b"PAR1"
_PARQUET_ENDS = (".parquet", ".pq")
_ROW = "row"
_MISSING = "NA"
_DAMAGE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What the library raises for a damaged file; a panic of it is no ordinary exception."""

_FREE_ROWS = 10_000_000
"""How many rows any file may have; more need a byte each."""
_NULLS = frozenset({"nan", "<NA>", "NaT"})  # of numpy and pandas
_WORDS = (pl.String, pl.Categorical, pl.Enum)


def is_parquet(path: str) -> bool:
    """Whether a file is Parquet by its first bytes, or by its name.

    Raises
    ------
    MissingFileError
        If it cannot be read.
    """
    check_readable(Path(path))
    try:
        with open(path, "rb") as content:
            is_marked = content.read(4) == PARQUET_MAGIC
    except OSError as error:
        raise missing_file(Path(path), error) from error
    return is_marked or path.casefold().endswith(_PARQUET_ENDS)


def read_parquet_table(path: str) -> SampleColumns:
    """Read a trait or covariate file in Parquet; its values when they are asked for.

    The first columns are named FID and IID, or IID alone.  Null and NaN are missing, true and false
    are 1 and 0, and a column of text is one of categories whatever it looks like.

    Raises
    ------
    FormatError
        If the file is damaged or empty, lacks the columns of IDs or an ID; when a column is asked
        for that is neither numbers nor text.
    """
    try:
        # A name with * or [ is this file's, and no pattern.
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema = dict(frame.collect_schema())
        n_rows = int(frame.select(pl.len()).collect().item())
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    _check_rows(path, n_rows)
    names = column_names(path, None, list(schema))
    layout = layout_of_header(names) if names else None
    if layout is None:
        raise FormatError(
            f"{path} begins with the columns {', '.join(names[:2]) or '(none)'}; expected FID and "
            "IID, or IID, as the first ones of a Parquet file: rename or reorder its columns"
        )
    sample_id = _ids(path, names[layout.sample], n_rows)
    family_id = None if layout.family is None else _ids(path, names[layout.family], n_rows)
    values = names[layout.n_id_columns :]
    return SampleColumns(
        path=path,
        family_id=family_id,
        sample_id=sample_id,
        columns=_ParquetColumns(path, tuple(values), n_rows),
        line=np.arange(1, len(sample_id) + 1),
        row_word=_ROW,
        words=frozenset(name for name in values if isinstance(schema[name], _WORDS)),
    )


def series_texts(series: pl.Series, path: str) -> tuple[str, ...]:
    """The values of a column as a text file would have them.

    Raises
    ------
    FormatError
        If they are neither numbers nor text.
    """
    kind = series.dtype
    if kind == pl.Null:
        return (_MISSING,) * len(series)
    if kind == pl.Boolean:
        series = series.cast(pl.Int8)
    elif kind.is_float() or kind.is_decimal():
        # A whole number is written as one, as in a file where all of the column are.
        values = series.cast(pl.Float64).fill_null(np.nan).to_list()
        return tuple(_MISSING if v != v else repr(v).removesuffix(".0") for v in values)
    elif not (kind.is_integer() or isinstance(kind, _WORDS)):
        what = "lists or structures" if kind.is_nested() else "something else, as dates or bytes"
        raise FormatError(
            f"{path}: column '{series.name}' holds {what} ({kind}); expected numbers or text: make "
            "it a column of numbers, or choose others"
        )
    return tuple(text.strip() for text in series.cast(pl.String).fill_null(_MISSING).to_list())


def frame_columns(
    frame: Mapping[str, Any] | pl.DataFrame, sample_id: StringArray, what: str
) -> SampleColumns:
    """Named columns that are in memory, one value for each sample, as a table.

    Parameters
    ----------
    frame : a mapping of names to columns, or a data frame of polars or pandas.
    sample_id : (n,) the samples of its rows.
    what : what to call it in messages.

    Raises
    ------
    UsageError
        If a column has another length.
    FormatError
        If a column is neither numbers nor text.
    """
    names = [str(name) for name in (frame.columns if hasattr(frame, "columns") else frame)]
    columns, words = dict[str, tuple[str, ...]](), set[str]()
    for name in names:
        series = _as_series(name, frame[name])
        if len(series) != len(sample_id):
            raise UsageError(
                f"column '{name}' of {what} has {len(series)} values and there are "
                f"{len(sample_id)} samples; expected one value for each, in the same order"
            )
        columns[name] = series_texts(series, what)
        if isinstance(series.dtype, _WORDS):
            words.add(name)
    return SampleColumns(
        path=what,
        family_id=None,
        sample_id=sample_id,
        columns=columns,
        line=np.arange(len(sample_id)),
        row_word=_ROW,
        words=frozenset(words),
        is_file=False,
    )


def _as_series(name: str, values: Any) -> pl.Series:
    """A column of whatever kind with a type that says whether it is text."""
    if isinstance(values, pl.Series):
        return values.alias(name)
    array: np.ma.MaskedArray[Any, Any] = np.ma.asanyarray(values)
    if array.ndim == 1 and array.dtype.kind in "biuf" and not hasattr(values, "cat"):
        masked = np.ma.getmaskarray(array)
        numbers = np.ma.getdata(array)
        return pl.Series(name, numbers.astype(np.float64) if masked.any() else numbers).set(
            pl.Series(masked), None
        )
    items = [None if item is None or item is np.ma.masked else item for item in values]
    kinds = {type(item) for item in items if item is not None and str(item) not in _NULLS}
    if kinds <= {bool, int, float} and not hasattr(values, "cat"):
        return pl.Series(name, [None if str(i) in _NULLS else i for i in items], pl.Float64)
    if all(issubclass(kind, str) for kind in kinds) or hasattr(values, "cat"):
        texts = [None if item is None or str(item) in _NULLS else str(item) for item in items]
        return pl.Series(name, texts, pl.String)
    return pl.Series(name, items, pl.Object)


@dataclass(frozen=True, eq=False)
class _ParquetColumns(Mapping[str, Sequence[str]]):
    """Columns of a file, read when they are asked for and then kept."""

    path: str
    names: tuple[str, ...]
    n_rows: int
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> tuple[str, ...]:
        if name not in self.names:
            raise KeyError(name)
        if name not in self.kept:
            self.kept[name] = series_texts(_column(self.path, name, self.n_rows), self.path)
        return self.kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _check_rows(path: str, n_rows: int) -> None:
    """Refuse a file whose rows are too many for its size: repeated values take next to nothing."""
    n_bytes = os.path.getsize(path)
    if n_rows > max(_FREE_ROWS, n_bytes):
        raise FormatError(
            f"{path} of {n_bytes:,} bytes describes {n_rows:,} rows; expected one row per sample: "
            "check how the file was made"
        )


def _column(path: str, name: str, n_rows: int) -> pl.Series:
    try:
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.col(name))
        column = frame.collect().get_column(name)
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    if len(column) != n_rows:
        raise FormatError(
            f"{path}: column '{name}' has {len(column):,} values and the file {n_rows:,} rows; it "
            "is damaged: copy or write it again"
        )
    if isinstance(column.dtype, _WORDS):
        n_bytes = int(column.cast(pl.String).str.len_bytes().sum())
        if n_bytes > most_bytes(os.path.getsize(path)):
            raise too_large(Path(path), os.path.getsize(path))
    return column


def _ids(path: str, name: str, n_rows: int) -> StringArray:
    column = _column(path, name, n_rows)
    texts = series_texts(column, path)
    if not texts:
        raise FormatError(
            f"{path} has columns and no row; expected one row per sample: check that the file was "
            "written completely"
        )
    is_number = column.dtype.is_numeric()
    is_absent = [text == "" or (is_number and text == _MISSING) for text in texts]
    missing = np.flatnonzero(column.is_null().to_numpy() | is_absent)
    if len(missing):
        raise FormatError(
            f"{path}, row {missing[0] + 1}: there is no {name}; expected an ID in each row: add it "
            "or delete the row"
        )
    return string_array(texts)


def _damaged(path: str, error: BaseException) -> FormatError:
    said = excerpt(" ".join(str(error).split()), 200)
    return FormatError(
        f"{path} cannot be read as Parquet ({said}); it is damaged or something else: copy or "
        "write it again"
    )
