"""Testing a set of variants with one fitted matrix, block by block."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nextlmm.assoc.bound import ScanBound, searched_ends, widened
from nextlmm.assoc.per_variant import PerVariantModel, per_variant_block, per_variant_model
from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.assoc.scan import (
    COLLINEAR,
    OK,
    AssociationBlock,
    ScanModel,
    scan_model,
    test_block,
    tested_forms,
)
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.dense import CholeskyFactor
from nextlmm.linalg.spectral import SpectralCovariance, spectral_covariance
from nextlmm.linalg.threads import available_threads
from nextlmm.progress import Progress
from nextlmm.run.certificate import Certified, FactorCertificate, certify
from nextlmm.run.columns import ScanColumns, joined, put_bound, replaced
from nextlmm.run.kept import Blocks
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.solver import Fitted
from nextlmm.run.variant_tile import count_forms, variant_form

_CHECKED_LOG_P = 3.0
"""Above this -log10 p the exact test is done as well, to bound the compressed one sharply."""


@dataclass(frozen=True, eq=False)
class Scan:
    """The results of one set of variants and the certificate of the matrix they were tested on."""

    columns: ScanColumns
    certificate: FactorCertificate | None


def scan_variants(
    problem: Problem, model: Model, fitted: Fitted, variants: IndexArray, progress: Progress
) -> Scan:
    """Test ``variants`` by the rules of ``model``; every one depends on itself alone."""
    if model.per_variant_h2 == "always":
        return Scan(_own_h2_columns(problem, model, fitted, variants, progress), None)
    shared = scan_model(
        problem.y,
        problem.covariates,
        fitted.covariance,
        h2=fitted.null.h2,
        h2_ml=fitted.null.h2_ml,
        test=model.test,
    )
    certified = certify(problem, model, fitted, shared)
    bound = certified.certificate.bound if certified is not None else None
    columns = _shared_h2_columns(problem, shared, bound, variants, progress)
    if certified is not None:
        columns = _checked(problem, columns, certified)
    if model.per_variant_h2 == "hits":
        hits = _hits(problem, model, columns, certified)
        columns = _retested(problem, model, fitted, columns, hits)
    return Scan(columns, certified.certificate if certified is not None else None)


def _shared_h2_columns(
    problem: Problem,
    model: ScanModel,
    bound: ScanBound | None,
    variants: IndexArray,
    progress: Progress,
) -> ScanColumns:
    if bound is None and isinstance(model.wald.factor, CholeskyFactor):
        return _columns_by_forms(problem, model, variants, progress)

    def tested(block: IndexArray) -> tuple[AssociationBlock, tuple[FloatArray, ...]]:
        dosage = problem.dosages(block)
        result = test_block(model, dosage)
        progress.advance(len(block))
        if bound is None:
            return result, ()
        return result, bound.interval(bound.py @ dosage, result.information)

    blocks = list(problem.wide_blocks(variants))
    work = Blocks("variants", _seen_by(model), blocks, (AssociationBlock,), 0, progress)
    found = problem.kept.blocks(problem.kept.met_before(work), lambda: tested)
    columns = joined(variants, [result for result, _ in found])
    if bound is None:
        return columns
    low, high = (np.concatenate(ends) for ends in zip(*(both for _, both in found), strict=True))
    return replace(columns, log_p_low=low, log_p_high=high)


def _seen_by(model: ScanModel) -> tuple[object, ...]:
    """What the results of a variant depend on beside the variant, but for the covariates."""
    lenses = (model.wald, model.tested)
    return model.test, *((lens.trait.h2, lens.trait.residual) for lens in lenses)


def _columns_by_forms(
    problem: Problem, model: ScanModel, variants: IndexArray, progress: Progress
) -> ScanColumns:
    """The same from x'Px as a form and x'Py as a product, for which nothing is decoded.

    Variants of which these would keep too few digits are whitened after all.
    """

    def begin() -> Callable[[IndexArray], AssociationBlock]:
        lenses = (model.wald,) if model.tested is model.wald else (model.wald, model.tested)
        projected = [ProjectedFactor(lens.factor, lens.trait.basis) for lens in lenses]
        forms = [variant_form(each.form, np.float64) for each in projected]
        for form in forms:
            count_forms(form, problem.n, len(variants))
        py = [lens.factor.whiten_transposed(lens.trait.residual) for lens in lenses]
        vectors = np.column_stack([*py, model.design.basis])

        def tested(block: IndexArray) -> AssociationBlock:
            tile = problem.tile(block)
            product = tile.products(vectors)
            status, is_near = problem.standing(block, product[:, len(lenses) :])
            xpx = [tile.forms(form) for form in forms]
            # Of what covariates nearly explain a form keeps no digit, not even its sign.
            sure = np.where((status == OK) & is_near, COLLINEAR, status)
            result, is_sharp = tested_forms(model, xpx, list(product.T[: len(lenses)]), sure)
            again = np.flatnonzero((status == OK) & (is_near | ~is_sharp))
            progress.advance(len(block))
            if not again.size:
                return result
            return result.with_rows(again, test_block(model, problem.dosages(block[again])))

        return tested

    work = Blocks(
        "variants",
        _seen_by(model),
        list(problem.blocks(variants)),
        (AssociationBlock,),
        available_threads(),
        progress,
    )
    return joined(variants, problem.kept.blocks(problem.kept.met_before(work), begin))


def _checked(problem: Problem, columns: ScanColumns, certified: Certified) -> ScanColumns:
    """The columns with their bounds closed on the exact answer where it could matter."""
    matters = np.flatnonzero(columns.neg_log_10_p_value > _CHECKED_LOG_P)
    if not len(matters):
        return columns
    exact = _exact_log_p(problem, certified, columns.variants[matters])
    low, high = widened(exact, exact)
    return replace(
        columns,
        log_p_low=put_bound(columns.log_p_low, matters, low),
        log_p_high=put_bound(columns.log_p_high, matters, high),
    )


def _exact_log_p(problem: Problem, certified: Certified, variants: IndexArray) -> FloatArray:
    """-log10 p of some variants by the exact factor that a certificate was measured with."""
    blocks = [test_block(certified.exact, d) for _, d in problem.dosage_blocks(variants)]
    return joined(variants, blocks).neg_log_10_p_value


def _own_h2_columns(
    problem: Problem, model: Model, fitted: Fitted, variants: IndexArray, progress: Progress
) -> ScanColumns:
    def begin() -> Callable[[IndexArray], AssociationBlock]:
        own = _own_model(problem, model, fitted)

        def tested(block: IndexArray) -> AssociationBlock:
            result = per_variant_block(own, problem.dosages(block))
            progress.advance(len(block))
            return result

        return tested

    blocks = list(problem.wide_blocks(variants))
    of = int(variants[0]), fitted.exact_null.h2_ml
    work = Blocks("variants", of, blocks, (AssociationBlock,), 0, progress)
    return joined(variants, problem.kept.blocks(problem.kept.met_before(work), begin))


def _own_model(problem: Problem, model: Model, fitted: Fitted) -> PerVariantModel:
    """Eigenvectors of the exact matrix, found now unless the fit already has them."""
    covariance = fitted.covariance
    if not isinstance(covariance, SpectralCovariance):
        exact = fitted.exact or covariance
        covariance = spectral_covariance(np.array(exact.to_dense(), order="F"), overwrite=True)
    return per_variant_model(
        problem.y,
        problem.covariates,
        covariance,
        h2_ml=fitted.exact_null.h2_ml,
        test=model.test,
    )


def _hits(
    problem: Problem, model: Model, columns: ScanColumns, certified: Certified | None
) -> IndexArray:
    """Positions of the variants whose exact test passes the threshold for a hit."""
    threshold = -np.log10(model.hit_threshold)
    if certified is None or columns.log_p_high is None:
        return np.flatnonzero(columns.neg_log_10_p_value > threshold)
    possible = np.flatnonzero(columns.log_p_high > threshold)
    if not len(possible):
        return possible
    passes = _exact_log_p(problem, certified, columns.variants[possible]) > threshold
    return np.asarray(possible[passes])


def _retested(
    problem: Problem, model: Model, fitted: Fitted, columns: ScanColumns, hits: IndexArray
) -> ScanColumns:
    """The same columns with every hit tested at its own h2 on the exact matrix."""
    if not len(hits):
        return columns
    own = _own_model(problem, model, fitted)
    variants = columns.variants[hits]
    blocks = [per_variant_block(own, d) for _, d in problem.dosage_blocks(variants)]
    new = joined(variants, blocks)
    ends = searched_ends(model.test, new.chi2, new.neg_log_10_p_value)
    return replaced(columns, hits, new, ends)
