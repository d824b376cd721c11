import numpy as np
import polars as pl
import pytest

from nextlmm.output.schema import RESULT_COLUMNS, column_meanings, result_table

GWAS_SSF = [
    "chromosome",
    "base_pair_location",
    "effect_allele",
    "other_allele",
    "beta",
    "standard_error",
    "effect_allele_frequency",
    "neg_log_10_p_value",
]


def columns() -> dict[str, object]:
    numbers = np.array([0.5, np.nan])
    return {
        column.name: numbers
        if column.dtype == pl.Float64
        else np.array([1, 2])
        if column.dtype == pl.Int64
        else np.array(["a", "b"], dtype=object)
        for column in reversed(RESULT_COLUMNS)
    }


def test_the_first_columns_are_those_of_gwas_ssf() -> None:
    assert [column.name for column in RESULT_COLUMNS][:8] == GWAS_SSF


def test_result_table__order_types_and_missing_values() -> None:
    frame = result_table(columns())
    assert frame.columns == [column.name for column in RESULT_COLUMNS]
    assert frame.dtypes == [column.dtype for column in RESULT_COLUMNS]
    assert frame["beta"].to_list() == [0.5, None]


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_result_table__wrong_columns(change: str) -> None:
    given = columns()
    if change == "missing":
        del given["beta"]
    else:
        given["odds_ratio"] = given["beta"]
    with pytest.raises(ValueError, match=r"beta|odds_ratio"):
        result_table(given)


def test_every_column_has_a_meaning() -> None:
    assert all(column_meanings().values())
    assert {column.name for column in RESULT_COLUMNS} <= set(column_meanings())
