"""Tables keyed by sample: traits, covariates, and lists of samples."""

import os
import re
from dataclasses import replace

import numpy as np

from nextlmm.cohort.dialect import Row, read_rows
from nextlmm.cohort.frame import is_parquet, read_parquet_table
from nextlmm.cohort.sample_columns import Layout, SampleColumns, column_names, layout_of_header
from nextlmm.cohort.values import is_number_or_missing
from nextlmm.errors import FormatError
from nextlmm.genotype.tables import string_array
from nextlmm.genotype.textfile import read_lines

__all__ = ["SampleColumns", "read_sample_list", "read_sample_table"]


def read_sample_table(path: str | os.PathLike[str]) -> SampleColumns:
    """Read a trait or covariate file.

    The columns may be separated by tabs, commas, semicolons or any white space.  With a header line
    the first columns are named FID and IID, or IID alone (a leading # is ignored); without one they
    are taken to be family and sample ID, and column k of the file is called "column<k>".  Blank
    lines are skipped; values may stand in double quotes; the file may be compressed by gzip, bzip2
    or zstd, or be Parquet (see :func:`nextlmm.cohort.frame.read_parquet_table`).

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, is empty, has rows of unequal length, or column names that are
        empty or occur twice.
    """
    path = os.fspath(path)
    if is_parquet(path):
        return read_parquet_table(path)
    rows = read_rows(path)
    first_line, first = rows[0]
    layout = layout_of_header(first)
    has_header = layout is not None
    if layout is None:
        _check_headerless(path, first_line, first)
        layout = Layout(family=0, sample=1)
        names = [f"column{k}" for k in range(1, len(first) + 1)]
    else:
        names, rows = column_names(path, first_line, first), rows[1:]
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
    first = rows[0] if rows else None
    layout = layout_of_header(rows[0][1]) if rows else None
    if layout is not None:
        rows = rows[1:]
    elif rows:
        layout = Layout(None, 0) if len(rows[0][1]) == 1 else Layout(0, 1)
    if first is None or layout is None or not rows:
        raise FormatError(
            f"{path} lists no samples; expected a family ID and a sample ID, or a sample ID, on "
            "each line: check that the right file is named"
        )
    for line, cells in rows:
        if (len(cells) == 1) != (len(first[1]) == 1):
            raise FormatError(
                f"{path}, line {line}: {len(cells)} IDs or columns where line {first[0]} has "
                f"{len(first[1])}; write family ID and sample ID on every line, or the sample ID "
                "alone on every line"
            )
    return _table(path, layout, [], [(line, cells[: layout.n_id_columns]) for line, cells in rows])


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


def _table(path: str, layout: Layout, names: list[str], rows: list[Row]) -> SampleColumns:
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
