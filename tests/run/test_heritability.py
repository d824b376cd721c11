"""The null model alone: the numbers of a study, without its tests."""

import json
import shlex
from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest

import nextlmm
from nextlmm.cli.main import main
from nextlmm.errors import FormatError, OutputError, TraitError, UsageError
from nextlmm.run.grm import write_grm
from nextlmm.run.grm_options import GrmOptions
from nextlmm.run.heritability import estimate_h2
from nextlmm.run.null_options import OF_MATRICES, OF_TESTS, H2Options, PredictOptions
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.run.rebuild import rebuild_report

from .conftest import write_cohort

SAME = (
    *("n", "n_covariates", "covariates", "method", "h2", "h2_se", "h2_interval", "h2_boundary"),
    *("h2_reml", "h2_ml", "sigma_g2", "sigma_e2", "log_likelihood", "log_likelihood_reml"),
    *("log_likelihood_ml", "covariate_effects", "samples"),
)

FOR_MATRICES = {
    *("bfile", "pfile", "bgen", "bimbam", "sample", "annotation", "vcf", "zarr", "vcf_field"),
    *("pheno", "out", "trait", "covar", "covar_name", "cat_covar", "covar_formula", "rint"),
    *("mode", "method", "route", "order", "relatives", "grm", "grm_id", "pedigree", "grm_bfile"),
    *("grm_weighting", "grm_extract", "grm_prune", "kl_tolerance", "rank", "leaf_size", "maf"),
    *("mac", "chr", "max_missing", "hwe", "keep", "remove", "extract", "exclude", "memory"),
    *("threads", "seed", "cluster"),
}
"""The options of a study that a null model alone has a use for."""


def estimated(files, **choices):
    return estimate_h2(H2Options(**(files | choices)))


def compared(files, alone=None, **choices):
    """The facts of a trait by a study and by the null model alone."""
    study = gwas(GwasOptions(**(files | choices))).document["traits"]["y"]
    found = estimated(files, **(choices if alone is None else alone)).document["traits"]["y"]
    for name in SAME:
        assert found[name] == study[name], name
    return study, found


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"mode": "dense"},
        {"route": "hodlr", "leaf_size": 16},
        {"route": "components"},
        {"route": "plain"},
        {"method": "ml"},
        {"method": "he", "route": "plain"},
        {"maf": 0.2, "chr": "1,2", "rint": True, "grm_weighting": "centered"},
        {"grm_prune": "50,5,0.2"},
    ],
    ids=str,
)
def test_estimate_h2__the_numbers_are_those_of_a_study(files, choices):
    compared(files, **choices)


def test_estimate_h2__products_in_hodlr_mode(files, monkeypatch):
    monkeypatch.setattr("nextlmm.run.compressed.find.SMALLEST", 50)
    study, found = compared(files, mode="hodlr", rank=48, leaf_size=16)
    study, found = study["certificate"], found["certificate"]
    assert found["h2_exact"] == study["h2_exact"]
    assert found["h2_error"] == study["h2_error"]
    assert found["h2_exact_monte_carlo_error"] == study["h2_monte_carlo_error"]


@pytest.mark.usefixtures("single")
def test_estimate_h2__dense_algebra_in_single_precision(files):
    _, found = compared(files, route="dense")
    assert found["certificate"]["h2_probes"] == 0


@pytest.fixture
def single(monkeypatch):
    """Dense algebra as it is for many samples."""
    monkeypatch.setattr("nextlmm.run.exact.plan.LARGEST_DOUBLE", 1)


def test_estimate_h2__the_exact_h2_beside_a_compressed_one(files):
    study, found = compared(files, mode="hodlr", rank=2, leaf_size=16)
    for name in ("h2_exact", "h2_error", "ranks"):
        assert found["certificate"][name] == study["certificate"][name]


def test_estimate_h2__a_given_matrix_needs_no_word_about_loco(files, tmp_path):
    write_grm(GrmOptions(bfile=files["bfile"], out=str(tmp_path / "k"), format="plink2"))
    grm = str(tmp_path / "k")
    _, found = compared(files, {"grm": grm}, grm=grm, loco=False)
    assert found["relationship_matrix"] == {"given": grm, "chromosomes": []}
    assert estimated(files, grm=grm).table["n_variants"].to_list() == [None]


def test_estimate_h2__matrices_of_chromosomes(files, tmp_path):
    write_grm(GrmOptions(bfile=files["bfile"], out=str(tmp_path / "k"), per_chromosome=True))
    _, found = compared(files, grm=str(tmp_path / "k.chr@"))
    assert found["relationship_matrix"]["chromosomes"] == ["1", "2", "X"]


def test_estimate_h2__a_pedigree(cohort, files, tmp_path):
    path = tmp_path / "pedigree.txt"
    lines = [f"{name} f{i // 4} m{i // 4}\n" for i, name in enumerate(cohort.ids)]
    path.write_text("IID father mother\n" + "".join(lines))
    compared(files, {"pedigree": str(path)}, pedigree=str(path), loco=False)


