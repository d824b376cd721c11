"""The main job: from genotype and trait files to tables, plots, log and document."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from nextlmm.cluster.connect import on_cluster
from nextlmm.cohort.align import NOT_RELATED, Cohort, align
from nextlmm.cohort.formula import CovariateFormula, parse_formula
from nextlmm.cohort.match import match_rows
from nextlmm.cohort.pedigree import Pedigree
from nextlmm.cohort.relatives import KinshipList, read_order, read_relatives
from nextlmm.cohort.table import SampleColumns, read_sample_list, read_sample_table
from nextlmm.errors import UsageError
from nextlmm.genotype.filters import VariantFilter, VariantSelection
from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.kinds import kind_of
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.threads import available_threads
from nextlmm.output.names import RunFiles, run_files
from nextlmm.output.pandas_frame import pandas_frame
from nextlmm.output.provenance import Stamps, describe_run, hashing, stamps_of
from nextlmm.output.publication import Publication, check_writable
from nextlmm.output.tabix import is_within_reach
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.grm_files import Relationships, is_of_pairs, read_relationships
from nextlmm.relatedness.grm_pattern import is_pattern
from nextlmm.relatedness.grm_set import ChromosomeSums, RelationshipSet, open_relationship_set
from nextlmm.relatedness.numerator import read_pedigree
from nextlmm.report.notebook import run_cards
from nextlmm.report.page import page_payloads
from nextlmm.report.write import publish_document, publish_tables
from nextlmm.run.advice import reading_advice
from nextlmm.run.analysis import analyse, in_genome_order
from nextlmm.run.checkpoint import checkpoint_of
from nextlmm.run.chosen_trait import chosen_trait
from nextlmm.run.cost import check_memory
from nextlmm.run.exact.route import allowed_bytes, check_square
from nextlmm.run.facts import TraitResult, run_facts, trait_facts
from nextlmm.run.inputs import open_source, related_choice, tested_filter
from nextlmm.run.kept import Kept
from nextlmm.run.model import Model
from nextlmm.run.option_checks import split_names
from nextlmm.run.options import GwasOptions
from nextlmm.run.portrait import portray
from nextlmm.run.problem import Problem, Relating, make_problem
from nextlmm.run.related import RelatedChoice, select
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

    def _repr_html_(self) -> str:
        return run_cards(self.document)

    def to_pandas(self, trait: str | None = None) -> Any:
        """Return the table of a trait, the only one unless named, as a data frame of pandas.

        Raises
        ------
        UsageError
            If there is no such trait, several and none is named, or pandas is not installed.
        """
        return pandas_frame(self.tables[chosen_trait(self.tables, trait)])


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything read from files; genotypes are read when asked for."""

    source: GenotypeSource
    advice: tuple[str, ...]
    traits: SampleColumns
    covariates: SampleColumns | None
    formula: CovariateFormula | None
    keep: SampleColumns | None
    remove: SampleColumns | None
    variant_filter: VariantFilter
    related: RelatedChoice
    kin: SampleColumns | Pedigree | KinshipList | None
    given: Relationships | RelationshipSet | None


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
    if options.part is not None:
        raise UsageError(
            f"Option part is {options.part!r}, but nextlmm.gwas does the whole of a run; a part is "
            "done by nextlmm.gwas_part."
        )
    watch, started, listener = Stopwatch(begin), datetime.now(UTC), progress or Silent()
    threads = options.threads or available_threads()
    with threadpool_limits(options.threads):
        with watch.stage("reading tables"):
            job = read_job(options, listener)
        inputs, cohorts = job.inputs, job.cohorts
        with (
            hashing(job.paths, job.before) as hashes,
            checkpoint_of(options, threads, job.paths, hashes) as checkpoint,
            on_cluster(options.cluster, threads, progress) as cluster,
        ):
            results = run_traits(inputs, cohorts, options, listener, Kept(checkpoint))
            with watch.stage("hashing inputs"):  # what the analysis was too quick for
                hashed = hashes.result()
            checkpoint.check_inputs(hashed)
            document = describe_run(
                command=options.to_command(),
                options=options.to_dict(),
                inputs=hashed,
                threads=threads,
                started=started,
            )
            document |= run_facts(inputs.source, cohorts) | {"advice": list(inputs.advice)}
            document |= checkpoint.describe()
            document |= {} if cluster is None else {"cluster": cluster.facts()}
            document = _publish(results, document, options, job.files, watch=watch, threads=threads)
    tables = {name: result.analysis.table for name, result in results.items()}
    return GwasRun(document, tables, job.files)


