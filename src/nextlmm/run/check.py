"""Everything that is wrong or odd with the inputs of a run, found in seconds, all at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from nextlmm.cohort.align import Cohort, align, choose_covariates, choose_trait
from nextlmm.cohort.columns import expanded, has_missing, read_columns
from nextlmm.cohort.design import check_covariates
from nextlmm.cohort.formula import CovariateFormula, parse_formula
from nextlmm.cohort.table import SampleColumns, read_sample_list, read_sample_table
from nextlmm.errors import NextlmmError
from nextlmm.genotype.preview import Preview
from nextlmm.linalg.threads import available_cores
from nextlmm.output.publication import check_writable
from nextlmm.progress import Silent
from nextlmm.report.check import describe_check
from nextlmm.report.summary import plain_lines
from nextlmm.run.forecast import (
    Looked,
    RunPlan,
    cohorts_of,
    files_of,
    plan_of,
    preview_related,
    preview_tested,
)
from nextlmm.run.inputs import related_choice, tested_filter
from nextlmm.run.oddities import (
    odd_samples,
    odd_sharing,
    odd_trait,
    odd_variants,
    repeated_rows,
)
from nextlmm.run.option_checks import split_names
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import Inputs, read_given, read_kin

_Value = TypeVar("_Value")
_CROWDED = 0.5  # of the free space, which results may fill without a word


@dataclass(frozen=True, eq=False)
class CheckReport:
    """What a check of the inputs of a run has found.

    Attributes
    ----------
    command : the run that was checked.
    errors : sentences about what the run would be refused for.
    warnings : sentences about what it would do and may not be meant.
    plan : what it would do and cost; None if there are errors.
    """

    command: str
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    plan: RunPlan | None

    @property
    def is_ok(self) -> bool:
        """Whether nothing stands in the way of the run."""
        return not self.errors

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "command": self.command,
            "errors": list(self.errors),
            "warnings": list(self.warnings),
            "plan": None if self.plan is None else dict(self.plan.document),
        }

    def __repr__(self) -> str:
        return "\n".join(plain_lines(describe_check(self.document)))


def check(options: GwasOptions) -> CheckReport:
    """Look for everything that is wrong or odd with the inputs of a run; nothing is computed.

    All tables are read; of the genotypes headers, sizes, and a sample of variants where all of
    them would take long.  A problem does not end the check: what does not depend on it is looked
    at too.

    Parameters
    ----------
    options : of `nextlmm.gwas`.

    Cost: some seconds.
    """
    with threadpool_limits(options.threads):
        found = _Found()
        tables = _read(options, found)
        cohorts = _cohorts(tables, options, found)
        plan = _plan(tables, cohorts, options, found)
    warnings = () if plan is None else _of_plan(plan)
    return CheckReport(
        options.to_command(),
        tuple(dict.fromkeys(found.errors)),
        tuple(dict.fromkeys([*found.warnings, *warnings])),
        None if found.errors else plan,
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """Problems so far."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Note an error of the block and go on after it."""
        try:
            yield
        except NextlmmError as error:
            self.errors.append(f"{str(error).rstrip('.')} [{error.code}]")

    def tried(self, action: Callable[[], _Value]) -> _Value | None:
        """What an action returns; None if it fails, which is noted."""
        try:
            return action()
        except NextlmmError as error:
            self.errors.append(f"{str(error).rstrip('.')} [{error.code}]")
            return None


@dataclass(frozen=True, eq=False)
class _Tables:
    """What could be read; None what could not, or was not asked for."""

    preview: Preview | None
    related: Preview | None
    traits: SampleColumns | None
    covariates: SampleColumns | None
    formula: CovariateFormula | None
    lists: Mapping[str, SampleColumns | None]
    inputs: Inputs | None


def _read(options: GwasOptions, found: _Found) -> _Tables:
    """Read every file, and note each that cannot be read."""
    before = len(found.errors)
    formula = options.covar_formula
    parsed = None if formula is None else found.tried(lambda: parse_formula(formula))
    traits = found.tried(lambda: read_sample_table(options.pheno))
    covar = options.covar
    covariates = None if covar is None else found.tried(lambda: read_sample_table(covar))
    lists = {
        name: None if path is None else found.tried(partial(read_sample_list, path))
        for name, path in (("keep", options.keep), ("remove", options.remove))
    }
    preview = found.tried(lambda: preview_tested(options))
    related = found.tried(lambda: preview_related(options))
    limits = found.tried(lambda: tested_filter(options))
    kin = found.tried(lambda: read_kin(options))
    given = found.tried(lambda: read_given(options))
    inputs = None
    if len(found.errors) == before and preview and traits and limits:
        apart = None if related is None else related.source
        choice = found.tried(lambda: related_choice(options, limits, Silent(), apart))
        if choice is not None:
            inputs = Inputs(
                source=preview.source,
                advice=(),
                traits=traits,
                covariates=covariates,
                formula=parsed,
                keep=lists["keep"],
                remove=lists["remove"],
                variant_filter=limits,
                related=choice,
                kin=kin,
                given=given,
            )
    return _Tables(preview, related, traits, covariates, parsed, lists, inputs)


