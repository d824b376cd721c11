"""x'Px of every variant: predicted for all, exact for those that an audit or a small p asks for."""

from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.assoc.scan import OK, spread, usable_columns
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.pcg import inverse_forms
from nextlmm.lmm.design import Design
from nextlmm.progress import Progress
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.run.exact.system import uniform_system
from nextlmm.run.problem import Problem

ROUNDING = 1e-6
"""Room in the bound of a solved x'Px for the single precision of its products."""
_SMALLEST_BLOCK = 64
_SOLVED_ELEMENTS = 1 << 22  # of one array of a block of exact forms; a solve keeps about eight


@dataclass(frozen=True, eq=False)
class Forms:
    """Quadratic forms of m variants at one h2; NaN where ``status`` is not "ok".

    score : x'Py, (m,).
    predicted : x'P_F x of the approximate factor, (m,), in squared dosages.
    share : x'P_F x / x'x, (m,), which tells how a variant lies in the structure of the samples.
    status : (m,) array of str objects.
    """

    score: FloatArray
    predicted: FloatArray
    share: FloatArray
    status: np.ndarray


def predicted_forms(
    problem: Problem,
    design: Design,
    factor: ProjectedFactor,
    py: FloatArray,
    variants: IndexArray,
    progress: Progress,
) -> Forms:
    """Scores with one vector Py (n,) and predicted x'Px of variants that share a chromosome."""
    parts: list[Forms] = []
    for block, dosage in problem.dosage_blocks(variants):
        columns, status = usable_columns(dosage, design)
        good = status == OK
        predicted = factor.forms(columns)
        share = predicted / np.einsum("ij,ij->j", columns, columns)
        parts.append(
            Forms(
                score=spread(py @ columns, good),
                predicted=spread(predicted, good),
                share=spread(share, good),
                status=status,
            )
        )
        progress.advance(len(block))
    return join_forms(parts)


def join_forms(parts: list[Forms]) -> Forms:
    """Forms of several sets of variants, one after the other."""
    return Forms(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("score", "predicted", "share", "status")
        )
    )


def exact_forms(
    problem: Problem,
    design: Design,
    operator: RelationshipOperator,
    factor: ProjectedFactor,
    variants: IndexArray,
    left_out: IndexArray,
    *,
    weight: float,
    rtol: float,
) -> tuple[FloatArray, FloatArray]:
    """X'Px of testable variants, (a,), and the largest relative error of each, at most ``rtol``.

    ``left_out`` (a,) is the chromosome that each is tested without, -1 for none.  With a value v
    and a bound b it is proven to lie between v / (1 + b) and v (1 + b).

    Cost: for each variant some four to eight products with the genotypes, a block at a time.
    """
    size = max(_SMALLEST_BLOCK, _SOLVED_ELEMENTS // problem.n)
    values, errors = [], []
    for at in range(0, len(variants), size):
        block = variants[at : at + size]
        system = uniform_system(operator, design, weight, left_out[at : at + size])
        low, room = inverse_forms(
            system.product(np.float32),
            lambda r, _: factor.apply(r),
            design.project(problem.dosages(block)),
            smallest_eigenvalue=1.0 - weight,
            rtol=rtol,
            exact_product=system.product(np.float64),
        )
        high = low + room
        values.append(np.sqrt(low * high))
        errors.append(np.sqrt(high / low) - 1.0 + ROUNDING)
    return np.concatenate(values), np.concatenate(errors)
