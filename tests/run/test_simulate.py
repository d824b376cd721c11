"""Simulated cohorts in files: their sizes, their truth, the same bytes again."""

import json
import re

import numpy as np
import polars as pl
import pytest

import nextlmm
from nextlmm.cli.main import main
from nextlmm.cohort.table import read_sample_table
from nextlmm.errors import OutputError, UsageError, VariantError
from nextlmm.genotype.source import open_genotypes
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.run.simulate import simulate
from nextlmm.run.simulate_options import SimulateOptions

SMALL = {"samples": 300, "variants": 800, "chromosomes": 4, "causal": 20}


def made(folder, **choices):
    choices = {"out": str(folder / "s")} | choices
    return simulate(SimulateOptions(**choices))


def columns(path):
    table = read_sample_table(path)
    return {name: np.array(values, float) for name, values in table.columns.items()}


def imputed(prefix, index):
    g = open_genotypes(prefix).dosages(index).astype(float)
    return np.where(np.isnan(g), np.nanmean(g, axis=0), g)


def test_simulate__sizes_and_files(tmp_path):
    run = made(tmp_path, **SMALL)
    source = open_genotypes(str(tmp_path / "s"))
    assert (len(source.samples), len(source.variants)) == (300, 800)
    assert list(dict.fromkeys(source.variants.chromosome)) == ["1", "2", "3", "4"]
    g = source.dosages(np.arange(800))
    assert 0.004 < np.isnan(g).mean() < 0.012
    assert list(columns(tmp_path / "s.traits.txt")) == ["trait", "noise"]
    assert list(columns(tmp_path / "s.covariates.txt")) == ["sex", "age", "batch"]
    assert json.loads((tmp_path / "s.simulation.json").read_text()) == run.document
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in run.files
    )


@pytest.mark.parametrize("structure", ["mixture", "families", "inbred", "unrelated"])
def test_simulate__the_truth_is_in_the_trait(tmp_path, structure):
    made(tmp_path, **SMALL, structure=structure, h2=1.0)
    truth = pl.read_csv(tmp_path / "s.truth.tsv", separator="\t")
    source = open_genotypes(str(tmp_path / "s"))
    at = {name: i for i, name in enumerate(source.variants.variant_id)}
    g = imputed(str(tmp_path / "s"), np.array([at[name] for name in truth["variant_id"]]))
    genetic = g @ truth["beta"].to_numpy()
    assert genetic.std() == pytest.approx(1.0, abs=0.05)  # 0.8 % of the calls are missing
    per_deviation = truth["beta"].to_numpy() * g.std(axis=0)
    np.testing.assert_allclose(per_deviation, truth["beta_per_standard_deviation"], atol=0.02)
    covariates = np.column_stack(list(columns(tmp_path / "s.covariates.txt").values()))
    design = np.column_stack([np.ones(300), covariates, genetic])
    y = columns(tmp_path / "s.traits.txt")["trait"]
    fit, *_ = np.linalg.lstsq(design, y, rcond=None)
    assert fit[-1] == pytest.approx(1.0, abs=0.05)
    assert (y - design @ fit).std() < 0.2


def test_simulate__the_heritability_is_the_one_asked_for(tmp_path):
    made(tmp_path, samples=1000, variants=1000, causal=200, h2=0.6, structure="families")
    truth = pl.read_csv(tmp_path / "s.truth.tsv", separator="\t")
    index = np.array([int(name[1:]) - 1 for name in truth["variant_id"]])
    genetic = imputed(str(tmp_path / "s"), index) @ truth["beta"].to_numpy()
    covariates = np.column_stack(list(columns(tmp_path / "s.covariates.txt").values()))
    x = np.column_stack([np.ones(1000), covariates, genetic])
    y = columns(tmp_path / "s.traits.txt")["trait"]
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    # The variance of 1,000 residuals is known to 4.5 %.
    assert genetic.var() == pytest.approx(0.6, abs=0.03)
    assert rest.var() == pytest.approx(0.4, abs=0.06)


