"""From files to null models: what the commands that test nothing have in common."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from nextlmm.cluster.connect import on_cluster
from nextlmm.cohort.align import Cohort
from nextlmm.linalg.threads import available_threads
from nextlmm.output.document import write_document
from nextlmm.output.names import refuse_inputs, trait_files
from nextlmm.output.pandas_frame import pandas_frame
from nextlmm.output.provenance import describe_run, hashing, stamps_of
from nextlmm.output.publication import Publication, check_writable
from nextlmm.output.table import write_plain_table, write_table
from nextlmm.progress import Progress, Silent
from nextlmm.report.notebook import null_cards
from nextlmm.run.facts import model_facts, run_facts
from nextlmm.run.model import Model
from nextlmm.run.null import NullFindings, find_null
from nextlmm.run.null_options import H2Options
from nextlmm.run.option_checks import split_names
from nextlmm.run.pipeline import (
    Inputs,
    cohort_of,
    input_paths,
    named_paths,
    prepare,
    read_inputs,
    with_same_samples,
)
from nextlmm.run.problem import Problem
from nextlmm.run.timing import Stopwatch, peak_memory_bytes, seconds_by_stage, work_facts


@dataclass(frozen=True, eq=False)
class NullRun:
    """Null models as they were written.

    ``document`` is the content of the document, ``table`` a row for each trait, ``tables`` further
    tables of each trait by kind, ``files`` all paths, the document last.
    """

    document: Mapping[str, Any]
    table: pl.DataFrame
    tables: Mapping[str, Mapping[str, pl.DataFrame]]
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        found = ", ".join(
            f"{trait}: h2 = {h2:.4f}" for trait, h2 in self.table.select("trait", "h2").iter_rows()
        )
        return f"NullRun({found}; {self.files[-1]})"

    def _repr_html_(self) -> str:
        return null_cards(self.document)

    def to_pandas(self) -> Any:
        """Return ``table`` as a data frame of pandas; see ``nextlmm.output.pandas_frame``."""
        return pandas_frame(self.table)


@dataclass(frozen=True, eq=False)
class FittedTrait:
    """The null model of one trait, and what it is of."""

    inputs: Inputs
    cohort: Cohort
    problem: Problem
    model: Model
    findings: NullFindings
    watch: Stopwatch


@dataclass(frozen=True, eq=False)
class Further:
    """What a command makes of a null model: tables by kind, facts, and numbers for its row."""

    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Task:
    """What a command does with null models.

    Attributes
    ----------
    suffixes : the ends of the names of a trait's tables, by kind.
    further : what it makes of a null model.
    """

    suffixes: Mapping[str, str]
    further: Callable[[FittedTrait, Progress], Further]


@dataclass(frozen=True, eq=False)
class _Job:
    """What was read, and where everything goes."""

    inputs: Inputs
    cohorts: Sequence[Cohort]
    paths: Mapping[str, str]
    table: Path
    document: Path
    traits: Mapping[str, Mapping[str, Path]]

    @property
    def files(self) -> tuple[Path, ...]:
        """Every path, the document last."""
        own = (path for kinds in self.traits.values() for path in kinds.values())
        return (*own, self.table, self.document)


def run_null(
    options: H2Options, task: Task, progress: Progress | None, begin: float | None
) -> NullRun:
    """Fit the null model of every trait and write what there is to say.

    Parameters
    ----------
    options : of the command.
    task : what the command does with the null models.
    progress, begin : as for `nextlmm.run.pipeline.gwas`.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if the run cannot be carried out; then no file is
        left under a final name.
    """
    watch, started, listener = Stopwatch(begin), datetime.now(UTC), progress or Silent()
    with threadpool_limits(options.threads):
        before = stamps_of(named_paths(options).values())
        with watch.stage("reading tables"):
            job = _read(options, task, listener)
        threads = options.threads or available_threads()
        with (
            hashing(job.paths, before) as hashes,
            on_cluster(options.cluster, threads, listener) as cluster,
        ):
            found = {
                fitted.cohort.trait: (fitted, task.further(fitted, listener))
                for fitted in _fitted_traits(job, options, listener)
            }
            found = {cohort.trait: found[cohort.trait] for cohort in job.cohorts}
            with watch.stage("hashing inputs"):
                hashed = hashes.result()
            shared = {} if cluster is None else {"cluster": cluster.facts()}
        document = describe_run(
            command=options.to_command(),
            options=options.to_dict(),
            inputs=hashed,
            threads=threads,
            started=started,
            has_results=False,
        )
        document |= run_facts(job.inputs.source, job.cohorts)
        document |= {"advice": list(job.inputs.advice)} | shared
        return _publish(job, found, document, options, watch)


def _read(options: H2Options, task: Task, listener: Progress) -> _Job:
    """Read all tables, and refuse what cannot be written before any work."""
    inputs = read_inputs(options, listener)
    traits = split_names("trait", options.trait, inputs.traits.columns)
    cohorts = [cohort_of(inputs, options, name) for name in traits or (None,)]
    stem = f"{options.out}.{options.command}"
    job = _Job(
        inputs=inputs,
        cohorts=cohorts,
        paths=input_paths(options, inputs),
        table=Path(f"{stem}.tsv"),
        document=Path(f"{stem}.json"),
        traits=trait_files(options.out, [cohort.trait for cohort in cohorts], task.suffixes),
    )
    refuse_inputs(job.files, job.paths.values())
    check_writable(job.files)
    return job


def _fitted_traits(job: _Job, options: H2Options, listener: Progress) -> Iterator[FittedTrait]:
    """The null model of each trait; traits of the same samples share work, and no number.

    The route is that of an analysis with LOCO where the genotypes make the matrix, as most are, so
    that h2 is the same to the last digit; nothing is left out here.
    """
    alone = Model.from_options(options)
    model = replace(alone, loco=job.inputs.given is None)
    for group in with_same_samples(job.cohorts):
        problem: Problem | None = None
        for cohort in group:
            watch = Stopwatch()
            with watch.stage("variant summary"):
                problem = problem or prepare(job.inputs, group, alone, listener)[1]
            own = problem.for_trait(cohort)
            findings = find_null(own, model, listener, watch)
            yield FittedTrait(job.inputs, cohort, own, model, findings, watch)


def _publish(
    job: _Job,
    found: Mapping[str, tuple[FittedTrait, Further]],
    document: dict[str, Any],
    options: H2Options,
    watch: Stopwatch,
) -> NullRun:
    """Write everything, the document last."""
    rows = [_row(fitted) | dict(made.row) for fitted, made in found.values()]
    table = pl.DataFrame(rows, infer_schema_length=None)
    table = table.with_columns(pl.col(pl.Null).cast(pl.Float64))
    with Publication() as publication:
        with watch.stage("writing results"):
            for trait, (_, made) in found.items():
                for kind, frame in made.tables.items():
                    path = job.traits[trait][kind]
                    write = write_table if path.suffix == ".gz" else write_plain_table
                    publication.write(path, partial(write, frame))
            publication.write(job.table, partial(write_plain_table, table))
        document["traits"] = {
            trait: _facts(fitted, made, options, job.traits[trait])
            for trait, (fitted, made) in found.items()
        }
        document |= {
            "seconds": watch.elapsed(),
            "work": work_facts(watch.stages()),
            "peak_memory_bytes": peak_memory_bytes(),
            "files": {"table": str(job.table), "document": str(job.document)},
        }
        publication.write(job.document, partial(write_document, document))
    tables = {trait: made.tables for trait, (_, made) in found.items()}
    return NullRun(document, table, tables, job.files)


def _row(fitted: FittedTrait) -> dict[str, Any]:
    """The row of a trait in the table."""
    null, problem = fitted.findings.null, fitted.problem
    low, high = null.h2_interval or (None, None)
    return {
        "trait": fitted.cohort.trait,
        "n": null.n,
        "n_variants": problem.n_related if problem.given is None else None,
        "method": null.method,
        "h2": null.h2,
        "h2_se": null.h2_se,
        "h2_low": low,
        "h2_high": high,
        "sigma_g2": null.sigma_g2,
        "sigma_e2": null.sigma_e2,
        "log_likelihood": null.log_likelihood,
        "h2_monte_carlo_error": fitted.findings.accuracy["h2_monte_carlo_error"],
    }


def _facts(
    fitted: FittedTrait, made: Further, options: H2Options, files: Mapping[str, Path]
) -> dict[str, Any]:
    """The entry of a trait under "traits"."""
    cohort, problem, findings = fitted.cohort, fitted.problem, fitted.findings
    warnings = (
        *(*options.without_effect, *cohort.warnings, *problem.warnings),
        *(*findings.null.warnings, *findings.warnings),
    )
    matrix = problem.related.describe()
    if problem.given is not None:
        given = options.grm or options.pedigree
        matrix = {"given": given, "chromosomes": list(problem.given_chromosomes)}
    work = fitted.watch.stages()
    return {
        **model_facts(cohort, findings.null, options),
        "variants": {"in_relationship_matrix": problem.n_related if problem.given is None else 0},
        "relationship_matrix": matrix,
        "certificate": findings.accuracy,
        **made.facts,
        "timings": seconds_by_stage(work),
        "work": work_facts(work),
        "files": {kind: str(path) for kind, path in files.items()},
        "warnings": list(warnings),
    }