def _cohorts(tables: _Tables, options: GwasOptions, found: _Found) -> list[Cohort]:
    """The samples of each trait, as far as there are no errors; oddities on the way."""
    _note_tables(tables, options, found)
    traits = tables.traits
    if traits is None:
        return []
    names = found.tried(lambda: split_names("trait", options.trait, traits.columns))
    if names is None:
        return []
    if tables.preview is None:
        for name in names or (None,):
            found.tried(partial(choose_trait, traits, name))
        return []
    alone = [
        found.tried(partial(_without_covariates, tables, options, name))
        for name in names or (None,)
    ]
    for cohort in alone:
        if cohort is not None:
            found.warnings.extend([*cohort.warnings, *odd_trait(cohort)])
    before = len(found.errors)
    if tables.covariates is not None:
        _check_each_covariate(tables, options, found)
    if tables.inputs is None or None in alone or len(found.errors) > before:
        return []
    inputs = tables.inputs
    return found.tried(lambda: cohorts_of(inputs, options)) or []


def _note_tables(tables: _Tables, options: GwasOptions, found: _Found) -> None:
    """What is odd with the tables, each by itself and beside the genotypes."""
    named = [tables.traits, tables.covariates]
    for table in named:
        if table is not None:
            found.errors.extend(repeated_rows(table))
    if tables.preview is None:
        return
    found.warnings.extend(odd_samples(tables.preview.source.samples))
    found.warnings.extend(odd_variants(tables.preview))
    for table in (*named, *tables.lists.values()):
        if table is not None:
            found.warnings.extend(odd_sharing(tables.preview.source.samples, table))
    cores = available_cores()
    if options.threads is not None and options.threads > cores:
        found.warnings.append(
            f"option threads is {options.threads} and this process may use {cores} cores; more "
            "threads than cores are slower"
        )


def _without_covariates(tables: _Tables, options: GwasOptions, name: str | None) -> Cohort:
    assert tables.preview is not None and tables.traits is not None  # noqa: S101, PT018
    return align(
        tables.preview.source.samples,
        tables.traits,
        name,
        rank_normal_trait=options.rint,
        keep=tables.lists["keep"],
        remove=tables.lists["remove"],
    )


def _check_each_covariate(tables: _Tables, options: GwasOptions, found: _Found) -> None:
    """Note what is wrong with each covariate by itself, and with all of them together."""
    table, preview = tables.covariates, tables.preview
    assert table is not None and preview is not None  # noqa: S101, PT018
    if options.covar_formula is not None and tables.formula is None:
        return
    samples = preview.source.samples
    everyone = np.ones(len(samples), dtype=bool)

    def chosen() -> tuple[tuple[str, ...], list[bool]]:
        named = split_names("covar_name", options.covar_name, table.columns)
        categorical = split_names("cat_covar", options.cat_covar, table.columns)
        names = choose_covariates(table, named or None, categorical, tables.formula)
        if tables.formula is not None:
            return names, list(tables.formula.is_category)
        return names, [name in categorical for name in names]

    choice = found.tried(chosen)
    if choice is None:
        return
    names, are_categories = choice
    before = len(found.errors)
    for name, is_category in zip(names, are_categories, strict=True):
        with found.collecting():
            read_columns(samples, table, [name], "covariate", everyone, [is_category])
    if len(found.errors) > before:
        return
    with found.collecting():
        x = read_columns(samples, table, names, "covariate", everyone, are_categories)
        known = np.flatnonzero(x.is_present & ~has_missing(x))
        if len(known):
            columns, fitted, _ = expanded(x, known, names, tables.formula, samples.sample_id)
            check_covariates(columns, fitted, x.path)


def _plan(
    tables: _Tables, cohorts: Sequence[Cohort], options: GwasOptions, found: _Found
) -> RunPlan | None:
    """What the run would do, if it can be carried out; whether its files can be written."""
    if tables.inputs is None or tables.preview is None or not cohorts:
        _check_folder(options, found)
        return None
    looked = Looked(tables.preview, tables.related, tables.inputs)
    files = found.tried(lambda: files_of(looked, cohorts, options))
    old = [path for path in files or () if path.exists()]
    if old:
        found.warnings.append(
            f"{len(old)} of the {len(files or ())} files of the run exist already and will be "
            f"replaced, {old[0]} among them"
        )
    if files is None:
        return None
    plan = found.tried(lambda: plan_of(looked, options, cohorts))
    if plan is None:
        return None
    free = plan.document["limits"]["disk_free_bytes"]
    if free is not None and plan.disk_bytes > free:
        found.errors.append(
            f"the results take about {plan.disk_bytes / 1e9:.2g} GB, but the folder of "
            f"{options.out} has {free / 1e9:.2g} GB of free space; free some or choose another "
            "--out"
        )
    elif free is not None and plan.disk_bytes > _CROWDED * free:
        found.warnings.append(
            f"the results take about {plan.disk_bytes / 1e9:.2g} GB of the {free / 1e9:.2g} GB "
            f"that are free in the folder of {options.out}"
        )
    return plan


def _check_folder(options: GwasOptions, found: _Found) -> None:
    """Whether anything can be written where the results go."""
    found.tried(lambda: check_writable([Path(f"{options.out}.json")]))


def _of_plan(plan: RunPlan) -> list[str]:
    """The warnings of all traits of a plan."""
    return [text for trait in plan.document["traits"].values() for text in trait["warnings"]]
