"""What a run would do and cost, said without doing it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from nextlmm.cohort.align import Cohort
from nextlmm.genotype.kinds import kind_of
from nextlmm.genotype.preview import Preview, preview_genotypes
from nextlmm.linalg.threads import available_threads
from nextlmm.output.names import run_files, trait_files
from nextlmm.output.provenance import program_version
from nextlmm.output.publication import check_writable
from nextlmm.output.tabix import is_within_reach
from nextlmm.progress import Silent
from nextlmm.relatedness.loco import check_chromosomes
from nextlmm.report.forecast import describe_forecast
from nextlmm.report.summary import plain_lines
from nextlmm.run.cost import (
    START_UP_S,
    Writing,
    elapsed_seconds,
    expected_plan,
    reading_seconds,
    route_seconds,
    summary_seconds,
)
from nextlmm.run.exact.plan import Plan, Size, dense_cost
from nextlmm.run.exact.route import allowed_bytes, check_square, n_heritabilities
from nextlmm.run.facts import cohort_facts, run_facts, sample_facts
from nextlmm.run.limits import memory_limit
from nextlmm.run.model import Model
from nextlmm.run.null_options import H2Options, PredictOptions
from nextlmm.run.option_checks import split_names
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import Inputs, cohort_of, input_paths, read_inputs, with_same_samples
from nextlmm.run.speed import machine_speed
from nextlmm.run.submit import submit_lines
from nextlmm.run.variant_count import VariantCount, count_variants

_UNKNOWN_CHROMOSOMES = 22  # where only the first variants of a file were read


@dataclass(frozen=True, eq=False)
class RunPlan:
    """What a run would do and cost.

    Attributes
    ----------
    document : everything that is known, as JSON values.
    """

    document: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """Predicted wall-clock time."""
        return float(self.document["predicted"]["seconds"])

    @property
    def memory_bytes(self) -> float:
        """Predicted peak of memory."""
        return float(self.document["predicted"]["memory_bytes"])

    @property
    def disk_bytes(self) -> float:
        """Predicted size of all results."""
        return float(self.document["predicted"]["disk_bytes"])

    @property
    def routes(self) -> dict[str, str]:
        """Predicted route of each trait."""
        return {name: trait["route"] for name, trait in self.document["traits"].items()}

    def __repr__(self) -> str:
        return "\n".join(plain_lines(describe_forecast(self.document)))


@dataclass(frozen=True, eq=False)
class Looked:
    """What was read for a plan: all tables, and a part of the genotypes.

    ``related`` is the preview of genotypes of their own for the relationship matrix.
    """

    preview: Preview
    related: Preview | None
    inputs: Inputs


@dataclass(frozen=True, eq=False)
class _Expected:
    """A trait as it is expected to be analysed."""

    cohort: Cohort
    tested: VariantCount
    related: VariantCount
    plan: Plan


def plan(options: GwasOptions) -> RunPlan:
    """Say what a run with these options would do and what it would cost, and do nothing.

    The tables are read as the run reads them.  Of the genotypes a sample of variants is read where
    all of them would take long, and the counts are then estimates; so are all costs.

    Parameters
    ----------
    options : of `nextlmm.gwas`, `nextlmm.estimate_h2` or `nextlmm.predict`.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if what was read says that the run cannot be carried
        out, the memory that it may take included.

    Cost: some seconds.
    """
    with threadpool_limits(options.threads):
        looked = look(options)
        return plan_of(looked, options, cohorts_of(looked.inputs, options))


def look(options: GwasOptions) -> Looked:
    """Read all tables, and a part of the genotypes."""
    preview = preview_tested(options)
    related = preview_related(options)
    inputs = read_inputs(
        options, Silent(), opened=(preview.source, None if related is None else related.source)
    )
    return Looked(preview, related, inputs)


def preview_tested(options: GwasOptions) -> Preview:
    """A part of the genotypes that are tested."""
    path, kind = options.genotypes
    return preview_genotypes(
        path,
        kind=kind,
        sample=options.sample,
        annotation=options.annotation,
        vcf_field=options.vcf_field,
    )


def preview_related(options: GwasOptions) -> Preview | None:
    """A part of the genotypes that make the relationship matrix, if they are others."""
    if options.grm_bfile is None:
        return None
    return preview_genotypes(options.grm_bfile, vcf_field=options.vcf_field)


def cohorts_of(inputs: Inputs, options: GwasOptions) -> list[Cohort]:
    """The samples of every trait."""
    traits = split_names("trait", options.trait, inputs.traits.columns)
    return [cohort_of(inputs, options, name) for name in traits or (None,)]


def plan_of(looked: Looked, options: GwasOptions, cohorts: Sequence[Cohort]) -> RunPlan:
    """The plan of a run, from what has been read for it."""
    model = Model.from_options(options)
    if isinstance(options, H2Options):
        # The route is that of an analysis with LOCO, as in the run.
        model = replace(model, loco=looked.inputs.given is None)
    groups = [_expected(looked, group, options, model) for group in with_same_samples(cohorts)]
    threads = options.threads or available_threads()
    predicted = _predicted(looked, groups, options, threads)
    document: dict[str, Any] = {
        "nextlmm": {"version": program_version()},
        "command": options.to_command(),
        "options": options.to_dict(),
        **run_facts(looked.inputs.source, cohorts),
        "traits": {one.cohort.trait: _trait(one, options) for group in groups for one in group},
        "predicted": predicted,
        "limits": _limits(options),
        "submit": submit_lines(
            options,
            threads=threads,
            seconds=predicted["seconds"],
            memory_bytes=predicted["memory_bytes"],
        ),
        "files": [str(path) for path in files_of(looked, cohorts, options)],
    }
    document["variants"] = {
        "in_genotypes": looked.preview.n_variants,
        "is_counted": looked.preview.is_counted,
        "excluded": {},
    }
    return RunPlan(document)


def _expected(
    looked: Looked, group: Sequence[Cohort], options: GwasOptions, model: Model
) -> list[_Expected]:
    """What is expected of traits of the same samples."""
    first, inputs = group[0], looked.inputs
    tested = count_variants(looked.preview, first.analysed, inputs.variant_filter)
    related = _related_count(looked, first, tested)
    if model.loco and inputs.given is None and related.chromosomes is not None:
        check_chromosomes(related.chromosomes)
    if inputs.given is not None:
        check_square(inputs.given.path, len(first), model.memory)
    chosen = expected_plan(
        _size(looked, first, (tested, related), options, model),
        model,
        is_given=inputs.given is not None,
    )
    return [_Expected(cohort, tested, related, chosen) for cohort in group]


def _related_count(looked: Looked, cohort: Cohort, tested: VariantCount) -> VariantCount:
    """The variants of the relationship matrix, before they are thinned."""
    choice = looked.inputs.related
    if choice.variant_filter is None:
        return tested
    samples = choice.rows(looked.preview.source, cohort)[0]
    return count_variants(looked.related or looked.preview, samples, choice.variant_filter)


def _size(
    looked: Looked,
    cohort: Cohort,
    counts: tuple[VariantCount, VariantCount],
    options: GwasOptions,
    model: Model,
) -> Size:
    tested, related = counts
    relating = looked.related or looked.preview
    names = related.chromosomes
    every = [looked.preview, *([] if looked.related is None else [looked.related])]
    return Size(
        n=len(cohort),
        related=0 if looked.inputs.given is not None else related.varying,
        tested=0 if isinstance(options, H2Options) else tested.selected,
        chromosomes=(_UNKNOWN_CHROMOSOMES if names is None else len(names)) if model.loco else 1,
        heritabilities=n_heritabilities(model),
        is_packed=relating.is_packed,
        source_bytes=sum(map(_held_bytes, every)),
    )


def _held_bytes(preview: Preview) -> float:
    """What the genotypes of a file that is read into memory take there."""
    if not preview.is_read_whole:
        return 0.0
    n_genotypes = float(len(preview.source.samples)) * preview.n_variants
    return n_genotypes * (0.25 if preview.is_packed else 4.0)


def _predicted(
    looked: Looked, groups: Sequence[Sequence[_Expected]], options: GwasOptions, threads: int
) -> dict[str, Any]:
    """Time, memory and disk of the whole run."""
    speed = machine_speed()
    every = [one for group in groups for one in group]
    path, kind = options.genotypes
    n_genotypes = float(len(looked.preview.source.samples)) * looked.preview.n_variants
    one_core = sum(
        route_seconds(group[0].plan, len(group)) + summary_seconds(n_genotypes) for group in groups
    )
    if isinstance(options, PredictOptions):
        one_core += sum(_prediction(one).seconds for one in every)
    writing = [_writing(one, options) for one in every]
    seconds = (
        START_UP_S
        + reading_seconds(kind or kind_of(path), n_genotypes)
        + elapsed_seconds(one_core, threads)
        + sum(part.seconds for part in writing)
    ) / speed
    memory = max(one.plan.cost.n_bytes for one in every)
    if isinstance(options, PredictOptions):
        memory = max(memory, *(_prediction(one).n_bytes for one in every))
    return {
        "seconds": seconds,
        "threads": threads,
        "machine_speed": speed,
        "memory_bytes": memory
        + writing[0].held_bytes
        + _TABLE_BYTES * sum(part.rows for part in writing[1:]),
        "disk_bytes": sum(part.n_bytes for part in writing) + _DOCUMENTS,
    }


_TABLE_BYTES = 500.0  # in memory, for each row of the table of a further trait
_DOCUMENTS = 5e4  # bytes of the document, the log and their like


def _prediction(one: _Expected) -> Any:
    """The cost of the dense algebra of predictions."""
    size = Size(n=len(one.cohort), related=one.related.varying, tested=0, chromosomes=1)
    return dense_cost(size, precision="double")


def _writing(one: _Expected, options: GwasOptions) -> Writing:
    if isinstance(options, PredictOptions):
        return Writing(rows=one.related.varying)
    if isinstance(options, H2Options):
        return Writing(rows=0)
    plots = 2 * len(options.plot_format) if options.plots else 0
    return Writing(one.tested.selected, options.out_format, plots, options.report)


def _trait(one: _Expected, options: GwasOptions) -> dict[str, Any]:
    """The entry of one trait under "traits"."""
    tested, related = one.tested, one.related
    facts: dict[str, Any] = {
        **cohort_facts(one.cohort, options),
        "n": len(one.cohort),
        "certificate": {},
        "relationship_matrix": {},
        "samples": sample_facts(one.cohort),
        "variants": {
            "selected": tested.selected,
            "varying": tested.varying,
            "in_relationship_matrix": related.varying,
            "excluded": dict(tested.excluded),
            "looked_at": tested.looked_at,
            "pruned": options.grm_prune,
        },
        "route": one.plan.way,
        "reason": one.plan.reason,
        "requested": one.plan.requested,
        "warnings": [*options.without_effect, *one.cohort.warnings],
    }
    if not isinstance(options, H2Options):
        facts |= {"test": options.test, "loco": options.loco, "own_h2": None}
    return facts


def files_of(looked: Looked, cohorts: Sequence[Cohort], options: GwasOptions) -> list[Path]:
    """The files that the run would write, each of which can be written.

    Raises
    ------
    UsageError, OutputError
        As the run would.
    """
    inputs = input_paths(options, looked.inputs).values()
    names = [cohort.trait for cohort in cohorts]
    if isinstance(options, H2Options):
        kinds = {"weights": "weights.tsv.gz", "blup": "blup.tsv"}
        own = trait_files(options.out, names, kinds if isinstance(options, PredictOptions) else {})
        paths = [path for kinds_of in own.values() for path in kinds_of.values()]
        paths += [Path(f"{options.out}.{options.command}.{end}") for end in ("tsv", "json")]
    else:
        variants = looked.inputs.source.variants
        paths = run_files(
            options.out,
            names,
            formats=options.out_format,
            index=is_within_reach(variants.position_bp),
            plots=options.plots,
            plot_formats=options.plot_format,
            report=options.report,
            inputs=inputs,
        ).paths()
    check_writable(paths)
    return paths


def _limits(options: GwasOptions) -> dict[str, Any]:
    """What the run may take."""
    limit = memory_limit()
    folder = Path(options.out).parent
    free = shutil.disk_usage(folder).free if folder.is_dir() else None
    return {
        "memory_bytes": None if limit is None else limit.n_bytes,
        "memory_source": None if limit is None else limit.source,
        "array_bytes": allowed_bytes(options.memory),
        "disk_free_bytes": free,
    }
