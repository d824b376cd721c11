"""What plots are drawn from: the table of one trait, and what is known beyond it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from nextlmm.errors import FormatError, UsageError
from nextlmm.genotype.arraylike import numpy_array
from nextlmm.output.schema import RESULT_COLUMNS, Column
from nextlmm.run.analysis import Analysis
from nextlmm.run.chosen_trait import chosen_trait
from nextlmm.run.pipeline import GwasRun

PLACE = ("chromosome", "base_pair_location", "variant_id")
STRENGTH = "neg_log_10_p_value"
EXPECTED = "expected what nextlmm.gwas or nextlmm.associate returns, or a table of polars or pandas"


@dataclass(frozen=True, eq=False)
class Shown:
    """One trait of a result.

    Attributes
    ----------
    name : of the trait; empty where it is not known.
    table : its result table.
    facts : its entry in the result document, or as much of that as is known.
    """

    name: str
    table: pl.DataFrame
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def portrait(self) -> Mapping[str, Any]:
        """What a run kept for its report; empty where it made none."""
        return self.facts.get("portrait") or {}


def shown(result: Any, trait: str | None, needed: Sequence[str] = ()) -> Shown:
    """A trait of a result, or a table, with the columns that are needed.

    Raises
    ------
    UsageError
        If it is no result, or has not the trait.
    FormatError
        If a table lacks a column, or one cannot be read as what it should be.
    """
    if isinstance(result, GwasRun):
        name = chosen_trait(result.tables, trait)
        return Shown(name, result.tables[name], result.document["traits"][name])
    if trait is not None:
        raise UsageError(
            f"trait is '{trait}', but only what nextlmm.gwas returns has traits to choose from"
        )
    if isinstance(result, Analysis):
        facts = {**vars(result.null), "portrait": {"profile": result.null.profile}}
        return Shown("", result.table, facts)
    if not isinstance(result, pl.DataFrame) and not _is_of_pandas(result):
        raise UsageError(f"a plot got an object of type {type(result).__name__}; {EXPECTED}")
    return Shown("", _table(result, needed))


def _is_of_pandas(result: Any) -> bool:
    module = type(result).__module__.split(".")[0]
    return module == "pandas" and hasattr(result, "columns")


def _table(frame: Any, needed: Sequence[str]) -> pl.DataFrame:
    """The needed columns of a data frame, with the types of a result table."""
    lacking = [name for name in needed if name not in frame.columns]
    if lacking:
        raise FormatError(
            f"the table has no column '{lacking[0]}'; expected the columns of a result table, of "
            f"which this plot needs {', '.join(needed)}"
        )
    columns = [column for column in RESULT_COLUMNS if column.name in needed]
    table = pl.DataFrame([_series(column, frame[column.name]) for column in columns])
    for name in [each for each in PLACE[:2] if each in needed]:
        missing = np.flatnonzero(table[name].is_null().to_numpy())
        if len(missing):
            raise FormatError(
                f"the table has no {name} in row {missing[0]}; expected one in each row: leave out "
                "variants whose place is not known"
            )
    return table


def _series(column: Column, values: Any) -> pl.Series:
    try:
        if isinstance(values, pl.Series):
            series = values
        elif column.dtype == pl.String():
            items = [str(item) if isinstance(item, str | int) else None for item in values]
            series = pl.Series(column.name, items, pl.String)
        else:
            series = pl.Series(column.name, np.asarray(numpy_array(values)))
        series = series.cast(column.dtype)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise FormatError(
            f"column '{column.name}' of the table cannot be read as {column.meaning} "
            f"({str(error).splitlines()[0]}); expected the values of a result table, missing ones "
            "(#NA in its file) read as null or NaN"
        ) from error
    return series.fill_nan(None) if column.dtype == pl.Float64() else series
