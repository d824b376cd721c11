"""Prediction by the null model: effects of all variants, genetic values, leave-one-out accuracy."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.accuracy import Accuracy, accuracy
from nextlmm.lmm.design import make_design
from nextlmm.lmm.leave_one_out import leave_one_out
from nextlmm.lmm.likelihood import whiten_trait
from nextlmm.progress import Progress
from nextlmm.relatedness.effects import VariantEffects, variant_effects
from nextlmm.relatedness.grm import relationship_matrix
from nextlmm.run.dense import total_of
from nextlmm.run.exact.find import solved_by_products
from nextlmm.run.exact.null import Arranged
from nextlmm.run.exact.plan import Plan
from nextlmm.run.exact.predict import Predicted, predict_arranged
from nextlmm.run.exact.route import plan_for
from nextlmm.run.null_options import PredictOptions
from nextlmm.run.null_run import FittedTrait, Further, NullRun, Task, run_null
from nextlmm.run.problem import Problem

_SUFFIXES = {"weights": "weights.tsv.gz", "blup": "blup.tsv"}
_IN_ROW = ("correlation", "correlation_se", "correlation_error", "mean_squared_error")


def predict(
    options: PredictOptions, progress: Progress | None = None, *, begin: float | None = None
) -> NullRun:
    """Predict genetic values of samples with and without the trait, and write weights of variants.

    The null model is the one that `nextlmm.gwas` fits with the same options, and what is predicted
    with it goes by the same route: dense algebra in double precision, or products with the
    genotypes.  ``tables`` has for each trait ``weights``, the effect of one copy of each variant's
    effect allele, and ``blup``, the genetic values of all samples that the lists leave, both in
    units of the trait.

    Parameters
    ----------
    options : what to analyse, how, and where the results go.
    progress : told how far the run is.
    begin : what ``time.perf_counter`` said when the program began; now unless given.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if the run cannot be carried out; then no file is
        left under a final name.

    Cost: beyond that of the null model, a pass over the genotypes of all samples, and either
    n^2 m + 4/3 n^3 operations and some arrays of n^2 numbers, or some ten passes with 64 columns.
    """
    return run_null(options, Task(_SUFFIXES, _predicted), progress, begin)


def _predicted(fitted: FittedTrait, listener: Progress) -> Further:
    problem, cohort, h2 = fitted.problem, fitted.cohort, fitted.findings.null.h2
    found = _solved(fitted, listener)
    with fitted.watch.stage("prediction"):
        kept = fitted.inputs.related.rows(problem.source, cohort)[1]
        effects = variant_effects(
            problem.related.source,
            problem.related.variants,
            problem.related.scaling,
            kept,
            np.searchsorted(cohort.kept, found.samples),
            found.py,
            h2=h2,
            progress=listener,
        )
    facts = {
        "samples": len(kept),
        "without_trait": len(kept) - len(cohort),
        "variants": len(effects.variants),
        "error": found.error,
        "iterations": found.iterations,
        "leave_one_out": _described(found.accuracy, len(cohort)),
    }
    row = {name: getattr(found.accuracy, name) for name in _IN_ROW}
    tables = {"weights": _weights(problem, effects), "blup": _blup(fitted, effects)}
    return Further(tables, {"prediction": facts}, row)


def _solved(fitted: FittedTrait, listener: Progress) -> Predicted:
    """What predictions are made of, by the route of the null model."""
    problem, model, h2 = fitted.problem, fitted.model, fitted.findings.null.h2
    plan = plan_for(problem, model)
    if plan.way == "dense" and plan.precision == "double":
        return _solved_densely(fitted, listener)

    def work(arrangement: Arranged, _: Plan) -> Predicted:
        listener.start("Predicting samples without themselves", 1)
        with fitted.watch.stage("leave one out"):
            found = predict_arranged(arrangement, h2)
        listener.finish()
        return found

    return solved_by_products(work, problem, model, plan, listener, fitted.watch)


def _solved_densely(fitted: FittedTrait, listener: Progress) -> Predicted:
    problem, h2 = fitted.problem, fitted.findings.null.h2
    with fitted.watch.stage("relationship matrix"):
        total = total_of(problem, fitted.model, listener, held_bytes=0.0)
    with fitted.watch.stage("leave one out"):
        design = make_design(problem.covariates)
        factor = DenseCovariance(relationship_matrix(total)).factor(h2)
        trait = whiten_trait(factor, problem.y, design, h2=h2)
        left_out = leave_one_out(factor, trait, design)
        py = factor.whiten_transposed(trait.residual)
    return Predicted(problem.samples, py, accuracy(left_out))


def _described(found: Accuracy, of: int) -> dict[str, Any]:
    """The accuracy as JSON values; ``of`` is the number of analysed samples."""
    facts = asdict(found)
    return {"samples": facts.pop("samples"), "of": of, **facts}


def _weights(problem: Problem, effects: VariantEffects) -> pl.DataFrame:
    related = problem.related
    rows = related.source.variants.take(effects.variants)
    return pl.DataFrame(
        {
            "chromosome": rows.chromosome.tolist(),
            "base_pair_location": rows.position_bp,
            "variant_id": rows.variant_id.tolist(),
            "effect_allele": rows.effect_allele.tolist(),
            "other_allele": rows.other_allele.tolist(),
            "effect_allele_frequency": related.summary.effect_allele_frequency[effects.variants],
            "weight": effects.per_copy,
        }
    )


def _blup(fitted: FittedTrait, effects: VariantEffects) -> pl.DataFrame:
    samples = fitted.problem.source.samples.take(fitted.cohort.kept)
    return pl.DataFrame(
        {
            "FID": samples.family_id.tolist(),
            "IID": samples.sample_id.tolist(),
            "g_hat": effects.genetic,
        }
    )
