"""Predictions against the textbook, and what must not change them."""

import gzip
import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import nextlmm
from nextlmm.cli.main import main
from nextlmm.errors import UsageError
from nextlmm.run.null_options import PredictOptions
from nextlmm.run.predict import predict
from nextlmm.testing import reference

from .conftest import make_cohort, write_cohort

N, M = 160, 300
GONE = (3, 50, 101)
"""Samples without the trait."""
ROUNDING = {"rtol": 1e-8, "atol": 1e-10}
"""Of two solves with a matrix whose condition number is some thousands."""


@pytest.fixture(scope="module")
def many():
    return make_cohort(N, M, seed=4)


@pytest.fixture
def paths(many, tmp_path):
    return write_cohort(tmp_path, many, missing_traits=GONE)


def run(paths, **choices):
    return predict(PredictOptions(**(paths | choices)))


def textbook(cohort, h2, *, standardized=True):
    """K of all samples, centred and scaled over those with the trait, and P of these."""
    stay = np.setdiff1d(np.arange(N), GONE)
    x = cohort.dosage[:, np.setdiff1d(np.arange(M), [11, 12])]
    z = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    z = z - z.mean(axis=0)
    if standardized:
        z = z / z.std(axis=0)
    z = z - z[stay].mean(axis=0)
    k = z @ z.T
    k *= len(stay) / np.trace(k[np.ix_(stay, stay)])
    c = np.column_stack([np.ones(len(stay)), cohort.covariate[stay]])
    sigma = h2 * k[np.ix_(stay, stay)] + (1.0 - h2) * np.eye(len(stay))
    return stay, k, c, sigma, reference.projection(c, sigma)


@pytest.mark.parametrize(
    "choices", [{}, {"grm_weighting": "centered"}, {"route": "plain"}, {"method": "ml"}], ids=str
)
def test_predict__genetic_values_are_those_of_the_textbook(many, paths, choices):
    made = run(paths, **choices)
    h2 = made.table["h2"][0]
    standardized = choices.get("grm_weighting") != "centered"
    stay, k, _, _, p = textbook(many, h2, standardized=standardized)
    expected = h2 * k[:, stay] @ p @ many.y[stay]
    blup = made.tables["y"]["blup"]
    assert blup["IID"].to_list() == many.ids
    assert abs(expected[stay].mean()) < 1e-10
    np.testing.assert_allclose(blup["g_hat"], expected, **ROUNDING)


@pytest.mark.parametrize("weighting", ["standardized", "centered"])
def test_predict__weights_are_the_genetic_values(many, paths, weighting):
    made = run(paths, grm_weighting=weighting)
    weights, blup = made.tables["y"]["weights"], made.tables["y"]["blup"]
    used = np.setdiff1d(np.arange(M), [11, 12])
    assert weights["variant_id"].to_list() == [f"v{j}" for j in used]
    x = many.dosage[:, used]
    x = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    score = x @ weights["weight"].to_numpy()
    stay = np.setdiff1d(np.arange(N), GONE)
    np.testing.assert_allclose(score - score[stay].mean(), blup["g_hat"], **ROUNDING)


def test_predict__a_weight_is_h2_x_p_y_over_the_trace(many, paths):
    """Of one variant, by the formula as it is written for centred dosages."""
    made = run(paths, grm_weighting="centered")
    h2 = made.table["h2"][0]
    stay, _, _, _, p = textbook(many, h2, standardized=False)
    x = many.dosage[:, np.setdiff1d(np.arange(M), [11, 12])]
    x = np.where(np.isnan(x), np.nanmean(x, axis=0), x)[stay]
    x = x - x.mean(axis=0)
    expected = h2 * len(stay) / np.sum(x**2) * (x.T @ p @ many.y[stay])
    np.testing.assert_allclose(made.tables["y"]["weights"]["weight"], expected, **ROUNDING)


def left_out_one_by_one(many, h2):
    """Correlation and mean squared errors of every sample by the others, at the same h2 and K."""
    stay, k, c, sigma, _ = textbook(many, h2)
    y, own = many.y[stay], k[np.ix_(stay, stay)]
    genetic, adjusted = np.empty(len(y)), np.empty(len(y))
    for i in range(len(y)):
        rest = np.delete(np.arange(len(y)), i)
        inverse = np.linalg.inv(sigma[np.ix_(rest, rest)])
        information = c[rest].T @ inverse @ c[rest]
        beta = np.linalg.solve(information, c[rest].T @ inverse @ y[rest])
        genetic[i] = h2 * own[i, rest] @ inverse @ (y[rest] - c[rest] @ beta)
        adjusted[i] = y[i] - c[i] @ beta
    r = np.corrcoef(genetic, adjusted)[0, 1]
    return r, np.mean((adjusted - genetic) ** 2), np.mean(adjusted**2)