@dataclass(frozen=True, eq=False)
class Job:
    """What was read, the samples of each trait, every input by its role, and the files to come.

    ``before`` are the stamps of the input files before they were read.
    """

    before: Stamps
    inputs: Inputs
    cohorts: Sequence[Cohort]
    paths: Mapping[str, str]
    files: RunFiles


def read_job(options: GwasOptions, listener: Progress) -> Job:
    """Read all tables, and refuse what cannot be written before any work."""
    before = stamps_of(named_paths(options).values())
    inputs = read_inputs(options, listener)
    traits = split_names("trait", options.trait, inputs.traits.columns)
    cohorts = [cohort_of(inputs, options, name) for name in traits or (None,)]
    paths = input_paths(options, inputs)
    files = run_files(
        options.out,
        [cohort.trait for cohort in cohorts],
        formats=options.out_format,
        index=is_within_reach(inputs.source.variants.position_bp),
        plots=options.plots,
        plot_formats=options.plot_format,
        report=options.report,
        inputs=paths.values(),
    )
    check_writable(files.paths())
    return Job(before, inputs, cohorts, paths, files)


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
            publish_tables(publication, tables, traits, files, about=header, threads=threads)
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


def read_inputs(
    options: GwasOptions,
    listener: Progress,
    *,
    opened: tuple[GenotypeSource, GenotypeSource | None] | None = None,
) -> Inputs:
    """Read every file of a run but the genotypes, which are opened.

    ``opened`` are those to test and those of the relationship matrix, if they are at hand.
    """
    # Genotypes may take minutes to read: what is quick to refuse is refused before.
    formula = None if options.covar_formula is None else parse_formula(options.covar_formula)
    traits = read_sample_table(options.pheno)
    covariates = read_sample_table(options.covar) if options.covar else None
    variant_filter = tested_filter(options)
    begin = time.perf_counter()
    source = open_source(options, listener) if opened is None else opened[0]
    apart = None if opened is None else opened[1]
    return Inputs(
        source=source,
        advice=_advice(options, source, time.perf_counter() - begin),
        traits=traits,
        covariates=covariates,
        formula=formula,
        keep=read_sample_list(options.keep) if options.keep else None,
        remove=read_sample_list(options.remove) if options.remove else None,
        variant_filter=variant_filter,
        related=related_choice(options, variant_filter, listener, apart),
        kin=read_kin(options),
        given=read_given(options),
    )


def _advice(options: GwasOptions, source: GenotypeSource, seconds: float) -> tuple[str, ...]:
    path, kind = options.genotypes
    return reading_advice(
        path,
        kind or kind_of(path),
        seconds,
        field=options.vcf_field,
        has_dosages=not isinstance(source, PackedSource),
    )


def read_given(options: GwasOptions) -> Relationships | RelationshipSet | None:
    """The relationships that the user gives in place of those of the genotypes."""
    if options.pedigree is not None:
        return read_pedigree(options.pedigree)
    if options.grm is None:
        return None
    if is_pattern(options.grm):
        return open_relationship_set(options.grm)
    held_bytes = allowed_bytes(options.memory)
    return read_relationships(options.grm, options.grm_id, held_bytes=held_bytes)


def read_kin(options: GwasOptions) -> SampleColumns | Pedigree | KinshipList | None:
    """What the user says of the order of the samples."""
    if options.order is not None:
        return read_order(options.order)
    return None if options.relatives is None else read_relatives(options.relatives)


def cohort_of(inputs: Inputs, options: GwasOptions, trait: str | None) -> Cohort:
    """The samples of a trait, of the only one if it is not named."""
    cohort = align(
        inputs.source.samples,
        inputs.traits,
        trait,
        covariates=inputs.covariates,
        covariate_names=_covariates(inputs, "covar_name", options.covar_name) or None,
        categorical=_covariates(inputs, "cat_covar", options.cat_covar),
        formula=inputs.formula,
        rank_normal_trait=options.rint,
        keep=inputs.keep,
        remove=inputs.remove,
        related=inputs.related.samples if inputs.given is None else inputs.given.samples,
    )
    hints = () if inputs.given is None else inputs.given.warnings
    if NOT_RELATED in cohort.exclusions and options.grm_id is None and is_of_pairs(options.grm):
        left_out = cohort.exclusions[NOT_RELATED]
        hints += (
            f"{options.grm} names no pair of {left_out:,} of the samples, which are left out: if "
            "they are related to nobody, list all samples by --grm-id",
        )
    return replace(cohort, warnings=(*cohort.warnings, *hints))


