"""The columns that a formula makes of covariates, for the analysed samples and of them alone."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.categories import Categories, present_categories
from nextlmm.cohort.formula import EXTRA, LIBRARY, PURPOSE, CovariateFormula, is_variable
from nextlmm.errors import DesignError
from nextlmm.genotype.packages import needed_package
from nextlmm.genotype.tables import StringArray

FloatArray = NDArray[np.float64]

_REDUCED, _FULL = re.compile(r"v(\d+)\[T\.(\d+)\]"), re.compile(r"v(\d+)\[(\d+)\]")


def formula_columns(
    formula: CovariateFormula,
    values: FloatArray,
    categories: Mapping[int, tuple[str, ...]],
    path: str,
    sample_ids: StringArray,
) -> tuple[FloatArray, tuple[str, ...], tuple[Categories, ...]]:
    """The columns of a formula without the intercept, (n, c), their names, and its categories.

    Parameters
    ----------
    formula : what to compute.
    values : (n, k) its columns for the analysed samples, none missing.
    categories : of those columns that are categorical, whose values are positions in them.
    path : the file, for messages.
    sample_ids : (n,) of the samples, for messages.

    Categories are compared with the most frequent one.  Means, scales and knots are those of the
    samples given; products of columns and bases come from the formula library.

    Raises
    ------
    DesignError
        If a category cannot be used, a number is computed from words, or a result is not finite.
    """
    library = needed_package(LIBRARY, extra=EXTRA, purpose=PURPOSE)
    _check_kinds(formula, categories, path)
    found = {
        k: present_categories(formula.columns[k], values[:, k], categories[k], path)
        for k in categories
    }
    data = {
        f"v{k}": _levels(values[:, k], categories[k], found[k]) if k in found else values[:, k]
        for k in range(len(formula.columns))
    }
    try:
        with np.errstate(all="ignore"):  # a result that is not finite is refused below
            design = library.Formula(_written(formula)).get_model_matrix(
                _frame(data), context=_functions(library), output="numpy", na_action="ignore"
            )
    except Exception as error:  # the library raises several kinds, and those of its functions
        cause = error.__cause__ or error
        raise DesignError(
            f"the formula '{formula.text}' cannot be computed from {path} "
            f"({formula.shown(' '.join(str(cause).split()))}); correct it"
        ) from error
    names = design.model_spec.column_names[1:]
    columns = np.ascontiguousarray(np.asarray(design, dtype=np.float64)[:, 1:])
    shown = [_shown(formula, name, found) for name in names]
    _check_finite(formula, columns, shown, path, sample_ids)
    compared = {int(at) for name in names for at, _ in _REDUCED.findall(name)}
    return columns, tuple(shown), tuple(found[k] for k in sorted(compared))


def _check_kinds(
    formula: CovariateFormula, categories: Mapping[int, tuple[str, ...]], path: str
) -> None:
    """Refuse words within a function of numbers."""
    for factor in (factor for term in formula.terms for factor in term):
        inside = [] if is_variable(factor) else re.findall(r"\bv(\d+)\b", factor)
        words = [int(k) for k in inside if int(k) in categories]
        if words:
            raise DesignError(
                f"covariate '{formula.columns[words[0]]}' of {path} holds words, and the formula "
                f"'{formula.text}' computes with it in '{formula.shown(factor)}'; expected "
                "numbers: recode it, or name it alone, which makes categories of it"
            )


def _written(formula: CovariateFormula) -> str:
    """The formula in the library's notation."""
    return " + ".join(["1", *(":".join(term) for term in formula.terms)])


def _levels(values: FloatArray, every: tuple[str, ...], found: Categories) -> Any:
    """A column for the library: its categories by number, the reference first."""
    pandas = needed_package("pandas", extra=EXTRA, purpose=PURPOSE)
    number = {category: at for at, category in enumerate((found.reference, *found.others))}
    code = np.array([number.get(category, -1) for category in every])
    labels = [str(at) for at in range(len(number))]
    return pandas.Categorical.from_codes(code[values.astype(np.intp)], labels)


def _frame(data: Mapping[str, Any]) -> Any:
    return needed_package("pandas", extra=EXTRA, purpose=PURPOSE).DataFrame(data)


def _functions(library: Any) -> dict[str, Any]:
    """The functions of a formula that the library does not have, or has otherwise."""
    splines = library.transforms.natural_cubic_spline

    def ns(x: Any, df: int, _state: dict[str, Any]) -> Any:
        # Centred, as the intercept is in the model already.
        return splines(x, df=df, constraints="center", _state=_state)

    return {
        "sqrt": np.sqrt,
        "abs": np.abs,
        "ns": library.transforms.stateful_transform(ns),
    }


def _shown(formula: CovariateFormula, name: str, found: Mapping[int, Categories]) -> str:
    """The name of a column as a user may read it: v1[T.2]:v0 becomes site=C:age."""

    def category(match: re.Match[str]) -> str:
        own = found[int(match[1])]
        return f"{own.name}={(own.reference, *own.others)[int(match[2])]}"

    parts = [
        category(match)
        if (match := _REDUCED.fullmatch(part) or _FULL.fullmatch(part)) and int(match[1]) in found
        else formula.shown(part)
        for part in name.split(":")
    ]
    return ":".join(parts)


def _check_finite(
    formula: CovariateFormula,
    columns: FloatArray,
    names: list[str],
    path: str,
    sample_ids: StringArray,
) -> None:
    """Refuse infinities and NaN, which logarithms of zero and the like are."""
    odd = np.argwhere(~np.isfinite(columns))
    if len(odd):
        row, column = odd[0]
        raise DesignError(
            f"'{names[column]}' of the formula '{formula.text}' is {columns[row, column]:g} for "
            f"sample '{sample_ids[row]}' of {path}; expected finite numbers: transform the column "
            "so that it is defined for every sample, or write NA where the value is missing"
        )