def test_estimate_h2__one_chromosome_is_enough(cohort, tmp_path):
    files = write_cohort(tmp_path, replace(cohort, chromosome=np.full(240, "4")))
    compared(files, {}, loco=False)


def test_estimate_h2__writes_a_row_for_each_trait(cohort, files, tmp_path):
    lines = (tmp_path / "traits.txt").read_text().splitlines()
    rng = np.random.default_rng(0)
    both = [f"{lines[0]} z"] + [
        f"{line} {'NA' if i < 9 else rng.normal()}" for i, line in enumerate(lines[1:])
    ]
    (tmp_path / "traits.txt").write_text("\n".join(both) + "\n")
    run = estimated(files, trait=("z", "y"))
    assert run.table["trait"].to_list() == ["z", "y"]
    assert run.table["n"].to_list() == [87, 96]
    assert run.table["n_variants"].to_list()[1] == 238
    written = pl.read_csv(tmp_path / "result.h2.tsv", separator="\t", null_values="#NA")
    assert written.columns == run.table.columns
    for name in ("h2", "sigma_g2", "log_likelihood"):
        np.testing.assert_allclose(written[name], run.table[name], rtol=1e-8)  # nine digits
    document = json.loads((tmp_path / "result.h2.json").read_text())
    assert document["traits"]["y"]["h2"] == run.table["h2"][1]
    assert set(document["inputs"]) == {"bed", "bim", "fam", "pheno", "covar"}
    assert not OF_TESTS & set(document["options"])
    assert [path.name for path in run.files] == ["result.h2.tsv", "result.h2.json"]
    assert "z: h2 = " in repr(run)


def test_estimate_h2__the_same_bytes_again(files, tmp_path):
    estimated(files)
    first = (tmp_path / "result.h2.tsv").read_bytes()
    estimated(files)
    assert (tmp_path / "result.h2.tsv").read_bytes() == first


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"test": "score"}, UsageError, "Option test has no use here"),
        ({"loco": True}, UsageError, "Option loco has no use here"),
        ({"trait": "hight"}, TraitError, "no trait 'hight'"),
        ({"out": "."}, UsageError, "folder"),
        ({"out": "/nonexistent/folder/x"}, OutputError, "does not exist"),
    ],
    ids=str,
)
def test_estimate_h2__what_cannot_be(files, tmp_path, choices, error, message):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=message):
        estimated(files, **choices)
    assert sorted(tmp_path.iterdir()) == before


def test_options__every_option_of_a_study_is_of_matrices_or_of_tests():
    """A new option of a study must be sorted here, or a run without tests would ignore it."""
    assert {field.name for field in fields(GwasOptions)} == FOR_MATRICES | OF_TESTS
    assert not FOR_MATRICES & OF_TESTS
    assert OF_MATRICES < FOR_MATRICES


@pytest.mark.parametrize("kind", [H2Options, PredictOptions])
def test_options__the_command_repeats_the_run(files, kind):
    paths = {name: files[name] for name in ("bfile", "pheno", "out")}
    options = kind(**paths, maf=0.1, trait=("y",))
    assert shlex.split(options.to_command())[:2] == ["nextlmm", options.command]
    assert shlex.split(options.to_command())[2:] == [
        *("--bfile", files["bfile"], "--pheno", files["pheno"], "--out", files["out"]),
        *("--trait", "y", "--maf", "0.1"),
    ]


def test_nextlmm_h2__prints_what_a_study_prints(files, capsys):
    study = ["gwas", "--bfile", files["bfile"], "--pheno", files["pheno"], "--no-plots"]
    assert main([*study, "--no-report", "--out", files["out"]]) == 0
    before = capsys.readouterr().out.splitlines()
    alone = ["h2", "--bfile", files["bfile"], "--pheno", files["pheno"], "--no-loco", "--no-plots"]
    assert main([*alone, "--out", files["out"]]) == 0
    after = capsys.readouterr().out.splitlines()
    at = before.index(next(line for line in before if line.startswith("  h2 ")))
    assert before[at : at + 4] == after[after.index(before[at]) :][:4]
    assert "  model        y ~ 1 + g + e" in after
    assert any("240 in the genotype file -> 240 selected -> 238 that vary" in a for a in after)
    assert files["out"] + ".h2.json" in " ".join(after)
    assert not any("lambda" in line or "loci" in line for line in after)


def test_nextlmm_h2__options_of_tests_are_named(files, capsys):
    arguments = ["h2", "--bfile", files["bfile"], "--pheno", files["pheno"], "--out", files["out"]]
    assert main([*arguments, "--test", "lrt"]) == 2
    assert "nextlmm h2 tests no variant" in capsys.readouterr().err
    assert main(["h2", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--grm-prune" in shown
    assert "--hit-threshold" not in shown


def test_nextlmm__has_it_for_python(files):
    run = nextlmm.estimate_h2(nextlmm.H2Options(**files))
    assert isinstance(run, nextlmm.NullRun)


def test_nextlmm_report__is_of_tests(files, tmp_path):
    estimated(files)
    with pytest.raises(FormatError, match="file that nextlmm gwas wrote"):
        rebuild_report(str(tmp_path / "result.h2.json"))
