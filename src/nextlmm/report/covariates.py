"""The covariates of a model in words."""

from collections.abc import Mapping
from typing import Any

from nextlmm.report.wording import count


def covariate_terms(trait: Mapping[str, Any]) -> list[str]:
    """The covariates, those that are categories by one name for all their columns.

    A formula stands as it was typed.
    """
    if trait.get("covariate_formula") is not None:
        return [" ".join(trait["covariate_formula"].strip().removeprefix("~").split())]
    categories = trait.get("categories") or {}
    of_column = {
        f"{name}={other}": f"C({name})"
        for name, own in categories.items()
        for other in own["others"]
    }
    terms = [of_column.get(term, term) for term in trait["covariates"] if term != "intercept"]
    return list(dict.fromkeys(terms))


def fitted_columns(trait: Mapping[str, Any]) -> list[str]:
    """The columns that a formula came to."""
    if trait.get("covariate_formula") is None:
        return []
    names = [name for name in trait["covariates"] if name != "intercept"]
    return [f"{count(len(names), 'covariate')} of that formula: {', '.join(names)}"]


def references(trait: Mapping[str, Any]) -> list[str]:
    """What the categories of each categorical covariate are compared with."""
    return [
        f"C({name}): {count(len(own['others']) + 1, 'category', 'categories')}, compared with "
        f"{own['reference']}"
        for name, own in (trait.get("categories") or {}).items()
    ]
