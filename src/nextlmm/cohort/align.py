"""Bringing traits and covariates into the order of the genotypes."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.categories import Categories
from nextlmm.cohort.columns import expanded, has_missing, read_columns
from nextlmm.cohort.design import (
    COLLINEAR_TOLERANCE,
    LARGEST_SPREAD,
    SMALLEST_SPREAD,
    check_covariates,
    check_size,
    is_constant,
    residual_fraction,
    spread_out_of_range,
)
from nextlmm.cohort.formula import CovariateFormula
from nextlmm.cohort.match import is_listed, match_rows, no_overlap
from nextlmm.cohort.table import SampleColumns
from nextlmm.cohort.transform import rank_normal
from nextlmm.errors import AlignmentError, DesignError, TraitError, UsageError
from nextlmm.genotype.tables import IndexArray, SampleTable, StringArray

INTERCEPT = "intercept"
NOT_RELATED = "not in the relationship matrix"
_MOST_NAMES = 8
_FIRST_IDS = 10


@dataclass(frozen=True, eq=False)
class Cohort:
    """The samples of an analysis with trait and covariates, in the order of the genotypes.

    Attributes
    ----------
    trait : name of the trait.
    kept : positions of the samples left by the keep and remove lists, ascending.
    analysed : positions of those that have the trait and all covariates, ascending; (n,).
    sample_ids : (n,) sample IDs of the analysed samples.
    y : (n,) trait, in its own unit.
    covariates : (n, c) with a first column of ones.
    covariate_names : c names, the first "intercept".
    exclusions : samples that are not analysed, by reason; each is counted under the first that
        applies.
    warnings : sentences about values and matches that a user may want to know of.
    categories : categorical covariates, each of which is several of the columns.
    is_rank_normal : whether the trait was replaced by normal quantiles of its ranks.
    formula : what the covariates were computed by, as it was typed; None where there was none.
    excluded_ids : the first sample IDs of those that are not analysed, by reason.
    """

    trait: str
    kept: IndexArray
    analysed: IndexArray
    sample_ids: StringArray
    y: NDArray[np.float64]
    covariates: NDArray[np.float64]
    covariate_names: tuple[str, ...]
    exclusions: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    categories: tuple[Categories, ...] = ()
    is_rank_normal: bool = False
    formula: str | None = None
    excluded_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        reasons = "".join(f"; {reason}: {count:,}" for reason, count in self.exclusions.items())
        names = ", ".join(self.covariate_names)
        return f"<{self.trait}: {len(self):,} samples with {names}{reasons}>"

    @property
    def n_covariates(self) -> int:
        """Number of columns of ``covariates``, the intercept among them."""
        return int(self.covariates.shape[1])


def align(
    samples: SampleTable,
    traits: SampleColumns,
    trait: str | None = None,
    *,
    covariates: SampleColumns | None = None,
    covariate_names: Sequence[str] | None = None,
    categorical: Sequence[str] = (),
    formula: CovariateFormula | None = None,
    rank_normal_trait: bool = False,
    keep: SampleColumns | None = None,
    remove: SampleColumns | None = None,
    related: SampleColumns | None = None,
) -> Cohort:
    """Choose the samples of an analysis and bring their trait and covariates into one order.

    Rows are matched to samples by ID (see :func:`nextlmm.cohort.match.match_rows`); the order of
    the files does not matter.

    Parameters
    ----------
    samples : the samples of the genotypes.
    traits : the table with the trait.
    trait : its name; may be omitted if the table has one column only.
    covariates : the table with covariates; an intercept is always added.
    covariate_names : those to use; all columns of the table if None.
    categorical : covariates, used too, whose values are categories whatever they look like; columns
        of words are in any case.
    formula : what to compute of the table's columns, in place of names.
    rank_normal_trait : whether to replace the trait by normal quantiles of its ranks.
    keep, remove : lists of samples to restrict the analysis to, or to leave out.
    related : the samples of a given relationship matrix; no others can be analysed.

    Raises
    ------
    AlignmentError
        If IDs do not match or are ambiguous, or a list leaves no sample.
    TraitError
        If the trait is unknown, not numeric, constant, missing in all samples, or a linear
        combination of the covariates.
    DesignError
        If a covariate is unknown, not numeric, constant or collinear, or there are too few samples.
    """
    left_out = LeftOut(samples.sample_id)
    is_kept = apply_lists(samples, left_out, keep, remove, related)
    name = choose_trait(traits, trait)
    chosen = choose_covariates(covariates, covariate_names, categorical, formula)
    are_categories = [column in categorical for column in chosen]
    y = read_columns(samples, traits, [name], "trait", is_kept)
    x = read_columns(
        samples,
        covariates,
        chosen,
        "covariate",
        is_kept,
        are_categories if formula is None else formula.is_category,
    )
    is_analysed = is_kept
    reasons: dict[str, NDArray[np.bool_]] = {
        "not in the trait file": ~y.is_present,
        "trait missing": has_missing(y),
        "not in the covariate file": ~x.is_present,
        "covariate missing": has_missing(x),
    }
    for reason, applies in reasons.items():
        is_analysed = left_out.exclude(is_analysed, reason, applies)
    if not is_analysed.any():
        raise TraitError(_nobody_left(name, traits.path, left_out.counts))
    analysed = np.flatnonzero(is_analysed)
    values = y.values[analysed, 0]
    columns, fitted, categories = expanded(x, analysed, chosen, formula, samples.sample_id)
    check_size(len(values), len(fitted))
    _check_trait(values, name, traits.path)
    if rank_normal_trait:
        values = rank_normal(values)
    check_covariates(columns, fitted, x.path)
    _check_not_explained(values, columns, name, x.path)
    return Cohort(
        trait=name,
        kept=np.flatnonzero(is_kept),
        analysed=analysed,
        sample_ids=samples.sample_id[analysed],
        y=values,
        covariates=np.column_stack([np.ones(len(analysed)), columns]),
        covariate_names=(INTERCEPT, *fitted),
        exclusions=left_out.counts,
        warnings=tuple(dict.fromkeys(y.warnings + x.warnings)),
        categories=categories,
        is_rank_normal=rank_normal_trait,
        formula=None if formula is None else formula.text,
        excluded_ids=left_out.first_ids,
    )


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Who is left out, each under the first reason that applies: how many, and the first IDs."""

    sample_id: StringArray
    counts: dict[str, int] = field(default_factory=dict)
    first_ids: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def exclude(
        self, remaining: NDArray[np.bool_], reason: str, applies: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """The remaining samples without those that a reason applies to, which are noted."""
        leaving = np.flatnonzero(remaining & applies)
        if len(leaving):
            self.counts[reason] = len(leaving)
            self.first_ids[reason] = tuple(map(str, self.sample_id[leaving[:_FIRST_IDS]]))
        return remaining & ~applies


def apply_lists(
    samples: SampleTable,
    left_out: LeftOut,
    keep: SampleColumns | None,
    remove: SampleColumns | None,
    related: SampleColumns | None,
) -> NDArray[np.bool_]:
    """Which samples the keep and remove lists leave, (n,)."""
    everyone = np.ones(len(samples), dtype=bool)
    remaining = everyone
    if keep is not None:
        listed = is_listed(samples, keep)
        if not listed.any():
            raise AlignmentError(no_overlap(samples, keep, everyone))
        remaining = left_out.exclude(remaining, "not in the keep list", ~listed)
    if remove is not None:
        listed = is_listed(samples, remove)
        remaining = left_out.exclude(remaining, "in the remove list", listed)
        if not remaining.any():
            raise AlignmentError(
                f"no sample is left: {remove.path} lists every one of {samples.origin} that the "
                "keep list (if any) leaves; shorten the list"
            )
    if related is not None:
        is_related = match_rows(samples, related, remaining).is_present
        remaining = left_out.exclude(remaining, NOT_RELATED, ~is_related)
    return remaining


def choose_trait(traits: SampleColumns, trait: str | None) -> str:
    """The trait of that name, the only one of the table if none is named.

    Raises
    ------
    TraitError
        If there is none of that name, or several and none is named.
    """
    names = list(traits.columns)
    if not names:
        raise TraitError(
            f"{traits.path} has IDs and no other column; expected at least one trait: check that "
            "the right file is named"
        )
    if trait is None:
        if len(names) > 1:
            raise TraitError(
                f"{traits.path} has {len(names)} columns ({_list(names)}) and no trait was named; "
                "name one of them (--trait, or trait in Python)"
            )
        return names[0]
    if trait not in traits.columns:
        raise TraitError(
            f"there is no trait '{trait}' in {traits.path}; {_suggestion(trait, traits)}"
        )
    return trait


def choose_covariates(
    covariates: SampleColumns | None,
    names: Sequence[str] | None,
    categorical: Sequence[str],
    formula: CovariateFormula | None,
) -> tuple[str, ...]:
    """The columns to read of a table of covariates, each of which must be there.

    Raises
    ------
    UsageError, DesignError
        If covariates are named and there is no table, or it lacks one of them.
    """
    if formula is not None:
        names = formula.columns
    if covariates is None:
        named = [*(names or ()), *categorical]
        if named:
            raise UsageError(
                f"the covariates {_list(named)} are named but no covariate file is; name the file "
                "(--covar, or covariates in Python)"
            )
        return ()
    known = list(covariates.columns)
    if names is None:
        if not known:
            raise DesignError(
                f"{covariates.path} has IDs and no other column; expected at least one covariate: "
                "check that the right file is named"
            )
        names = known
    names = [*names, *categorical]
    for name in names:
        if name not in covariates.columns:
            raise DesignError(
                f"there is no covariate '{name}' in {covariates.path}; "
                f"{_suggestion(name, covariates)}"
            )
    return tuple(names) if formula is not None else tuple(dict.fromkeys(names))


def _suggestion(name: str, table: SampleColumns) -> str:
    """The nearest of the column names, what the others are, and where they come from."""
    names = list(table.columns)
    by_fold = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=1)
    columns = f"its columns are {_list(names)}" if names else "it has no column but the IDs"
    if not table.has_header:
        columns = (
            "no header line was found, that is, a first line that begins with FID IID or IID, so "
            f"that {columns}"
        )
    return f"did you mean '{by_fold[near[0]]}'? ({columns})" if near else f"{columns}: name one"


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    rest = len(names) - _MOST_NAMES
    return shown if rest <= 0 else f"{shown} and {rest} more"


