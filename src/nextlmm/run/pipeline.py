"""The main job: from genotype and trait files to tables, plots, log and document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from nextlmm.cohort.align import Cohort, align
from nextlmm.cohort.match import match_rows
from nextlmm.cohort.relatives import KinshipList, Pedigree, read_order, read_relatives
from nextlmm.cohort.table import SampleColumns, read_sample_list, read_sample_table
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.equilibrium import equilibrium_log_p
from nextlmm.genotype.filters import (
    VariantFilter,
    VariantSelection,
    read_id_list,
    select_variants,
)
from nextlmm.genotype.source import GenotypeSource, open_genotypes
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.threads import available_threads
from nextlmm.output.names import RunFiles, run_files
from nextlmm.output.provenance import describe_run, hashing
from nextlmm.output.publication import Publication, check_writable
from nextlmm.output.tabix import is_indexable
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.grm_files import GivenRelationships, read_relationships
from nextlmm.report.page import page_payloads
from nextlmm.report.write import publish_document, publish_tables
from nextlmm.run.analysis import analyse
from nextlmm.run.exact.route import allowed_bytes
from nextlmm.run.facts import TraitResult, run_facts, trait_facts
from nextlmm.run.model import Model
from nextlmm.run.option_checks import chosen_chromosomes, split_names
from nextlmm.run.options import GwasOptions
from nextlmm.run.portrait import portray
from nextlmm.run.problem import Problem, Relating, make_problem
from nextlmm.run.timing import Stopwatch, peak_memory_bytes, work_facts
from nextlmm.work import count

_INPUTS = (
    "pheno",
    "covar",
    "keep",
    "remove",
    "extract",
    "exclude",
    "grm_extract",
    "order",
    "relatives",
)


@dataclass(frozen=True, eq=False)
class GwasRun:
    """The results of a run, as they were written.

    ``document`` is the content of OUT.json, ``tables`` the result table of each trait, ``files``
    the paths.
    """

    document: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame]
    files: RunFiles

    def __repr__(self) -> str:
        traits = ", ".join(self.tables)
        return f"GwasRun({traits}: {self.files.document}, seconds = {self.document['seconds']:.2f})"


@dataclass(frozen=True, eq=False)
class _Inputs:
    """Everything read from files; genotypes are read when asked for."""

    source: GenotypeSource
    traits: SampleColumns
    covariates: SampleColumns | None
    keep: SampleColumns | None
    remove: SampleColumns | None
    variant_filter: VariantFilter
    related_filter: VariantFilter | None
    kin: SampleColumns | Pedigree | KinshipList | None
    given: GivenRelationships | None


def gwas(
    options: GwasOptions, progress: Progress | None = None, *, begin: float | None = None
) -> GwasRun:
    """Run an association study from files to files.

    Parameters
    ----------
    options : what to analyse, how, and where the results go.
    progress : told how far the run is.
    begin : what ``time.perf_counter`` said when the program began, where its start is a part of
        the run; now unless given.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if the run cannot be carried out; then no file is
        left under a final name.
    """
    watch, started = Stopwatch(begin), datetime.now(UTC)
    threads = options.threads or available_threads()
    with threadpool_limits(options.threads):
        with watch.stage("reading tables"):
            inputs = _read_inputs(options, progress or Silent())
            traits = split_names("trait", options.trait, inputs.traits.columns)
            cohorts = [_align(inputs, options, name) for name in traits or (None,)]
            paths = _input_paths(options, inputs)
            variants = inputs.source.variants
            files = run_files(
                options.out,
                [cohort.trait for cohort in cohorts],
                formats=options.out_format,
                index=is_indexable(variants.chromosome, variants.position_bp),
                plots=options.plots,
                plot_formats=options.plot_format,
                report=options.report,
                inputs=paths.values(),
            )
            check_writable(files.paths())
        with hashing(paths) as hashes:
            results = _run_traits(inputs, cohorts, options, progress or Silent())
            with watch.stage("hashing inputs"):  # what the analysis was too quick for
                hashed = hashes.result()
        document = describe_run(
            command=options.to_command(),
            options=options.to_dict(),
            inputs=hashed,
            threads=threads,
            started=started,
        )
        document |= run_facts(inputs.source, cohorts)
        document = _publish(results, document, options, files, watch=watch, threads=threads)
    tables = {name: result.analysis.table for name, result in results.items()}
    return GwasRun(document, tables, files)


def _publish(
    results: Mapping[str, TraitResult],
    header: Mapping[str, Any],
    options: GwasOptions,
    files: RunFiles,
    *,
    watch: Stopwatch,
    threads: int,
) -> dict[str, Any]:
    """Write all files of a run and return its document, which begins with ``header``."""
    tables = {name: result.analysis.table for name, result in results.items()}
    with Publication() as publication:
        with watch.stage("writing results"):
            traits = {name: trait_facts(result, options, files) for name, result in results.items()}
            publish_tables(publication, tables, traits, files, threads=threads)
        payloads = None
        if files.report is not None:
            with watch.stage("report"):
                payloads = page_payloads(tables, traits)
        document = {
            **header,
            "traits": traits,
            "seconds": watch.elapsed(),
            "work": work_facts(watch.stages()),
            "peak_memory_bytes": peak_memory_bytes(),
            "files": {
                **({} if files.report is None else {"report": str(files.report)}),
                "log": str(files.log),
                "document": str(files.document),
            },
        }
        publish_document(publication, document, files, payloads)
    return document


def _read_inputs(options: GwasOptions, listener: Progress) -> _Inputs:
    variant_filter = VariantFilter(
        maf=options.maf,
        mac=options.mac,
        max_missing=options.max_missing,
        hwe=options.hwe,
        chromosomes=_chromosomes(options),
        extract=read_id_list(options.extract) if options.extract else None,
        exclude=read_id_list(options.exclude) if options.exclude else None,
    )
    return _Inputs(
        source=_open(options, listener),
        traits=read_sample_table(options.pheno),
        covariates=read_sample_table(options.covar) if options.covar else None,
        keep=read_sample_list(options.keep) if options.keep else None,
        remove=read_sample_list(options.remove) if options.remove else None,
        variant_filter=variant_filter,
        related_filter=_related_filter(options, variant_filter),
        kin=_read_kin(options),
        given=read_relationships(options.grm, options.grm_id) if options.grm else None,
    )


def _open(options: GwasOptions, listener: Progress) -> GenotypeSource:
    path, kind = options.genotypes
    return open_genotypes(
        path,
        kind=kind,
        sample=options.sample,
        annotation=options.annotation,
        vcf_field=options.vcf_field,
        held_bytes=allowed_bytes(options.memory),
        progress=listener,
    )


def _chromosomes(options: GwasOptions) -> frozenset[str] | None:
    names = chosen_chromosomes(options.chr)
    return None if names is None else frozenset(map(chromosome_key, names))


def _related_filter(options: GwasOptions, tested: VariantFilter) -> VariantFilter | None:
    """What the variants of the relationship matrix must satisfy, None for those that are tested."""
    if options.grm_extract is None:
        return None
    return replace(
        tested,
        chromosomes=None,
        extract=read_id_list(options.grm_extract),
        exclude=None,
        purpose="the relationship matrix (--grm-extract)",
    )


def _read_kin(options: GwasOptions) -> SampleColumns | Pedigree | KinshipList | None:
    """What the user says of the order of the samples."""
    if options.order is not None:
        return read_order(options.order)
    return None if options.relatives is None else read_relatives(options.relatives)


def _align(inputs: _Inputs, options: GwasOptions, trait: str | None) -> Cohort:
    return align(
        inputs.source.samples,
        inputs.traits,
        trait,
        covariates=inputs.covariates,
        covariate_names=_covariates(inputs, "covar_name", options.covar_name) or None,
        categorical=_covariates(inputs, "cat_covar", options.cat_covar),
        rank_normal_trait=options.rint,
        keep=inputs.keep,
        remove=inputs.remove,
        related=None if inputs.given is None else inputs.given.samples,
    )


def _covariates(inputs: _Inputs, option: str, given: Sequence[str]) -> tuple[str, ...]:
    """The covariates that an option names, none where there is no file of them."""
    columns = () if inputs.covariates is None else inputs.covariates.columns
    return split_names(option, given, columns)


def _run_traits(
    inputs: _Inputs, cohorts: Sequence[Cohort], options: GwasOptions, listener: Progress
) -> dict[str, TraitResult]:
    """Analyse each trait as if it were the only one; traits of the same samples share work."""
    model, results = Model.from_options(options), {}
    for group in _with_same_samples(cohorts):
        prepared: tuple[VariantSelection, Problem] | None = None
        for cohort in group:
            watch = Stopwatch()
            with watch.stage("variant summary"):
                prepared = prepared or _prepare(inputs, cohort, model, listener)
                selection, problem = prepared
            own = problem.for_trait(cohort)
            analysis = analyse(own, model, progress=listener, watch=watch)
            portrait = portray(own, cohort, model, analysis, watch) if options.report else None
            results[cohort.trait] = TraitResult(
                cohort,
                selection,
                problem.n_related,
                replace(analysis, work=watch.stages()),
                portrait,
            )
    return {cohort.trait: results[cohort.trait] for cohort in cohorts}


def _with_same_samples(cohorts: Sequence[Cohort]) -> list[list[Cohort]]:
    """The cohorts in groups whose samples, analysed and kept, are the same."""
    groups: dict[tuple[bytes, bytes], list[Cohort]] = {}
    for cohort in cohorts:
        key = cohort.analysed.tobytes(), cohort.kept.tobytes()
        groups.setdefault(key, []).append(cohort)
    return list(groups.values())


def _prepare(
    inputs: _Inputs, cohort: Cohort, model: Model, listener: Progress
) -> tuple[VariantSelection, Problem]:
    """The variants, and all that is to be solved, for the samples of a cohort."""
    source = inputs.source
    summary = summarise_variants(source, cohort.analysed, progress=listener)
    count(genotypes=len(cohort) * len(source.variants))

    def selected(variant_filter: VariantFilter) -> VariantSelection:
        return select_variants(
            source.variants,
            summary,
            len(cohort),
            variant_filter,
            equilibrium=lambda variants: equilibrium_log_p(source, variants, cohort.analysed),
        )

    selection = selected(inputs.variant_filter)
    relating = Relating(model.grm_weighting, model.loco)
    related = selection.index
    if inputs.related_filter is not None:
        related = selected(inputs.related_filter).index
    problem = make_problem(
        source,
        cohort,
        selection,
        summary,
        relating,
        related=related,
        given=_given(inputs, cohort),
        kin=inputs.kin,
    )
    return selection, problem


def _given(inputs: _Inputs, cohort: Cohort) -> FloatArray | None:
    """The given relationships of the analysed samples, in their order."""
    if inputs.given is None:
        return None
    is_analysed = np.zeros(len(inputs.source.samples), dtype=bool)
    is_analysed[cohort.analysed] = True
    match = match_rows(inputs.source.samples, inputs.given.samples, is_analysed)
    rows = match.row[cohort.analysed]
    return np.asfortranarray(inputs.given.values[np.ix_(rows, rows)])


def _input_paths(options: GwasOptions, inputs: _Inputs) -> dict[str, str]:
    """Every input file by role, for the record and so that none is overwritten."""
    named = {name: getattr(options, name) for name in _INPUTS}
    chosen = {name: path for name, path in named.items() if path is not None}
    given = {} if inputs.given is None else inputs.given.files
    return {**inputs.source.files, **given, **chosen}
