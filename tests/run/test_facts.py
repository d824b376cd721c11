"""What the result document says of a run."""

import pytest

import nextlmm
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas


def facts_of(files, **choices):
    return gwas(GwasOptions(**(files | choices))).document["traits"]["y"]


def test_tested_are_those_with_a_result(files):
    variants = facts_of(files, mode="dense")["variants"]
    assert variants["tested"] == variants["status"]["ok"]
    assert variants["selected"] == sum(variants["status"].values())
    assert variants["tested"] < variants["selected"]


@pytest.mark.parametrize("loco_h2", ["shared", "per-chromosome"])
def test_own_h2__counts_the_hits(files, loco_h2):
    choices = {"mode": "dense", "loco_h2": loco_h2, "hit_threshold": 0.05}
    assert facts_of(files, **choices)["own_h2"] is None
    before = gwas(GwasOptions(**(files | choices))).tables["y"]
    own = facts_of(files, per_variant_h2="hits", **choices)["own_h2"]
    passing = (before["neg_log_10_p_value"] > 1.30103).sum()
    assert own["variants"] == passing
    assert 0 <= own["h2_range"][0] <= own["h2_range"][1] <= 1


def test_own_h2__of_all(files):
    facts = facts_of(files, mode="dense", per_variant_h2="always")
    assert facts["own_h2"]["variants"] == facts["variants"]["tested"]
    assert facts["own_h2"]["p_below"] is None


def test_own_h2__no_hits(files):
    facts = facts_of(files, mode="dense", per_variant_h2="hits", hit_threshold=1e-300)
    assert facts["own_h2"] == {"variants": 0, "h2_range": None, "p_below": 1e-300}


def test_budget__is_what_the_compression_may_cost(files):
    assert facts_of(files, mode="dense")["budget"] is None
    assert facts_of(files, mode="hodlr")["budget"] == {"kl": 0.1, "rank": None}
    assert facts_of(files, mode="hodlr", rank=3)["budget"] == {"kl": None, "rank": 3}


def test_a_run_has_a_short_name(files):
    shown = repr(gwas(GwasOptions(**(files | {"mode": "dense"}))))
    assert shown.startswith("GwasRun(y: ")
    assert len(shown) < 300


def test_a_problem_has_a_short_name(files):
    source = nextlmm.open_genotypes(files["bfile"])
    cohort = nextlmm.align(source.samples, nextlmm.read_sample_table(files["pheno"]), "y")
    summary = nextlmm.summarise_variants(source, cohort.analysed)
    chosen = nextlmm.select_variants(source.variants, summary, len(cohort), nextlmm.VariantFilter())
    problem = nextlmm.make_problem(source, cohort, chosen, summary, nextlmm.Relating(loco=False))
    assert repr(problem) == "Problem(96 samples, 1 fixed effects, 240 variants to test)"


def test_the_stages_make_up_the_run(files):
    document = gwas(GwasOptions(**files)).document
    works = [document["work"], document["traits"]["y"]["work"]]
    assert list(document["work"]) == ["reading tables", "hashing inputs", "writing results"]
    assert {"variant summary", "null model", "association"} <= set(works[1])
    seconds = sum(
        entry["seconds"] for work in works for name, entry in work.items() if " / " not in name
    )
    assert seconds <= document["seconds"]
    assert works[1]["variant summary"]["genotypes"] == 96 * 240
    timings = document["traits"]["y"]["timings"]
    assert timings == {name: works[1][name]["seconds"] for name in timings}
