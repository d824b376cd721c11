"""Iterations and time of the solves with each preconditioner, on the shared cohorts.

    python benchmarks/preconditioners.py --out benchmarks/results

For every cohort, at its own h2 and at h2 = 0.9, the scores of all left-out chromosomes are solved
for to a thousandth of a standard deviation, with: nothing, dominant components, blocks of
relatives, components and blocks, and the hierarchy. Writes preconditioners.jsonl and .md. Beside
the costs stands how well each predicts x'Px: the spread of exact over predicted in an audit of 192
variants, which is what decides how sure the chi-square of a variant is that is no hit.  In the last
row of each the factor that predicts has not seen the variant's chromosome, as it is in a run.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nextlmm.assoc.projected import projected_factor
from nextlmm.cohort.align import align
from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.filters import VariantFilter, select_variants
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.hodlr_levels import (
    COMPONENTS,
    COMPONENTS_AND_BLOCKS,
    LEAVES,
    NOTHING,
    Ranks,
)
from nextlmm.lmm.design import make_design
from nextlmm.progress import Silent
from nextlmm.run.exact.arrange import Arrangement, arrange
from nextlmm.run.exact.denominators import Audit, audited_denominators
from nextlmm.run.exact.forms import exact_forms, forms_to_predict, join_forms, predicted_forms
from nextlmm.run.exact.plan import Cost, Plan
from nextlmm.run.exact.scores import solve_scores
from nextlmm.run.exact.system import uniform_system
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem, Relating, make_problem

KINDS = {
    "none": NOTHING,
    "components": COMPONENTS,
    "blocks": LEAVES,
    "components + blocks": COMPONENTS_AND_BLOCKS,
    "hierarchy": Ranks(),
}
COHORTS = {
    "mouse": ("mouse_hs1940/mouse_hs1940", "mouse_hs1940/mouse.pheno", "CD8", None, 0.60),
    "rice": ("rice374_44k/geno", "rice374_44k/pheno.txt", "Amylose.content", None, 0.91),
    "1kg": ("1kg1092/geno", "1kg1092/pheno.txt", "Y1", "1kg1092/covar.txt", 0.07),
    "synth500": (
        "fastlmm_synth500/geno",
        "fastlmm_synth500/pheno.txt",
        "pheno10",
        "fastlmm_synth500/covar.txt",
        0.61,
    ),
    "sim2k": ("sim2k_50k/geno", "sim2k_50k/pheno.txt", "Y2", "sim2k_50k/covar.txt", 0.76),
    "soy": ("soynam5590/geno", "soynam5590/pheno.txt", "R8", None, 0.90),
}
HIGH = 0.9
COLUMNS = ("cohort", "n", "h2", "preconditioner", "numbers per sample", "build, s", "solve, s")
MORE = ("iterations", "spread of the prediction")
NO_COST = Cost(0.0, 0.0)
AUDIT = Audit(192, 1e-3, 0)
UNSEEN = "hierarchy, without the chromosome"

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--cohorts", nargs="+", default=list(COHORTS), choices=list(COHORTS))
    arguments = parser.parse_args()
    root = _shared()
    if root is None:
        print("nothing was run: there is no folder shared/data beside the checkout")
        return 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (arguments.out / "preconditioners.jsonl").open("w", encoding="utf-8") as lines:
        for name in arguments.cohorts:
            for row in _rows(root, name):
                print(" ".join(str(value) for value in row.values()), flush=True)
                lines.write(json.dumps(row) + "\n")
                lines.flush()
                rows.append(row)
    text = "\n".join(_report(rows)) + "\n"
    (arguments.out / "preconditioners.md").write_text(text, encoding="utf-8")
    return 0


def _shared() -> Path | None:
    for folder in Path(__file__).resolve().parents:
        if (folder / "shared" / "data").is_dir():
            return folder / "shared" / "data"
    return None


def _problem(root: Path, name: str) -> Problem:
    geno, pheno, trait, covar, _ = COHORTS[name]
    source = open_genotypes(root / geno)
    table = None if covar is None else read_sample_table(root / covar)
    cohort = align(source.samples, read_sample_table(root / pheno), trait, covariates=table)
    summary = summarise_variants(source, cohort.analysed)
    selection = select_variants(source.variants, summary, len(cohort), VariantFilter())
    return make_problem(source, cohort, selection, summary, Relating())


def _rows(root: Path, name: str) -> Iterator[Row]:
    problem = _problem(root, name)
    operator = problem.operator()
    plan = Plan("hodlr", "", NO_COST, NO_COST, requested=True)
    arrangement = arrange(problem, operator, Model(), plan)
    for h2 in dict.fromkeys((COHORTS[name][4], HIGH)):
        for kind, ranks in KINDS.items():
            row = {"cohort": name, "n": problem.n, "h2": h2, "preconditioner": kind}
            yield row | _measured(arrangement, ranks, h2)
        row = {"cohort": name, "n": problem.n, "h2": h2, "preconditioner": UNSEEN}
        yield row | _measured(arrangement, Ranks(), h2, unseen=True)


def _measured(arrangement: Arrangement, ranks: Ranks, h2: float, *, unseen: bool = False) -> Row:
    problem, operator = arrangement.problem, arrangement.operator
    design = make_design(problem.covariates)
    chromosomes = np.arange(len(operator.chromosomes))
    begin = time.perf_counter()
    made = arrangement.preconditioner(h2, ranks)
    factor = projected_factor(made, design)
    predictors = [factor] * len(chromosomes)
    if unseen:
        matrix = arrangement.matrix(h2, ranks)
        predictors = [
            projected_factor(matrix.without(int(c)).factor(h2), design) for c in chromosomes
        ]
    built = time.perf_counter()
    system = uniform_system(operator, design, h2, chromosomes)
    scores = solve_scores(problem.y, design, system, factor, z_tolerance=1e-3)
    solved = time.perf_counter()
    groups = [problem.variants[_on(problem, operator.chromosomes, c)] for c in chromosomes]
    forms = join_forms(
        [
            predicted_forms(
                problem,
                design,
                lambda predictor=predictor: predictor,
                py,
                forms_to_predict(problem, py, variants, Silent(), threads=operator.threads),
            )
            for py, variants, predictor in zip(scores.py.T, groups, predictors, strict=True)
        ]
    )
    variants = np.concatenate(groups)
    left_out = np.repeat(chromosomes, [len(group) for group in groups])

    def exact(at: np.ndarray, rtol: float) -> tuple[np.ndarray, np.ndarray]:
        return exact_forms(
            *(problem, design, operator, factor, variants[at], left_out[at]), weight=h2, rtol=rtol
        )

    calibration = audited_denominators(forms, exact, AUDIT).calibration
    return {
        "per_sample": made.nbytes / 8 / made.n,
        "build_s": built - begin,
        "solve_s": solved - built,
        "iterations": scores.iterations,
        "spread": None if calibration is None else calibration.spread,
    }


def _on(problem: Problem, names: Sequence[str], chromosome: int) -> np.ndarray:
    of = problem.source.variants.chromosome[problem.variants]
    return np.asarray(of == names[chromosome])


def _report(rows: Sequence[Row]) -> Iterator[str]:
    yield "# Preconditioners"
    yield ""
    yield "| " + " | ".join((*COLUMNS, *MORE)) + " |"
    yield "|" + "---|" * (len(COLUMNS) + len(MORE))
    for row in rows:
        spread = "" if row["spread"] is None else f"{100 * row['spread']:.2g} %"
        cells = (
            row["cohort"],
            f"{row['n']:,}",
            f"{row['h2']:g}",
            row["preconditioner"],
            f"{row['per_sample']:.0f}",
            f"{row['build_s']:.2f}",
            f"{row['solve_s']:.2f}",
            str(row["iterations"]),
            spread,
        )
        yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
