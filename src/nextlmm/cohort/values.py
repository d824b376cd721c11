"""Text columns as numbers: what counts as missing, and what is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import DesignError, InputError, TraitError

MISSING_CODES = frozenset({"", ".", "na", "nan", "n/a", "#n/a", "#na", "<na>", "null"})
"""Texts that mean "no value", whatever their case."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
_PLINK_MISSING_TEXT = "-9"
_PLINK_MISSING = -9.0
_NEAR = 1.0  # a value this close to -9 makes -9 a plausible measurement
_EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class NumericColumn:
    """A column as numbers.

    Attributes
    ----------
    values : (r,) float64, NaN where missing.
    warnings : sentences about values that were read in a way a user may not expect.
    """

    values: NDArray[np.float64]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column as text, with all that a message about one of its values has to say.

    Attributes
    ----------
    kind : "trait" or "covariate".
    name : the column's name.
    path : the file.
    text : (r,) the values.
    line, sample_id : (r,) line of the file and sample of each value.
    row_word : what such a line is called.
    """

    kind: str
    name: str
    path: str
    text: Sequence[str]
    line: NDArray[np.int64]
    sample_id: NDArray[np.object_]
    row_word: str = "line"


def is_missing(text: str) -> bool:
    """Whether a text means "no value"."""
    return text.casefold() in MISSING_CODES


def is_number_or_missing(text: str) -> bool:
    """Whether a text is a number in decimal notation or a missing code."""
    return _NUMBER.fullmatch(text) is not None or is_missing(text)


def parse_numbers(column: TextColumn, *, may_be_coded: bool = True) -> NumericColumn:
    """Read a column as numbers.

    The value -9 is ambiguous: PLINK writes it for a missing trait.  A value written exactly "-9" is
    taken as missing, unless another value of the column lies within 1 of it, in which case it is a
    measurement.  Either way a warning says so.  It is a number like any other unless it
    ``may_be_coded``.

    Raises
    ------
    TraitError, DesignError
        If a value is neither a finite number nor a missing code; the sentence names file, line,
        column, sample and value.
    """
    values = np.full(len(column.text), np.nan)
    for i, text in enumerate(column.text):
        if is_missing(text):
            continue
        if _NUMBER.fullmatch(text):
            values[i] = float(text)
        if not np.isfinite(values[i]):
            raise _refusal(column, i)
    warning = _resolve_minus_nine(column, values) if may_be_coded else None
    return NumericColumn(values, () if warning is None else (warning,))


def _resolve_minus_nine(column: TextColumn, values: NDArray[np.float64]) -> str | None:
    """Make "-9" missing where it means that; say what was done."""
    is_nine = values == _PLINK_MISSING
    if not is_nine.any():
        return None
    is_code = np.fromiter((t == _PLINK_MISSING_TEXT for t in column.text), bool, count=len(values))
    where = f"{column.kind} '{column.name}' of {column.path}"
    distance = np.abs(values - _PLINK_MISSING)
    neighbours = np.flatnonzero((distance <= _NEAR) & ~is_code)
    if len(neighbours):
        reason = f"because the column also holds {column.text[neighbours[0]]}"
        if distance[neighbours].max() == 0.0:
            reason = f"because it is written {column.text[neighbours[0]]}"
        return (
            f"{where}: -9 was kept as a measured value ({np.count_nonzero(is_nine)} times), "
            f"{reason}; write NA if it stands for a missing value"
        )
    values[is_code] = np.nan
    return (
        f"{where}: -9 was taken as missing ({np.count_nonzero(is_code)} times), as PLINK does; "
        "write -9.0 if it was measured, or NA if it was not"
    )


def _refusal(column: TextColumn, i: int) -> InputError:
    """The error for the value at position i, which is not a finite number."""
    error = TraitError if column.kind == "trait" else DesignError
    text, where = column.text[i], f"{column.row_word} {column.line[i]}"
    present = [value for value in column.text if not is_missing(value)]
    if not any(_NUMBER.fullmatch(value) for value in present):
        examples = ", ".join(f"'{value}'" for value in list(dict.fromkeys(present))[:_EXAMPLES])
        return error(
            f"{column.kind} '{column.name}' of {column.path} holds words ({examples}, from "
            f"{where} on); expected numbers: recode it"
        )
    hint = "correct it, or write NA if the value is missing"
    if column.kind == "covariate":
        hint += "; if the values are categories, say so (--cat-covar)"
    if _DECIMAL_COMMA.fullmatch(text):
        hint = "write decimals with a point"
    return error(
        f"{column.path}, {where}: {column.kind} '{column.name}' of sample "
        f"'{column.sample_id[i]}' is '{text}'; expected a finite number or NA: {hint}"
    )
