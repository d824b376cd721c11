"""Hits tested again, each at its own heritability, without a square matrix."""

from collections.abc import Callable
from functools import partial

import numpy as np

from nextlmm.assoc.own_h2 import own_h2_block
from nextlmm.assoc.per_variant import per_variant_block, per_variant_model
from nextlmm.assoc.scan import AssociationBlock
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.run.columns import ScanColumns, joined, replaced
from nextlmm.run.exact.scan import Setting
from nextlmm.run.model import Model

NullOf = Callable[[int], StochasticFit]
"""The null model of K without a chromosome, -1 for none."""


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
        block = setting.problem.kept.once(
            "own heritabilities",
            (columns.variants[at], int(chromosome)),
            partial(_retested, setting, model, columns, at, null_of, int(chromosome)),
            AssociationBlock,
        )
        columns = replaced(columns, at, joined(columns.variants[at], [block]))
    return columns


def _retested(
    setting: Setting,
    model: Model,
    columns: ScanColumns,
    at: np.ndarray,
    null_of: NullOf,
    left_out: int,
) -> AssociationBlock:
    fit = null_of(left_out)
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