def _nobody_left(name: str, path: str, exclusions: Mapping[str, int]) -> str:
    counts = ", ".join(f"{reason}: {count:,}" for reason, count in exclusions.items())
    return (
        f"trait '{name}' of {path} leaves no sample to analyse ({counts}); expected samples with "
        "the trait and all covariates: choose another trait or fewer covariates"
    )


def _check_trait(y: NDArray[np.float64], name: str, path: str) -> None:
    if is_constant(y):
        raise TraitError(
            f"trait '{name}' of {path} is {y[0]:g} in all {len(y):,} analysed samples; expected "
            "values that differ: choose another trait, or check which samples are left"
        )
    spread = spread_out_of_range(y)
    if spread is not None:
        raise TraitError(
            f"trait '{name}' of {path} spans {spread:g} in the {len(y):,} analysed samples; "
            f"expected {SMALLEST_SPREAD:g} to {LARGEST_SPREAD:g}, so that its variance is a number "
            "that a computer can hold: give it in another unit"
        )


def _check_not_explained(
    y: NDArray[np.float64], columns: NDArray[np.float64], name: str, path: str
) -> None:
    if residual_fraction(y, columns) < COLLINEAR_TOLERANCE:
        raise TraitError(
            f"trait '{name}' is a linear combination of the covariates of {path}, which leave "
            "nothing to explain: choose covariates without it (--covar-name, or covariate_names in "
            "Python)"
        )
