"""x'Px of every variant: predicted for all, exact for those that an audit or a small p asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nextlmm.assoc.projected import ProjectedFactor
from nextlmm.assoc.scan import OK, spread, usable_columns
from nextlmm.cluster.active import active_cluster
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.pcg import inverse_forms
from nextlmm.lmm.design import Design
from nextlmm.progress import Progress
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.run.exact.shared_scan import sums_on_cluster
from nextlmm.run.exact.system import System, uniform_system
from nextlmm.run.kept import Blocks
from nextlmm.run.problem import Problem
from nextlmm.run.variant_tile import VariantForm, count_forms, variant_form

ROUNDING = 1e-6
"""Room in the bound of a solved x'Px whose residual is in double precision."""
SINGLE_ROUNDING = 1e-4
"""The same where it is in single precision, as it is where no more than `SINGLE_RTOL` is asked.

A product was measured to be off by less than 2e-7 of its norm (`RelationshipOperator.matmul`),
hence x'Px by 2e-7 |Px| |x|, which is less than this share of it while |Px| |x| is below 500 x'Px.
With k the condition number it is at most (k^1/2 + k^-1/2) / 2 times x'Px (Kantorovich 1948), so
that k below `SINGLE_CONDITION` will do.
"""
SINGLE_RTOL, SINGLE_CONDITION = 1e-3, 9e5
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


def forms_to_predict(
    problem: Problem, py: FloatArray, variants: IndexArray, progress: Progress, *, threads: int
) -> Blocks:
    """What `predicted_forms` is to meet: variants that share a chromosome, for a vector Py (n,)."""
    blocks = list(problem.blocks(variants))
    work = Blocks("variants", (py,), blocks, (Forms,), threads, progress)
    return problem.kept.met_before(work)


def predicted_forms(
    problem: Problem,
    design: Design,
    predictor: Callable[[], ProjectedFactor],
    py: FloatArray,
    work: Blocks,
) -> Forms:
    """Scores with one vector Py (n,) and predicted x'Px of variants that share a chromosome.

    The factor of the prediction is asked for if there is a variant to meet.  Predictions are in
    single precision, with an error of some 1e-6; scores are in double.
    """

    def begin() -> Callable[[IndexArray], Forms]:
        factor = predictor()
        vectors = np.column_stack([py, design.basis])
        form = variant_form(factor.form, np.float32)
        count_forms(form, problem.n, sum(len(block) for block in work.blocks))
        sums = _sums_of(problem, work, vectors, form)

        def forms(block: IndexArray) -> Forms:
            product, predicted = sums(block)
            work.progress.advance(len(block))
            return _with_nearly_collinear(problem, design, factor, py, block, product, predicted)

        return forms

    return join_forms(problem.kept.blocks(work, begin))


def _sums_of(
    problem: Problem, work: Blocks, vectors: FloatArray, form: VariantForm
) -> Callable[[IndexArray], tuple[FloatArray, FloatArray]]:
    """What makes products of a block with the vectors, and its forms; a cluster makes all now."""
    cluster = active_cluster()
    if cluster is None:

        def here(block: IndexArray) -> tuple[FloatArray, FloatArray]:
            tile = problem.tile(block)
            return tile.products(vectors), tile.forms(form)

        return here
    missing = [block for at, block in enumerate(work.blocks) if at not in work.found]
    sums = sums_on_cluster(cluster, problem, missing, vectors, form)
    known = {int(block[0]): own for block, own in zip(missing, sums, strict=True)}
    return lambda block: known[int(block[0])]


def _with_nearly_collinear(
    problem: Problem,
    design: Design,
    factor: ProjectedFactor,
    py: FloatArray,
    block: IndexArray,
    product: FloatArray,
    predicted: FloatArray,
) -> Forms:
    """The forms of a block, those that covariates nearly explain with all their digits."""
    variation = problem.variation(block)
    status, is_near = problem.standing(block, product[:, 1:])
    score, share = product[:, 0], np.full(len(block), np.nan)
    np.divide(predicted, variation, out=share, where=variation > 0.0)
    near = np.flatnonzero((status == OK) & is_near)
    if near.size:
        columns, status[near] = usable_columns(problem.dosages(block[near]), design)
        good = status[near] == OK
        forms, squares = factor.forms(columns), np.einsum("ij,ij->j", columns, columns)
        score[near] = spread(py @ columns, good)
        predicted[near], share[near] = spread(forms, good), spread(forms / squares, good)
    bad = status != OK
    score[bad] = predicted[bad] = share[bad] = np.nan
    return Forms(score=score, predicted=predicted, share=share, status=status)


def join_forms(parts: Sequence[Forms]) -> Forms:
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
    # No eigenvalue of K is above n, and none of A below 1 - weight.
    condition = (weight * problem.n + 1.0 - weight) / (1.0 - weight)
    is_single = rtol >= SINGLE_RTOL and condition < SINGLE_CONDITION
    values, errors = [], []
    for at in range(0, len(variants), size):
        block = variants[at : at + size]
        without = left_out[at : at + size]
        system = uniform_system(operator, design, weight, without)

        def solved(system: System = system, block: IndexArray = block) -> tuple[FloatArray, ...]:
            return inverse_forms(
                system.product(np.float32),
                lambda r, _: factor.apply(r),
                design.project(problem.dosages(block)),
                smallest_eigenvalue=1.0 - weight,
                rtol=rtol,
                exact_product=None if is_single else system.product(np.float64),
            )

        low, room = problem.kept.once("denominators", (weight, rtol, block, without), solved)
        high = low + room
        values.append(np.sqrt(low * high))
        rounding = SINGLE_ROUNDING if is_single else ROUNDING
        errors.append(np.sqrt(high / low) - 1.0 + rounding)
    return np.concatenate(values), np.concatenate(errors)
