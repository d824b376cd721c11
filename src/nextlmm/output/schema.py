"""The columns of a result table: their order, types, units and meaning.

The first eight are the mandatory columns of GWAS-SSF 1.0 in its order, so that a reader of that
format finds what it needs; the names are the same in the program, in the file and in Python.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

MISSING = "#NA"
"""Text of a missing value in every table, as GWAS-SSF recommends."""


@dataclass(frozen=True)
class Column:
    """One column of a result table."""

    name: str
    dtype: pl.DataType
    meaning: str


RESULT_COLUMNS = (
    Column("chromosome", pl.String(), "chromosome as the genotype file names it"),
    Column("base_pair_location", pl.Int64(), "position in base pairs"),
    Column("effect_allele", pl.String(), "allele that beta counts; column 5 of a .bim file"),
    Column("other_allele", pl.String(), "the other allele; column 6 of a .bim file"),
    Column("beta", pl.Float64(), "effect of one copy of the effect allele, in units of the trait"),
    Column("standard_error", pl.Float64(), "standard error of beta"),
    Column(
        "effect_allele_frequency",
        pl.Float64(),
        "frequency of the effect allele in the analysed samples with a call",
    ),
    Column("neg_log_10_p_value", pl.Float64(), "minus the decimal logarithm of the p-value"),
    Column("variant_id", pl.String(), "identifier of the variant in the genotype file"),
    Column("n", pl.Int64(), "analysed samples with a call of this variant"),
    Column(
        "status",
        pl.String(),
        "ok; or why the variant has no result: monomorphic, all_missing or collinear",
    ),
    Column("h2", pl.Float64(), "heritability at which the variant was tested"),
    Column(
        "statistic",
        pl.Float64(),
        "test statistic: F with 1 and n - c - 1 degrees of freedom (Wald, score), or chi-square "
        "with 1 (likelihood ratio)",
    ),
)

BOUND_COLUMNS = (
    Column(
        "neg_log_10_p_value_low",
        pl.Float64(),
        "certified lower bound of what the exact model gives in place of neg_log_10_p_value; in "
        "exact mode at the h2 of this row",
    ),
    Column(
        "neg_log_10_p_value_high",
        pl.Float64(),
        "certified upper bound of what the exact model gives in place of neg_log_10_p_value; in "
        "exact mode at the h2 of this row",
    ),
)
"""Further columns of a table with a certificate for every variant."""


LEAD_COLUMNS = (
    *(column for column in RESULT_COLUMNS if column.name not in ("status", "h2", "statistic")),
    Column("locus", pl.Int64(), "number of the locus, the one with the strongest lead first"),
    Column("genome_wide_significant", pl.Boolean(), "whether it passes the genome-wide threshold"),
    Column(
        "clump_variants",
        pl.Int64(),
        "variants that pass the suggestive threshold and have an r2 of 0.1 or more with this lead "
        "and with no stronger one, itself included",
    ),
    Column("clump_start", pl.Int64(), "first position of these"),
    Column("clump_end", pl.Int64(), "last position of these"),
)
"""The columns of a table of independent lead variants."""


def lead_table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A table of lead variants from its rows, each with the columns of `LEAD_COLUMNS`."""
    schema = {column.name: column.dtype for column in LEAD_COLUMNS}
    return pl.DataFrame([dict(row) for row in rows], schema=schema, orient="row")


def result_table(columns: Mapping[str, Iterable[Any]]) -> pl.DataFrame:
    """Build a result table from one array or sequence per column.

    Columns come out in the order and with the types of `RESULT_COLUMNS`, followed by those of
    `BOUND_COLUMNS` if they are given; NaN becomes missing.

    Raises
    ------
    ValueError
        If a column is missing or unknown, or the lengths differ.
    """
    bounded = any(column.name in columns for column in BOUND_COLUMNS)
    layout = (*RESULT_COLUMNS, *BOUND_COLUMNS) if bounded else RESULT_COLUMNS
    expected = [column.name for column in layout]
    if set(columns) != set(expected):
        difference = sorted(set(columns) ^ set(expected))
        raise ValueError(f"columns differ from those of a result table: {', '.join(difference)}")
    series = [pl.Series(column.name, columns[column.name]).cast(column.dtype) for column in layout]
    return pl.DataFrame(series).with_columns(pl.col(pl.Float64).fill_nan(None))


def column_meanings() -> dict[str, str]:
    """Meaning of every column by name, for the document beside the table."""
    return {column.name: column.meaning for column in (*RESULT_COLUMNS, *BOUND_COLUMNS)}