def _covariates(inputs: Inputs, option: str, given: Sequence[str]) -> tuple[str, ...]:
    """The covariates that an option names, none where there is no file of them."""
    columns = () if inputs.covariates is None else inputs.covariates.columns
    return split_names(option, given, columns)


def run_traits(
    inputs: Inputs,
    cohorts: Sequence[Cohort],
    options: GwasOptions,
    listener: Progress,
    kept: Kept,
) -> dict[str, TraitResult]:
    """Analyse each trait as if it were the only one; traits of the same samples share work.

    A part of a run has no results but what it has kept.
    """
    model, results = Model.from_options(options), {}
    for group in with_same_samples(cohorts):
        prepared: tuple[VariantSelection, Problem] | None = None
        for cohort in group:
            watch = Stopwatch()
            with watch.stage("variant summary"):
                prepared = prepared or prepare(inputs, group, model, listener)
                selection, problem = prepared
            own = problem.keeping(kept).for_trait(cohort)
            with kept.others_aside():
                analysis = in_genome_order(analyse(own, model, progress=listener, watch=watch))
            if kept.part is not None:
                continue
            portrait = portray(own, cohort, model, analysis, watch) if options.report else None
            results[cohort.trait] = TraitResult(
                cohort,
                selection,
                problem.related,
                replace(analysis, work=watch.stages()),
                problem.given_chromosomes,
                portrait,
            )
    return {cohort.trait: results[cohort.trait] for cohort in cohorts if cohort.trait in results}


def with_same_samples(cohorts: Sequence[Cohort]) -> list[list[Cohort]]:
    """The cohorts in groups whose samples, analysed and kept, are the same."""
    groups: dict[tuple[bytes, bytes], list[Cohort]] = {}
    for cohort in cohorts:
        key = cohort.analysed.tobytes(), cohort.kept.tobytes()
        groups.setdefault(key, []).append(cohort)
    return list(groups.values())


def prepare(
    inputs: Inputs, cohorts: Sequence[Cohort], model: Model, listener: Progress
) -> tuple[VariantSelection, Problem]:
    """The variants, and all that is to be solved, for the samples that all these cohorts have."""
    source, cohort = inputs.source, cohorts[0]
    summary = summarise_variants(source, cohort.analysed, progress=listener)
    count(genotypes=len(cohort) * len(source.variants))
    selection = select(source, cohort.analysed, summary, inputs.variant_filter)
    related = inputs.related.relate(
        source, cohort, selection, summary, model.grm_weighting, progress=listener
    )
    problem = make_problem(
        source,
        cohort,
        selection,
        summary,
        Relating(model.grm_weighting, model.loco),
        related=related,
        given=_given(inputs, cohort, model),
        kin=inputs.kin,
    )
    check_memory(problem, model)
    return selection, problem.before_traits(cohorts)


def _given(inputs: Inputs, cohort: Cohort, model: Model) -> FloatArray | ChromosomeSums | None:
    """The given relationships of the analysed samples, in their order."""
    if inputs.given is None:
        return None
    check_square(inputs.given.path, len(cohort), model.memory)
    is_analysed = np.zeros(len(inputs.source.samples), dtype=bool)
    is_analysed[cohort.analysed] = True
    match = match_rows(inputs.source.samples, inputs.given.samples, is_analysed)
    rows = match.row[cohort.analysed]
    if isinstance(inputs.given, RelationshipSet):
        return inputs.given.of(rows)
    return inputs.given.among(rows)


def named_paths(options: GwasOptions) -> dict[str, str]:
    """The tables and lists that options name, by role."""
    named = {name: getattr(options, name) for name in _INPUTS}
    return {name: path for name, path in named.items() if path is not None}


def input_paths(options: GwasOptions, inputs: Inputs) -> dict[str, str]:
    """Every input file by role, for the record and so that none is overwritten."""
    chosen = named_paths(options)
    given = {} if inputs.given is None else inputs.given.files
    related = {} if inputs.related.source is None else inputs.related.source.files
    apart = {f"grm_{role}": path for role, path in related.items()}
    return {**inputs.source.files, **apart, **given, **chosen}
