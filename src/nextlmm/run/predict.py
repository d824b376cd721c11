"""Prediction by the null model: effects of all variants, genetic values, leave-one-out accuracy."""

from typing import Any

import numpy as np
import polars as pl

from nextlmm.errors import UsageError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.design import make_design
from nextlmm.lmm.leave_one_out import LeaveOneOut, leave_one_out
from nextlmm.lmm.likelihood import whiten_trait
from nextlmm.progress import Progress
from nextlmm.relatedness.effects import VariantEffects, variant_effects
from nextlmm.relatedness.grm import relationship_matrix
from nextlmm.run.dense import total_of
from nextlmm.run.exact.plan import Size, dense_cost
from nextlmm.run.exact.route import allowed_bytes
from nextlmm.run.model import Model
from nextlmm.run.null_options import PredictOptions
from nextlmm.run.null_run import FittedTrait, Further, NullRun, Task, run_null
from nextlmm.run.problem import Problem

_GIB = 2.0**30
_NO_PREDICTION = 1e-10  # of the trait: genetic values that are nothing but rounding
_SUFFIXES = {"weights": "weights.tsv.gz", "blup": "blup.tsv"}


def predict(
    options: PredictOptions, progress: Progress | None = None, *, begin: float | None = None
) -> NullRun:
    """Predict genetic values of samples with and without the trait, and write weights of variants.

    The null model is the one that `nextlmm.gwas` fits with the same options; what is predicted with
    it is by dense algebra in double precision.  ``tables`` has for each trait ``weights``, the
    effect of one copy of each variant's effect allele, and ``blup``, the genetic values of all
    samples that the lists leave, both in units of the trait.

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

    Cost: beyond that of the null model, n^2 m + 4/3 n^3 operations and some arrays of n^2 numbers.
    """
    return run_null(options, Task(_SUFFIXES, _check_memory, _predicted), progress, begin)


def _check_memory(problem: Problem, model: Model) -> None:
    """Refuse what the dense algebra of predictions has no memory for."""
    size = Size(n=problem.n, related=problem.n_related, tested=0, chromosomes=1)
    needed, allowed = dense_cost(size, precision="double").n_bytes, allowed_bytes(model.memory)
    if needed > allowed:
        raise UsageError(
            f"Predictions need the relationships of {problem.n:,} samples as a square array, with "
            f"which the run takes {needed / _GIB:,.3g} GiB, and large arrays may take "
            f"{allowed / _GIB:,.3g} GiB; allow more by the option memory, or analyse fewer samples "
            "(keep); nextlmm h2 needs no square array."
        )


def _predicted(fitted: FittedTrait, listener: Progress) -> Further:
    problem, cohort, h2 = fitted.problem, fitted.cohort, fitted.findings.null.h2
    with fitted.watch.stage("relationship matrix"):
        total = total_of(problem, fitted.model, listener, held_bytes=0.0)
    with fitted.watch.stage("prediction"):
        design = make_design(problem.covariates)
        factor = DenseCovariance(relationship_matrix(total)).factor(h2)
        trait = whiten_trait(factor, problem.y, design, h2=h2)
        left_out = leave_one_out(factor, trait, design)
        kept = fitted.inputs.related.rows(problem.source, cohort)[1]
        effects = variant_effects(
            problem.related.source,
            problem.related.variants,
            problem.related.scaling,
            kept,
            np.searchsorted(cohort.kept, cohort.analysed),
            factor.whiten_transposed(trait.residual),
            h2=h2,
            progress=listener,
        )
    accuracy = _accuracy(left_out)
    facts = {
        "samples": len(kept),
        "without_trait": len(kept) - len(cohort),
        "variants": len(effects.variants),
        "leave_one_out": accuracy,
    }
    row = {name: accuracy[name] for name in ("correlation", "correlation_se", "mean_squared_error")}
    tables = {"weights": _weights(problem, effects), "blup": _blup(fitted, effects)}
    return Further(tables, {"prediction": facts}, row)


def _accuracy(found: LeaveOneOut) -> dict[str, Any]:
    """How well samples are predicted without themselves, as JSON values.

    The correlation is that of the genetic value with the trait less covariates, both without the
    sample itself: with a mean in common, samples would seem to be predicted at random or worse.
    Its standard error is that of a correlation of independent normal pairs.
    """
    known = found.is_known
    genetic, adjusted, residual = (
        values[known] for values in (found.genetic, found.adjusted, found.residual)
    )
    n, correlation = int(known.sum()), None
    if np.ptp(genetic) > _NO_PREDICTION * np.ptp(adjusted):
        correlation = float(np.corrcoef(genetic, adjusted)[0, 1])
    error = None if correlation is None else (1.0 - correlation**2) / float(np.sqrt(n - 1.0))
    return {
        "samples": n,
        "of": len(known),
        "correlation": correlation,
        "correlation_se": error,
        "mean_squared_error": float(np.mean(residual**2)),
        "mean_squared_error_covariates": float(np.mean(adjusted**2)),
    }


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
