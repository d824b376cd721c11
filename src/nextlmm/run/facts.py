"""The result document's account of samples, variants and traits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import polars as pl

from nextlmm.cohort.align import NOT_RELATED, Cohort
from nextlmm.genotype.filters import VariantSelection
from nextlmm.genotype.source import GenotypeSource
from nextlmm.lmm.null import NullModel
from nextlmm.output.names import RunFiles
from nextlmm.report.loci import top_hits
from nextlmm.run.analysis import Analysis
from nextlmm.run.model import Model
from nextlmm.run.options import GwasOptions
from nextlmm.run.related import Related
from nextlmm.run.timing import seconds_by_stage, work_facts

_Noted = TypeVar("_Noted")
_LIST_REASONS = frozenset({"not in the keep list", "in the remove list", NOT_RELATED})


@dataclass(frozen=True, eq=False)
class TraitResult:
    """One trait: its samples, its variants, those of the relationship matrix, and the results.

    ``given_chromosomes`` are those that the relationship matrix was given by; ``portrait`` is what
    a report shows beyond that, None where there is to be none.
    """

    cohort: Cohort
    selection: VariantSelection
    related: Related
    analysis: Analysis
    given_chromosomes: tuple[str, ...] = ()
    portrait: dict[str, Any] | None = None


def run_facts(source: GenotypeSource, cohorts: Sequence[Cohort]) -> dict[str, Any]:
    """What is the same for every trait: the genotypes, and the samples left by the lists."""
    first = cohorts[0]
    lists = {reason: n for reason, n in first.exclusions.items() if reason in _LIST_REASONS}
    return {
        "samples": {
            "in_genotypes": len(source.samples),
            "kept": len(first.kept),
            "excluded": lists,
            "excluded_first_ids": {name: list(first.excluded_ids[name]) for name in lists},
        },
        "variants": {"in_genotypes": len(source.variants), "excluded": {}},
    }


def cohort_facts(cohort: Cohort, options: GwasOptions) -> dict[str, Any]:
    """What is said of the covariates of a trait, and of the model that is fitted to it."""
    budget = Model.from_options(options).budget
    return {
        "covariates": list(cohort.covariate_names),
        "categories": {
            each.name: {"reference": each.reference, "others": list(each.others)}
            for each in cohort.categories
        },
        "covariate_formula": cohort.formula,
        "rank_normal": cohort.is_rank_normal,
        "mode": options.mode,
        "method": options.method,
        "budget": None if budget is None else asdict(budget),
    }


def sample_facts(cohort: Cohort) -> dict[str, Any]:
    """Who is analysed, and who is left out for a reason of the trait."""
    return {
        "analysed": len(cohort),
        "excluded": _own_reasons(cohort.exclusions),
        "excluded_first_ids": {
            reason: list(ids) for reason, ids in _own_reasons(cohort.excluded_ids).items()
        },
    }


def model_facts(cohort: Cohort, null: NullModel, options: GwasOptions) -> dict[str, Any]:
    """What is said of samples, covariates and null model of a trait, tested or not."""
    return {
        "n": null.n,
        "n_covariates": null.n_covariates,
        **cohort_facts(cohort, options),
        "h2": null.h2,
        "h2_se": null.h2_se,
        "h2_interval": null.h2_interval,
        "h2_boundary": null.h2_boundary,
        "h2_reml": null.h2_reml,
        "h2_ml": null.h2_ml,
        "sigma_g2": null.sigma_g2,
        "sigma_e2": null.sigma_e2,
        "log_likelihood": null.log_likelihood,
        "log_likelihood_reml": null.log_likelihood_reml,
        "log_likelihood_ml": null.log_likelihood_ml,
        "covariate_effects": _effects(cohort, null),
        "samples": sample_facts(cohort),
    }


def trait_facts(result: TraitResult, options: GwasOptions, files: RunFiles) -> dict[str, Any]:
    """The entry of one trait under "traits"."""
    cohort, analysis = result.cohort, result.analysis
    status = _status_counts(analysis)
    warnings = [*options.without_effect, *cohort.warnings, *analysis.warnings]
    facts: dict[str, Any] = {
        **model_facts(cohort, analysis.null, options),
        "test": options.test,
        "loco": options.loco,
        "loco_h2": options.loco_h2,
        "per_variant_h2": options.per_variant_h2,
        "own_h2": _own_h2(analysis.table, Model.from_options(options)),
        "h2_by_chromosome": analysis.h2_by_chromosome,
        "lambda_gc": _number(analysis.lambda_gc),
        "variants": {
            "selected": len(result.selection),
            "tested": status.get("ok", 0),
            "in_relationship_matrix": result.related.n_varying,
            "excluded": dict(result.selection.excluded),
            "status": status,
        },
        "relationship_matrix": _matrix(result, options),
        "certificate": analysis.certificate,
        "top_hits": top_hits(analysis.table),
        "timings": seconds_by_stage(analysis.work),
        "work": work_facts(analysis.work),
        "files": {kind: str(path) for kind, path in files.traits[cohort.trait].items()},
        "warnings": warnings,
        "portrait": result.portrait,
    }
    return facts


def _matrix(result: TraitResult, options: GwasOptions) -> dict[str, Any]:
    """What the relationship matrix was made of."""
    if options.grm is None:
        return result.related.describe()
    return {"given": options.grm, "chromosomes": list(result.given_chromosomes)}


def _own_h2(table: pl.DataFrame, model: Model) -> dict[str, Any] | None:
    """How many variants were tested at a heritability of their own, and the range of it.

    Hits stand out from the h2 that all others share, on their chromosome or in the genome.
    """
    if model.per_variant_h2 == "never":
        return None
    own = table.filter(pl.col("status") == "ok")
    if model.per_variant_h2 == "hits":
        shared = pl.col("h2").mode(maintain_order=True).first()
        if model.loco_h2 == "per-chromosome":
            shared = shared.over("chromosome")
        own = own.filter(pl.col("h2") != shared)
    span = None if own.is_empty() else [own["h2"].min(), own["h2"].max()]
    below = model.hit_threshold if model.per_variant_h2 == "hits" else None
    return {"variants": own.height, "h2_range": span, "p_below": below}


def _effects(cohort: Cohort, null: NullModel) -> list[dict[str, Any]]:
    return [
        {"covariate": name, "beta": float(beta), "standard_error": float(error)}
        for name, beta, error in zip(cohort.covariate_names, null.beta, null.beta_se, strict=True)
    ]


def _own_reasons(exclusions: Mapping[str, _Noted]) -> dict[str, _Noted]:
    return {reason: n for reason, n in exclusions.items() if reason not in _LIST_REASONS}


def _status_counts(analysis: Analysis) -> dict[str, int]:
    counts = analysis.table["status"].value_counts().sort("status")
    return {str(status): int(n) for status, n in counts.iter_rows()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