def test_predict__leave_one_out_is_leaving_out_one(many, paths):
    """Every sample by generalised least squares of the others."""
    made = run(paths)
    r, mse, alone = left_out_one_by_one(many, made.table["h2"][0])
    n = N - len(GONE)
    found = made.document["traits"]["y"]["prediction"]["leave_one_out"]
    assert found["samples"] == found["of"] == found["solved"] == n
    assert found["correlation"] == pytest.approx(r, rel=1e-8)
    assert found["correlation_se"] == pytest.approx((1 - r**2) / np.sqrt(n - 1), rel=1e-8)
    assert found["mean_squared_error"] == pytest.approx(mse, rel=1e-8)
    assert found["mean_squared_error_covariates"] == pytest.approx(alone, rel=1e-8)
    assert r > 0.2  # there are relatives, and a trait with genetics
    assert mse < alone


BY_PRODUCTS = ("hodlr", "components", "plain")


@pytest.mark.parametrize("route", BY_PRODUCTS)
def test_predict__by_products_within_the_error_that_it_states(many, paths, route):
    made = run(paths, route=route)
    h2, sigma_g2 = made.table["h2"][0], made.table["sigma_g2"][0]
    stay, k, _, _, p = textbook(many, h2)
    expected = h2 * k[:, stay] @ p @ many.y[stay]
    facts = made.document["traits"]["y"]["prediction"]
    assert 0.0 < facts["error"] <= 1e-8
    allowed = facts["error"] * np.sqrt(sigma_g2 * k.diagonal()) + 1e-12
    assert (np.abs(made.tables["y"]["blup"]["g_hat"].to_numpy() - expected) <= allowed).all()
    r, mse, _ = left_out_one_by_one(many, h2)
    found = facts["leave_one_out"]
    assert (found["solved"], found["samples"]) == (64, len(stay))
    assert 0.0 < found["correlation_error"] < 0.05
    assert abs(found["correlation"] - r) < 4.0 * found["correlation_error"]
    assert abs(found["mean_squared_error"] - mse) < 4.0 * found["mean_squared_error_error"]
    assert made.table["correlation_error"][0] == found["correlation_error"]


def test_predict__little_memory_leads_to_products(paths, capsys):
    made = run(paths, memory=0.05)
    facts = made.document["traits"]["y"]
    assert facts["certificate"]["plan"]["route"] != "dense"
    assert facts["prediction"]["leave_one_out"]["solved"] == 64


def test_predict__by_products_also_with_dense_algebra_in_single_precision(many, paths, monkeypatch):
    """As beyond 3,000 samples: the factor is nearly exact, and so is the accuracy."""
    monkeypatch.setattr("nextlmm.run.exact.plan.LARGEST_DOUBLE", 100)
    made = run(paths, route="dense")
    r, mse, _ = left_out_one_by_one(many, made.table["h2"][0])
    found = made.document["traits"]["y"]["prediction"]["leave_one_out"]
    assert found["correlation"] == pytest.approx(r, abs=1e-4)  # P_ii is solved for to 1e-4
    assert found["mean_squared_error"] == pytest.approx(mse, rel=1e-4)
    assert found["correlation_error"] < 1e-4


@pytest.mark.parametrize("route", ["dense", "plain"])
def test_predict__by_any_route_samples_without_themselves_need_their_covariates(
    many, paths, tmp_path, route
):
    """Of covariates that nearly explain one sample, the leverage is nearly 1."""
    path = tmp_path / "covariates.txt"
    lines = [f"{name} {1000.0 if i == 7 else many.covariate[i]}" for i, name in enumerate(many.ids)]
    path.write_text("IID c\n" + "\n".join(lines) + "\n")
    made = run(paths, covar=str(path), route=route)
    cohort = replace(many, covariate=np.where(np.arange(N) == 7, 1000.0, many.covariate))
    r, mse, _ = left_out_one_by_one(cohort, made.table["h2"][0])
    found = made.document["traits"]["y"]["prediction"]["leave_one_out"]
    assert abs(found["correlation"] - r) < max(1e-8, 4.0 * found["correlation_error"])
    assert abs(found["mean_squared_error"] - mse) < max(
        1e-8 * mse, 4.0 * found["mean_squared_error_error"]
    )


