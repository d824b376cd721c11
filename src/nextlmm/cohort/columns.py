"""Columns of a table brought into the order of the genotypes, and what becomes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.categories import (
    Categories,
    indicator_columns,
    is_categorical,
    parse_categories,
)
from nextlmm.cohort.formula import CovariateFormula
from nextlmm.cohort.formula_columns import formula_columns
from nextlmm.cohort.match import match_rows
from nextlmm.cohort.table import SampleColumns
from nextlmm.cohort.values import TextColumn, parse_numbers
from nextlmm.genotype.tables import IndexArray, SampleTable, StringArray


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of a table in the order of the genotypes: (n, k) values, NaN where missing.

    The values of column k are positions in ``categories[k]`` if there is such an entry.
    """

    path: str
    values: NDArray[np.float64]
    is_present: NDArray[np.bool_]
    warnings: tuple[str, ...]
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def has_missing(columns: Columns) -> NDArray[np.bool_]:
    """Which samples lack a value in any of the columns, (n,)."""
    return np.asarray(np.isnan(columns.values).any(axis=1))


def read_columns(
    samples: SampleTable,
    table: SampleColumns | None,
    names: Sequence[str],
    kind: str,
    candidates: NDArray[np.bool_],
    are_categories: Sequence[bool] = (),
) -> Columns:
    """The named columns of a table for the candidates among the samples.

    Covariates are categories where ``are_categories`` says so, and where they hold words.
    """
    values = np.full((len(samples), len(names)), np.nan)
    if table is None or not names:
        return Columns("", values, np.ones(len(samples), dtype=bool), ())
    match = match_rows(samples, table, candidates)
    warnings, categories = list(match.warnings), dict[int, tuple[str, ...]]()
    for k, name in enumerate(names):
        text = TextColumn(
            kind,
            name,
            table.path,
            table.columns[name],
            table.line,
            table.sample_id,
            table.row_word,
        )
        is_text = is_categorical(text.text) if table.words is None else name in table.words
        if kind == "covariate" and (are_categories[k] or is_text):
            column, categories[k] = parse_categories(text)
            if not are_categories[k] and not is_categorical(text.text):
                warnings.append(_numbers_as_words(text, len(categories[k])))
        else:
            column = parse_numbers(text, may_be_coded=table.is_file)
        values[match.is_present, k] = column.values[match.row[match.is_present]]
        warnings += column.warnings
    return Columns(table.path, values, match.is_present, tuple(warnings), categories)


def _numbers_as_words(column: TextColumn, n_categories: int) -> str:
    return (
        f"covariate '{column.name}' of {column.path} is a column of text and was taken as "
        f"{n_categories} categories, although it holds numbers; make it a column of numbers if it "
        "is one"
    )


def expanded(
    covariates: Columns,
    analysed: IndexArray,
    names: Sequence[str],
    formula: CovariateFormula | None,
    sample_id: StringArray,
) -> tuple[NDArray[np.float64], tuple[str, ...], tuple[Categories, ...]]:
    """The columns of the analysed samples, by the formula if there is one, and their names.

    Categories become columns of their own. ``sample_id`` are those of all samples.
    """
    if formula is not None:
        values = covariates.values[analysed]
        return formula_columns(
            formula, values, covariates.categories, covariates.path, sample_id[analysed]
        )
    parts: list[NDArray[np.float64]] = [np.empty((len(analysed), 0))]
    fitted: list[str] = []
    found: list[Categories] = []
    for k, name in enumerate(names):
        values = covariates.values[analysed, k]
        if k not in covariates.categories:
            parts.append(values[:, None])
            fitted.append(name)
            continue
        columns, own = indicator_columns(name, values, covariates.categories[k], covariates.path)
        parts.append(columns)
        fitted += own.columns
        found.append(own)
    return np.hstack(parts), tuple(fitted), tuple(found)
