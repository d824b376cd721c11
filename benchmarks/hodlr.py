"""The hierarchical factor against dense algebra: times, and what the approximation costs.

    python benchmarks/hodlr.py --out benchmarks/results

Simulates cohorts, and on each builds the hierarchy of the relationship matrix from the packed
genotypes, factors Sigma at the h2 of the build, factors it at another h2, and solves; then forms
the same matrix with BLAS and factors it with LAPACK, by the same library on as many threads. Writes
hodlr.jsonl, one line for each number of samples, and hodlr.md. The divergence is exact, from both
log determinants. Every time is the best of a few, dense ones of one.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy import linalg
from threadpoolctl import threadpool_limits

from cohort import Cohort, simulate
from nextlmm.cohort.align import align
from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.filters import VariantFilter, select_variants
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.standardize import standardize
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.dense import weighted_with_identity
from nextlmm.linalg.hierarchy import HierarchicalFactor
from nextlmm.linalg.hodlr_build import Budget
from nextlmm.output.provenance import describe_machine
from nextlmm.relatedness.grm import RelationshipSum, relationship_matrix
from nextlmm.run.compressed.matrix import BUILD_WEIGHT, compress
from nextlmm.run.exact.arrange import arrange
from nextlmm.run.exact.plan import Cost, Plan
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem, Relating, make_problem
from options import parser_of

SIZES, QUICK_SIZES = (2_000, 5_000, 10_000, 20_000), (120, 240)
VARIANTS, QUICK_VARIANTS = 20_000, 300
OTHER_H2, COLUMNS_SOLVED, REPEATS = 0.3, 32, 3
VARIANTS_TOGETHER, PANEL, LARGEST_POTRF = 1024, 2048, 10_000
PLAN = Plan("hodlr", "", Cost(0.0, 0.0), Cost(0.0, 0.0), requested=True)
TIMES = ("order", "build", "factor", "refactor", "solve", "form", "cholesky", "dense solve")
RATIOS = ("build + factor", "factor", "solve")

Row = dict[str, Any]


def main() -> int:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (
        (arguments.out / "hodlr.jsonl").open("w", encoding="utf-8") as lines,
        threadpool_limits(arguments.threads),
    ):
        for n in arguments.sizes:
            with TemporaryDirectory() as scratch:
                cohort = simulate("mixture", Path(scratch), n=n, m=arguments.variants)
                row = _measured(make_problem_of(cohort))
            print(" ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            rows.append(row)
    text = "\n".join(_report(rows, arguments.threads)) + "\n"
    (arguments.out / "hodlr.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="samples")
    parser.add_argument("--variants", type=int, default=VARIANTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.variants = QUICK_SIZES, QUICK_VARIANTS
    return arguments


def make_problem_of(cohort: Cohort) -> Problem:
    """The first trait of a cohort, its variants and its relationships."""
    source = open_genotypes(cohort.bfile)
    aligned = align(source.samples, read_sample_table(cohort.pheno), cohort.traits[0])
    summary = summarise_variants(source, aligned.analysed)
    selection = select_variants(source.variants, summary, len(aligned), VariantFilter())
    return make_problem(source, aligned, selection, summary, Relating())


def _measured(problem: Problem) -> Row:
    seconds: dict[str, float] = {}
    operator = problem.operator()
    model = Model(mode="hodlr")
    seconds["order"], ordered = _timed(lambda: arrange(problem, operator, model, PLAN))
    seconds["build"], matrix = _timed(
        lambda: compress(ordered.operator, ordered.tree.root, Budget(kl=0.1), seed=0)
    )
    hierarchy = matrix.hierarchy

    def factored(h2: float) -> tuple[HierarchicalFactor, float]:
        factor = hierarchy.factor(h2)
        return factor, factor.logdet

    seconds["refactor"], _ = _best(lambda: factored(OTHER_H2))
    seconds["factor"], (factor, logdet) = _best(lambda: factored(BUILD_WEIGHT))
    b = np.random.default_rng(0).standard_normal((problem.n, COLUMNS_SOLVED))
    seconds["solve"], _ = _best(lambda: factor.solve(b))
    del matrix
    exact_logdet = _dense(ordered.problem, b, seconds)
    n = problem.n
    # tr W^-1 Sigma W^-T is n + sum(1 - g) where leaves and cores are those of Sigma itself.
    trace = n + sum(float(np.sum(1.0 - found.core)) for found in factor.corrections)
    kl = (trace - n - exact_logdet + logdet) / 2.0
    return {
        "n": n,
        "m": len(problem.variants),
        **{f"{name.replace(' ', '_')}_s": value for name, value in seconds.items()},
        "numbers_per_sample": factor.nbytes / 8 / n,
        "kl": kl,
        "kl_per_sample": kl / n,
        "logdet_relative_error": abs(logdet - exact_logdet) / abs(exact_logdet),
    }


def _dense(problem: Problem, b: np.ndarray, seconds: dict[str, float]) -> float:
    """Form K in double precision, factor Sigma, solve; the log determinant."""
    seconds["form"], k = _timed(lambda: _relationship(problem))
    sigma = weighted_with_identity(k, BUILD_WEIGHT)
    del k
    seconds["cholesky"], lower = _timed(lambda: _cholesky(sigma))
    seconds["dense solve"], _ = _timed(lambda: linalg.cho_solve((lower, True), b))
    return 2.0 * float(np.log(lower.diagonal()).sum())


def _relationship(problem: Problem) -> np.ndarray:
    """K by dsyrk, beyond 10,000 rows by products of panels, for the reason below."""
    if problem.n <= LARGEST_POTRF:
        return relationship_matrix(problem.total(), overwrite=True)
    n, used = problem.n, problem.related.varying
    total = np.zeros((n, n))
    for start in range(0, len(used), VARIANTS_TOGETHER):
        block = used[start : start + VARIANTS_TOGETHER]
        z = standardize(
            problem.source.dosages(block, problem.samples),
            problem.related.scaling.mean[block],
            problem.related.scaling.scale[block],
        )
        for at in range(0, n, PANEL):
            panel = slice(at, min(at + PANEL, n))
            total[panel, at:] += z[panel] @ z[at:].T
    for at in range(0, n, PANEL):
        panel = slice(at, min(at + PANEL, n))
        total[at:, panel] = total[panel, at:].T
    return relationship_matrix(RelationshipSum(total.T, len(used)), overwrite=True)


def _cholesky(sigma: np.ndarray) -> np.ndarray:
    """The lower factor, in the place of ``sigma``, by potrf.

    In halves beyond 10,000 rows: with several threads dsyrk and potrf of 20,000 crash in some
    versions of OpenBLAS.
    """
    n = len(sigma)
    if n <= LARGEST_POTRF:
        lower, info = linalg.lapack.dpotrf(sigma, lower=1, clean=1, overwrite_a=1)
        if info != 0:
            raise SystemExit("the simulated matrix is not positive definite")
        return np.asarray(lower)
    half = n // 2
    first, below, last = sigma[:half, :half], sigma[half:, :half], sigma[half:, half:]
    first[:] = _cholesky(np.asfortranarray(first))
    below[:] = linalg.blas.dtrsm(1.0, first, below, side=1, lower=1, trans_a=1)
    for at in range(0, len(last), PANEL):
        panel = slice(at, min(at + PANEL, len(last)))
        last[at:, panel] -= np.asfortranarray(below[at:] @ below[panel].T)
    last[:] = _cholesky(np.asfortranarray(last))
    sigma[:half, half:] = 0.0
    return sigma


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def _best(call: Callable[[], Any]) -> tuple[float, Any]:
    timed = [_timed(call) for _ in range(REPEATS)]
    return min(seconds for seconds, _ in timed), timed[-1][1]


def _report(rows: Sequence[Row], threads: int) -> Iterator[str]:
    machine = describe_machine(threads)
    yield "# The hierarchical factor and dense algebra"
    yield ""
    yield (
        f"{machine['processor']}, {threads} threads, {rows[0]['m']:,} variants, h2 = "
        f"{BUILD_WEIGHT:g} and {OTHER_H2:g} for the refactor; seconds, solves with "
        f"{COLUMNS_SOLVED} right-hand sides. Order and build read the genotypes, the refactor does "
        "not; form and Cholesky are those of the same matrix in double precision."
    )
    yield ""
    yield "| n | " + " | ".join(TIMES) + " | KL, nats | KL / n | log det, relative error |"
    yield "|" + "---|" * (len(TIMES) + 4)
    for row in rows:
        cells = [f"{row[name.replace(' ', '_') + '_s']:.3g}" for name in TIMES]
        cells += [f"{row['kl']:.3g}", f"{row['kl_per_sample']:.2g}"]
        cells.append(f"{row['logdet_relative_error']:.2g}")
        yield f"| {row['n']:,} | " + " | ".join(cells) + " |"
    yield ""
    yield "| n | " + " | ".join(f"{name}, times faster" for name in RATIOS) + " |"
    yield "|" + "---|" * (len(RATIOS) + 1)
    for row in rows:
        dense = row["form_s"] + row["cholesky_s"]
        ratios = (
            dense / (row["build_s"] + row["factor_s"]),
            row["cholesky_s"] / row["factor_s"],
            row["dense_solve_s"] / row["solve_s"],
        )
        yield f"| {row['n']:,} | " + " | ".join(f"{ratio:.1f}" for ratio in ratios) + " |"


if __name__ == "__main__":
    sys.exit(main())
