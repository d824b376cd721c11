"""Three pictures of why results can be trusted, and one of what a result looks like.

    python benchmarks/trust.py --out docs/figures

- agreement.png: how far each program is from the exact answer of its own model, from the rows of
  suite.jsonl at one cohort;
- certificate.png: of a simulated cohort, how far the run by products is from dense algebra at the
  same heritability at every variant, against the error that its certificate allows there;
- calibration.png: quantiles of p-values on chromosomes without any effect, by regression and by the
  mixed model, in a cohort of families and populations;
- manhattan.png: the example.

Writes trust.jsonl too, the figures in numbers.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import beta

import nextlmm
from agreement import lambda_gc
from cohort import CAUSAL_FREE, Cohort, simulate
from nextlmm.assoc.scan import scan_model, test_block
from nextlmm.cli.commands.example import example_options
from nextlmm.simulation.example import write_example
from reference import regression
from report import OURS, latest

SIZE, QUICK_SIZE = (2_000, 20_000), (240, 2_000)
KIND, SUITE_SIZE = "families", 2_000
SUITE = Path(__file__).parent / "results" / "suite.jsonl"
ROUNDING = 1e-8  # of the tables that are compared
LEAST = 1e-7  # differences below this are rounding
INCHES, DOTS_PER_INCH = (4.6, 3.6), 150
OURS_COLOUR, OTHER_COLOUR = "#0b6e99", "#9a9a9a"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """One trait of a cohort by products, by dense algebra at the same h2, and by regression."""

    products: pl.DataFrame
    dense: pl.DataFrame
    regression: pl.DataFrame


def main() -> int:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    n, m = QUICK_SIZE if arguments.quick else SIZE
    with TemporaryDirectory() as scratch:
        runs = _run(simulate(KIND, Path(scratch), n=n, m=m), Path(scratch))
        picture = _example(Path(scratch))
    rows = [json.loads(line) for line in SUITE.read_text(encoding="utf-8").splitlines()]
    drawn = {
        "agreement": _agreement(rows),
        "certificate": _certificate(runs),
        "calibration": _calibration(runs),
    }
    said = [{"figure": name, "n": n, "m": m} | facts for name, (_, facts) in drawn.items()]
    for name, (figure, _) in drawn.items():
        figure.savefig(
            arguments.out / f"{name}.png", dpi=DOTS_PER_INCH, metadata={"Software": None}
        )
    (arguments.out / "manhattan.png").write_bytes(picture)
    text = "".join(json.dumps(row) + "\n" for row in said)
    (arguments.out / "trust.jsonl").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--quick", action="store_true", help="a tiny cohort: does it run?")
    return parser.parse_args()


def _run(cohort: Cohort, folder: Path) -> Runs:
    options = nextlmm.GwasOptions(
        bfile=str(cohort.bfile),
        pheno=str(cohort.pheno),
        trait=cohort.traits[:1],
        covar=str(cohort.covar),
        out=str(folder / "products"),
        route="hodlr",
        plots=False,
        report=False,
    )
    run = nextlmm.gwas(options)
    (table,) = run.tables.values()
    (facts,) = run.document["traits"].values()
    return Runs(table, _dense(cohort, facts["h2"]), regression(cohort))


def _dense(cohort: Cohort, h2: float) -> pl.DataFrame:
    """Wald tests of the exact LOCO model at a given h2: variant_id and neg_log_10_p_value."""
    source = nextlmm.open_genotypes(cohort.bfile)
    traits, covariates = (nextlmm.read_sample_table(path) for path in (cohort.pheno, cohort.covar))
    people = nextlmm.align(source.samples, traits, cohort.traits[0], covariates=covariates)
    summary = nextlmm.summarise_variants(source, people.analysed)
    chosen = nextlmm.select_variants(source.variants, summary, len(people), nextlmm.VariantFilter())
    problem = nextlmm.make_problem(source, people, chosen, summary, nextlmm.Relating())
    parts = []
    for left_out in problem.leave_one_out(problem.total()):
        covariance = nextlmm.DenseCovariance(left_out.k)
        model = scan_model(problem.y, problem.covariates, covariance, h2=h2)
        for variants, dosages in problem.dosage_blocks(left_out.variants):
            found = test_block(model, dosages)
            names = source.variants.variant_id[variants]
            columns = {"variant_id": names, "neg_log_10_p_value": found.neg_log_10_p_value}
            parts.append(pl.DataFrame(columns))
    return pl.concat(parts).with_columns(pl.col("neg_log_10_p_value").fill_nan(None))


def _example(folder: Path) -> bytes:
    options = example_options(write_example(folder), folder)
    nextlmm.gwas(options)
    return (folder / "result.height.manhattan.png").read_bytes()


def _agreement(rows: Sequence[dict[str, Any]]) -> tuple[Figure, dict[str, Any]]:
    """Largest difference of -log10 p from the exact answer of the model of each program."""
    found: dict[str, list[float]] = {}
    for row in latest(rows):
        if row["kind"] == "mixture" and row["n"] == SUITE_SIZE and row["agreement"]:
            found.setdefault(row["way"], []).append(row["agreement"]["max_log_p"])
    errors = {
        way: median(values)
        for way, values in found.items()
        if not way.startswith(OURS) or way == "nextlmm --mode hodlr"
    }
    order = sorted(errors, key=lambda way: -errors[way])
    figure, axes = _axes()
    shown = [max(errors[way], LEAST) for way in order]
    colours = [OURS_COLOUR if way.startswith(OURS) else OTHER_COLOUR for way in order]
    axes.barh(range(len(order)), shown, left=LEAST / 2, color=colours, height=0.6)
    axes.set_xscale("log")
    axes.set_xlim(LEAST / 2, 10)
    axes.set_yticks(range(len(order)), order, fontsize=7)
    axes.set_xlabel("largest difference of -log10 p from nextlmm's answer\nto the same model")
    axes.set_title("Against other programs", fontsize=10)
    return figure, {"samples": SUITE_SIZE, "largest difference": errors}


def _certificate(runs: Runs) -> tuple[Figure, dict[str, Any]]:
    """True error of every variant against what its row allows, to the side where it lies."""
    both = runs.products.join(runs.dense, on="variant_id", suffix="_exact").drop_nulls(
        ["neg_log_10_p_value", "neg_log_10_p_value_exact"]
    )
    value, exact, low, high = (
        both[name].to_numpy()
        for name in (
            "neg_log_10_p_value",
            "neg_log_10_p_value_exact",
            "neg_log_10_p_value_low",
            "neg_log_10_p_value_high",
        )
    )
    error = np.abs(value - exact)
    allowed = np.where(exact >= value, high - value, value - low)
    is_outside = error > allowed + ROUNDING
    figure, axes = _axes()
    limits = 1e-7, 1.0
    axes.plot(
        np.maximum(allowed, limits[0]),
        np.maximum(error, limits[0]),
        ".",
        markersize=1.5,
        color=OURS_COLOUR,
        alpha=0.4,
        rasterized=True,
    )
    axes.plot(limits, limits, color="black", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    axes.set_xlabel("error of -log10 p that the certificate allows")
    axes.set_ylabel("error that there is")
    axes.set_title(f"{len(both):,} variants, {int(is_outside.sum())} above the line", fontsize=10)
    return figure, {
        "variants": len(both),
        "outside": int(is_outside.sum()),
        "largest error": float(error.max()),
        "largest allowed": float(allowed.max()),
    }


def _calibration(runs: Runs) -> tuple[Figure, dict[str, Any]]:
    """Quantiles on the chromosomes without effects, with the band of independent variants."""
    places = runs.products.select("variant_id", "chromosome")
    free = places.filter(pl.col("chromosome").is_in(CAUSAL_FREE))
    figure, axes = _axes()
    facts: dict[str, Any] = {}
    tables = {"regression": runs.regression, "nextlmm": runs.products}
    for name, table in tables.items():
        found = table.join(free, on="variant_id", how="semi").drop_nulls("neg_log_10_p_value")
        log_p = np.sort(found["neg_log_10_p_value"].to_numpy())[::-1]
        facts[f"lambda of {name}"] = lambda_gc(log_p)
        expected = -np.log10((np.arange(len(log_p)) + 0.5) / len(log_p))
        colour = OURS_COLOUR if name == OURS else OTHER_COLOUR
        label = f"{name}, lambda {facts[f'lambda of {name}']:.2f}"
        axes.plot(expected, log_p, ".", markersize=3, color=colour, label=label)
    ranks = np.arange(len(expected)) + 1.0
    ends = [-np.log10(beta.ppf(share, ranks, len(ranks) + 1 - ranks)) for share in (0.025, 0.975)]
    axes.fill_between(expected, *ends, color="black", alpha=0.12, linewidth=0)
    axes.plot(expected, expected, color="black", linewidth=0.8)
    axes.set_xlabel("expected -log10 p")
    axes.set_ylabel("observed")
    axes.legend(fontsize=7, loc="upper left")
    axes.set_title("Chromosomes without an effect, in families", fontsize=10)
    return figure, facts | {"variants": len(free)}


def _axes() -> tuple[Figure, Any]:
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.subplots()
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_size(8)
    axes.yaxis.label.set_size(8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


if __name__ == "__main__":
    sys.exit(main())