def test_simulate__the_same_bytes_again(tmp_path):
    made(tmp_path, **SMALL, threads=1)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    made(tmp_path, **SMALL, threads=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    made(tmp_path, **SMALL, threads=1, seed=2)
    assert (tmp_path / "s.bed").read_bytes() != first["s.bed"]
    assert (tmp_path / "s.traits.txt").read_bytes() != first["s.traits.txt"]


def test_simulate__kinds_are_what_they_say(tmp_path):
    found = {}
    for structure in ("mixture", "families", "inbred", "unrelated"):
        made(tmp_path, **SMALL, structure=structure)
        g = imputed(str(tmp_path / "s"), np.arange(800))
        z = (g - g.mean(axis=0)) / np.where(g.std(axis=0) > 0, g.std(axis=0), 1.0)
        k = z @ z.T / 800
        off = k[np.triu_indices(300, 1)]
        found[structure] = {
            "heterozygous": (g == 1).mean(),
            "first": np.linalg.eigvalsh(k)[-1],
            "relatives": (off > 0.35).sum(),
        }
    assert found["inbred"]["heterozygous"] < 0.02 < 0.2 < found["unrelated"]["heterozygous"]
    assert found["mixture"]["first"] > 2 * found["unrelated"]["first"]
    assert found["families"]["relatives"] > 300 > found["unrelated"]["relatives"]


def test_simulate__traits_on_given_genotypes(cohort, files, tmp_path):
    run = made(tmp_path, bfile=files["bfile"], causal=30, h2=1.0)
    assert [path.name for path in run.files] == [
        "s.traits.txt",
        "s.covariates.txt",
        "s.truth.tsv",
        "s.simulation.json",
    ]
    truth = pl.read_csv(tmp_path / "s.truth.tsv", separator="\t")
    index = np.array([int(name[1:]) for name in truth["variant_id"]])
    assert not {11, 12} & set(index)  # which do not vary
    genetic = imputed(files["bfile"], index) @ truth["beta"].to_numpy()
    assert genetic.std() == pytest.approx(1.0, rel=1e-4)  # six digits are written
    covariates = np.column_stack(list(columns(tmp_path / "s.covariates.txt").values()))
    design = np.column_stack([np.ones(96), covariates, genetic])
    y = columns(tmp_path / "s.traits.txt")["trait"]
    np.testing.assert_allclose(design @ np.linalg.lstsq(design, y, rcond=None)[0], y, atol=1e-3)
    assert set(run.document["inputs"]) == {"bed", "bim", "fam"}


def test_simulate__is_analysed_as_it_is(tmp_path):
    made(tmp_path, **SMALL, h2=0.8)
    out = str(tmp_path / "s")
    run = gwas(
        GwasOptions(
            bfile=out,
            pheno=f"{out}.traits.txt",
            covar=f"{out}.covariates.txt",
            trait=("trait", "noise"),
            out=str(tmp_path / "run"),
            mode="dense",
            plots=False,
            report=False,
        )
    )
    traits = run.document["traits"]
    assert traits["trait"]["h2"] > traits["noise"]["h2"]
    assert traits["trait"]["variants"]["tested"] > 700


def test_simulate__no_effects_at_all(tmp_path):
    made(tmp_path, samples=50, variants=60, h2=0.0, causal=0)
    assert len((tmp_path / "s.truth.tsv").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"h2": 1.2}, UsageError, "Option h2 is 1.2"),
        ({"causal": 0}, UsageError, "leaves no variant"),
        ({"variants": 50}, UsageError, "Option causal is 100, but there are 50 variants"),
        ({"samples": 3}, UsageError, "Option samples is 3"),
        ({"seed": -1}, UsageError, "Option seed is -1"),
        ({"structure": "familes"}, UsageError, "did you mean families"),
        ({"out": "."}, UsageError, "which is a folder"),
        ({"out": "nowhere/s"}, OutputError, "nowhere does not exist"),
        ({"bfile": "b", "samples": 20}, UsageError, "Option samples is of genotypes that"),
    ],
)
def test_simulate__what_cannot_be(tmp_path, monkeypatch, choices, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=re.escape(message)):
        made(tmp_path, **choices)
    assert list(tmp_path.iterdir()) == []


def test_simulate__causal_variants_that_do_not_vary(files, tmp_path, monkeypatch):
    def fixed(*_, **__):
        effects = np.zeros((240, 1))
        effects[11] = 1.0
        return effects

    monkeypatch.setattr("nextlmm.run.simulate.draw_effects", fixed)
    with pytest.raises(VariantError, match="none of the causal variants varies"):
        made(tmp_path, bfile=files["bfile"], causal=1)
    assert not (tmp_path / "s.traits.txt").exists()


def test_nextlmm_simulate__prints_what_it_made(tmp_path, capsys):
    out = str(tmp_path / "s")
    arguments = ["simulate", "--out", out, "--samples", "60", "--variants", "200"]
    assert main(arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "mixture: 60 samples, 200 variants; seed 1" in text
    command = json.loads((tmp_path / "s.simulation.json").read_text())["command"]
    assert command.startswith(" ".join(["nextlmm", *arguments]))


def test_nextlmm__has_it_for_python(tmp_path):
    options = nextlmm.SimulateOptions(out=str(tmp_path / "s"), samples=20, variants=150)
    assert "20 samples" in repr(nextlmm.simulate(options))
