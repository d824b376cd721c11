"""Hits tested again, each at its own heritability, without a square matrix."""

from collections.abc import Callable
from functools import partial

import numpy as np

from nextlmm.assoc.bound import SEARCHED, searched_ends, widened
from nextlmm.assoc.own_h2 import FORM_TOLERANCE, own_h2_block
from nextlmm.assoc.per_variant import per_variant_block, per_variant_model
from nextlmm.assoc.scan import AssociationBlock, Test, residual_df
from nextlmm.assoc.statistics import neg_log10_chi2_sf, neg_log10_f_sf
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.lmm.design import Design
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.run.columns import ScanColumns, joined, replaced
from nextlmm.run.exact.scan import Setting
from nextlmm.run.model import Model

_FORMS = 10.0 * FORM_TOLERANCE
"""Relative room in a statistic that is made of three forms and a square."""
_MONTE_CARLO = 5.0  # standard errors of a log determinant that the ends of a likelihood ratio hold

NullOf = Callable[[int], StochasticFit]
"""The null model of K without a chromosome, -1 for none."""

Found = tuple[AssociationBlock, tuple[FloatArray, FloatArray]]
"""The tests of some hits, and the ends of their -log10 p."""


def with_own_h2(
    setting: Setting, model: Model, columns: ScanColumns, null_of: NullOf
) -> ScanColumns:
    """The same columns with every hit tested at the heritability that its own model has.

    Cost: for each chromosome with hits one estimate of the null model without it, and for each hit
    some twenty products with the genotypes in double precision, of two columns each.
    """
    threshold = -float(np.log10(model.hit_threshold))
    is_hit = columns.neg_log_10_p_value > threshold
    left_out = setting.left_out
    for chromosome in dict.fromkeys(left_out[is_hit].tolist()):
        at = np.flatnonzero(is_hit & (left_out == chromosome))
        block, ends = setting.problem.kept.once(
            "own heritabilities",
            (columns.variants[at], int(chromosome)),
            partial(_found, setting, model, columns, at, null_of, int(chromosome)),
            AssociationBlock,
        )
        columns = replaced(columns, at, joined(columns.variants[at], [block]), ends)
    return columns


def _found(
    setting: Setting,
    model: Model,
    columns: ScanColumns,
    at: np.ndarray,
    null_of: NullOf,
    left_out: int,
) -> Found:
    fit = null_of(left_out)
    block = _retested(setting, model, columns, at, fit, left_out)
    return block, _ends(block, model.test, setting.design, fit)


def _ends(
    block: AssociationBlock, test: Test, design: Design, fit: StochasticFit
) -> tuple[FloatArray, FloatArray]:
    """Ends of -log10 p at the h2 of each hit.

    Where there is no square matrix the forms have bounds of their own, and in a likelihood ratio,
    which compares two heritabilities, is the Monte-Carlo error of the log determinant between them.
    """
    if fit.likelihood is None:
        return searched_ends(test, block.chi2, block.neg_log_10_p_value)
    room = _FORMS * block.chi2
    if test == "lrt":
        trace, null = fit.likelihood.trace, fit.null.h2_ml
        errors = [trace.difference_error(float(h2), null) for h2 in block.h2]
        room = room + SEARCHED + _MONTE_CARLO * np.array(errors)
    least, most = np.maximum(block.chi2 - room, 0.0), block.chi2 + room
    if test == "lrt":
        return widened(neg_log10_chi2_sf(least), neg_log10_chi2_sf(most))
    df = residual_df(design)
    return widened(neg_log10_f_sf(least, df), neg_log10_f_sf(most, df))


def _retested(
    setting: Setting,
    model: Model,
    columns: ScanColumns,
    at: np.ndarray,
    fit: StochasticFit,
    left_out: int,
) -> AssociationBlock:
    problem, operator = setting.problem, setting.operator
    dosage = problem.dosages(columns.variants[at])
    h2_ml = fit.null.h2_ml
    if fit.likelihood is None:  # so few samples that the estimate was made with the matrix itself
        k = np.array(operator.to_dense(left_out), order="F")
        own = per_variant_model(
            problem.y,
            problem.covariates,
            spectral_covariance(k, overwrite=True),
            h2_ml=h2_ml,
            test=model.test,
        )
        return per_variant_block(own, dosage)

    def product(x: FloatArray) -> FloatArray:
        count = 1 if x.ndim == 1 else x.shape[1]
        return operator.matmul(x, np.full(count, left_out))

    return own_h2_block(
        fit.likelihood,
        problem.y,
        setting.design,
        product,
        dosage,
        test=model.test,
        h2_ml=h2_ml,
    )