def test_predict__accuracy_of_noise_is_none(many, paths, tmp_path):
    """Predictions of what is not inherited are uncorrelated with it: no mean is in common."""
    found = []
    for seed in range(6):
        noise = replace(many, y=np.random.default_rng(seed).normal(size=N))
        made = run(write_cohort(tmp_path, noise))
        correlation = made.table["correlation"][0]
        if correlation is not None:
            found.append(correlation)
    # six values of standard deviation 1 / sqrt(n): five standard errors of their mean
    assert abs(np.mean(found)) < 5.0 / np.sqrt(N * len(found))


def test_predict__order_of_samples_changes_nothing(many, paths, tmp_path_factory):
    first = run(paths)
    order = np.random.default_rng(3).permutation(N)
    other = write_cohort(tmp_path_factory.mktemp("p"), many, order, missing_traits=GONE)
    second = run(other)
    at = {name: i for i, name in enumerate(many.ids)}
    rows = [at[name] for name in second.tables["y"]["blup"]["IID"]]
    # two searches for h2 agree to about 1e-6 of its standard error
    close = {"rtol": 1e-5, "atol": 1e-7}
    expected = first.tables["y"]["blup"]["g_hat"].to_numpy()[rows]
    np.testing.assert_allclose(second.tables["y"]["blup"]["g_hat"], expected, **close)
    for name in ("correlation", "mean_squared_error"):
        assert second.table[name][0] == pytest.approx(first.table[name][0], rel=1e-5)


def test_predict__a_flipped_allele_flips_its_weight_alone(many, paths, tmp_path_factory):
    first = run(paths)
    dosage = many.dosage.copy()
    dosage[:, ::2] = 2.0 - dosage[:, ::2]
    folder = tmp_path_factory.mktemp("f")
    second = run(write_cohort(folder, replace(many, dosage=dosage), missing_traits=GONE))
    sign = np.where(np.setdiff1d(np.arange(M), [11, 12]) % 2 == 0, -1.0, 1.0)
    one, two = (made.tables["y"]["weights"]["weight"].to_numpy() for made in (first, second))
    np.testing.assert_allclose(two, sign * one, rtol=1e-5, atol=1e-8)
    one, two = (made.tables["y"]["blup"]["g_hat"].to_numpy() for made in (first, second))
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-7)


def test_predict__block_size_changes_nothing(paths, monkeypatch):
    first = run(paths)
    monkeypatch.setattr("nextlmm.relatedness.columns._BLOCK_ITEMS", 1)
    monkeypatch.setattr("nextlmm.relatedness.columns._FEWEST_COLUMNS", 7)
    monkeypatch.setattr("nextlmm.lmm.leave_one_out._BLOCK", 13)
    second = run(paths)
    for kind, column in (("weights", "weight"), ("blup", "g_hat")):
        one, two = (made.tables["y"][kind][column].to_numpy() for made in (first, second))
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-12)
    assert second.table["correlation"][0] == pytest.approx(first.table["correlation"][0], rel=1e-9)


def test_predict__other_genotypes_make_the_matrix(many, paths, tmp_path_factory):
    """The weights are of their variants; their samples are found by ID."""
    order = np.random.default_rng(5).permutation(N)
    other = write_cohort(tmp_path_factory.mktemp("o"), many, order)
    one, two = run(paths), run(paths, grm_bfile=other["bfile"])
    for kind, column in (("weights", "weight"), ("blup", "g_hat")):
        first, second = (made.tables["y"][kind][column].to_numpy() for made in (one, two))
        np.testing.assert_allclose(second, first, rtol=1e-5, atol=1e-7)


def test_predict__a_sample_with_a_covariate_of_its_own_is_said_to_be(many, paths, tmp_path):
    path = tmp_path / "covariates.txt"
    lines = [f"{name} {'lone' if i == 7 else 'ab'[i % 2]}" for i, name in enumerate(many.ids)]
    path.write_text("IID site\n" + "\n".join(lines) + "\n")
    made = run(paths)
    found = made.document["traits"]["y"]["prediction"]["leave_one_out"]
    assert found["of"] - found["samples"] == 1
    assert np.isfinite(found["correlation"])


