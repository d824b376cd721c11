"""Covariates that are words, or numbers that stand for words: one column for each but one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.values import NumericColumn, TextColumn, is_missing, is_number_or_missing
from nextlmm.errors import DesignError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Categories:
    """What became of a categorical covariate.

    Attributes
    ----------
    name : of the covariate.
    reference : the category that the others are compared with, the most frequent one.
    others : the categories with a column of their own, in alphabetical order.
    """

    name: str
    reference: str
    others: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, as site=B."""
        return tuple(f"{self.name}={category}" for category in self.others)


def is_categorical(text: Sequence[str]) -> bool:
    """Whether a column holds words, and not one number."""
    present = [value for value in text if not is_missing(value)]
    return bool(present) and not any(is_number_or_missing(value) for value in present)


def parse_categories(column: TextColumn) -> tuple[NumericColumn, tuple[str, ...]]:
    """A column as positions in its categories, which are in alphabetical order, NaN if missing."""
    categories = tuple(sorted({value for value in column.text if not is_missing(value)}))
    position = {category: float(at) for at, category in enumerate(categories)}
    values = np.array([position.get(value, np.nan) for value in column.text])
    return NumericColumn(values, ()), categories


def present_categories(
    name: str, values: FloatArray, categories: Sequence[str], path: str
) -> Categories:
    """The categories that occur among values (n,), positions in ``categories``.

    Of equally frequent categories the first in alphabetical order is the reference.

    Raises
    ------
    DesignError
        If there is one category only, or as many as samples.
    """
    count = np.bincount(values.astype(np.intp), minlength=len(categories))
    present = np.flatnonzero(count)
    if len(present) == 1:
        raise DesignError(
            f"covariate '{name}' of {path} is '{categories[present[0]]}' in all {len(values):,} "
            "analysed samples; expected two categories or more: leave it out"
        )
    if len(present) == len(values):
        raise DesignError(
            f"covariate '{name}' of {path} has as many categories as there are analysed samples, "
            f"{len(values):,}; expected categories that samples share: leave it out"
        )
    reference = int(np.argmax(count))
    others = tuple(categories[at] for at in present.tolist() if at != reference)
    return Categories(name, categories[reference], others)


def indicator_columns(
    name: str, values: FloatArray, categories: Sequence[str], path: str
) -> tuple[FloatArray, Categories]:
    """A column of 0 and 1 for each category that occurs but the most frequent one, (n, k).

    Raises
    ------
    DesignError
        If there is one category only, or as many as samples.
    """
    found = present_categories(name, values, categories, path)
    at = {category: position for position, category in enumerate(categories)}
    others = np.array([at[category] for category in found.others])
    return (values.astype(np.intp)[:, None] == others).astype(np.float64), found