def test_predict__keep_and_remove_say_who_is_predicted(many, paths, tmp_path):
    (tmp_path / "out.txt").write_text(f"{many.ids[3]}\n{many.ids[9]}\n")
    made = run(paths, remove=str(tmp_path / "out.txt"))
    blup = made.tables["y"]["blup"]
    assert blup["IID"].to_list() == [name for i, name in enumerate(many.ids) if i not in (3, 9)]
    facts = made.document["traits"]["y"]["prediction"]
    assert (facts["samples"], facts["without_trait"]) == (N - 2, 2)


def test_predict__writes_what_it_returns(paths, tmp_path):
    made = run(paths)
    with gzip.open(tmp_path / "result.y.weights.tsv.gz", "rt") as handle:
        header, *rows = [line.rstrip("\n").split("\t") for line in handle]
    assert header == [
        *("chromosome", "base_pair_location", "variant_id", "effect_allele", "other_allele"),
        *("effect_allele_frequency", "weight"),
    ]
    weight = np.array([float(row[-1]) for row in rows])
    np.testing.assert_allclose(weight, made.tables["y"]["weights"]["weight"], rtol=1e-8)
    blup = pl.read_csv(tmp_path / "result.y.blup.tsv", separator="\t")
    assert blup.columns == ["FID", "IID", "g_hat"]
    document = json.loads((tmp_path / "result.predict.json").read_text())
    facts = document["traits"]["y"]
    assert facts["prediction"]["leave_one_out"]["correlation"] == made.table["correlation"][0]
    assert facts["prediction"]["without_trait"] == len(GONE)
    assert facts["files"]["weights"] == str(tmp_path / "result.y.weights.tsv.gz")
    assert made.files[-1] == tmp_path / "result.predict.json"


def test_predict__plink2_scores_the_samples_with_the_weights(tmp_path):
    """Sums of the weights are the genetic values but for one constant; no genotype is missing.

    Weights have nine digits in the file, and PLINK 2 writes six.
    """
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not installed")
    cohort = make_cohort(N, M, seed=4, missing=0.0)
    made = run(write_cohort(tmp_path, cohort, missing_traits=GONE))
    score = ["--score", str(tmp_path / "result.y.weights.tsv.gz"), "3", "4", "7", "header"]
    out = ["cols=+scoresums", "--out", str(tmp_path / "scored")]
    genotypes = ["--bfile", str(tmp_path / "geno"), "--allow-extra-chr"]
    subprocess.run(["plink2", *genotypes, *score, *out], check=True, capture_output=True)
    table = pl.read_csv(tmp_path / "scored.sscore", separator="\t")
    sums = table["SCORE1_SUM"].to_numpy()
    genetic = made.tables["y"]["blup"]["g_hat"].to_numpy()
    assert table["IID"].to_list() == cohort.ids
    np.testing.assert_allclose(
        sums - sums.mean(), genetic - genetic.mean(), atol=1e-5 * np.abs(sums).max()
    )


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"grm": "k"}, "Option grm has no use here, because nextlmm predict gives effects"),
        ({"pedigree": "p"}, "Option pedigree has no use here"),
        ({"mode": "hodlr"}, "predicts with the exact matrix"),
        ({"report": True}, "Option report has no use here"),
    ],
    ids=str,
)
def test_predict__what_cannot_be(paths, tmp_path, choices, message):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=message):
        run(paths, **choices)
    assert sorted(tmp_path.iterdir()) == before


def test_nextlmm_predict__says_how_well(paths, capsys):
    arguments = ["predict", "--bfile", paths["bfile"], "--pheno", paths["pheno"]]
    assert main([*arguments, "--out", paths["out"]]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "effects of 298 variants; genetic values of 160 samples, 3 of them without" in text
    assert "leave-one-out: correlation 0." in text
    assert paths["out"] + ".y.weights.tsv.gz" in text


def test_nextlmm__has_it_for_python(paths):
    run = nextlmm.predict(nextlmm.PredictOptions(**paths))
    assert set(run.tables["y"]) == {"weights", "blup"}


@pytest.mark.parametrize("route", ["dense", "plain"])
def test_predict__a_notebook_shows_what_the_summary_says(paths, route):
    made = run(paths, route=route)
    html = made._repr_html_()
    null = made.document["traits"]["y"]
    assert f"{null['h2']:.4f} (standard error {null['h2_se']:.3f})" in html
    assert "Effects of 298 variants" in html
    assert ("solved for 64 of the 157 samples" in html) == (route == "plain")
    pytest.importorskip("pandas")
    assert made.to_pandas()["h2"][0] == made.table["h2"][0]
