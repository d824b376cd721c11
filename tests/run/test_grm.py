"""Relationship matrices as files: their definition, other programs, and what they are good for."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import nextlmm
from nextlmm.cli.main import main
from nextlmm.errors import OutputError, UsageError, VariantError
from nextlmm.relatedness.grm_files import read_relationships
from nextlmm.run.grm import write_grm
from nextlmm.run.grm_options import GrmOptions
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

SINGLE = 2.0**-24
"""Relative rounding of a float32."""


def made(files, folder, **choices):
    choices = {"bfile": files["bfile"], "out": str(folder / "k"), "format": "npy"} | choices
    return write_grm(GrmOptions(**choices))


def by_definition(dosage, *, standardized=True):
    z = np.where(np.isnan(dosage), np.nanmean(dosage, axis=0), dosage)
    z = z[:, z.std(axis=0) > 0]
    z = z - z.mean(axis=0)
    if standardized:
        z = z / z.std(axis=0)
    return z @ z.T / z.shape[1]


def columns(cohort):
    return np.setdiff1d(np.arange(240), [11, 12])


@pytest.mark.parametrize("weighting", ["standardized", "centered"])
def test_write_grm__is_its_definition(cohort, files, tmp_path, weighting):
    run = made(files, tmp_path, grm_weighting=weighting)
    expected = by_definition(
        cohort.dosage[:, columns(cohort)], standardized=weighting == "standardized"
    )
    found = read_relationships(tmp_path / "k.npy")
    np.testing.assert_allclose(found.values, expected, rtol=1e-10, atol=1e-12)
    assert found.samples.sample_id.tolist() == cohort.ids
    document = json.loads((tmp_path / "k.grm.json").read_text())
    assert document == run.document
    assert document["relationship_matrix"]["varying"] == 238
    assert document["samples"] == {"in_genotypes": 96, "kept": 96, "excluded": {}}
    (facts,) = document["matrices"]
    assert facts["mean_diagonal"] == pytest.approx(np.diag(expected).mean())
    assert set(document["inputs"]) == {"bed", "bim", "fam"}


def test_write_grm__the_same_bytes_again(files, tmp_path):
    for kind in ("gcta", "gcta-gz", "plink2-text"):
        run = made(files, tmp_path, format=kind, threads=1)
        first = [path.read_bytes() for path in run.files[:-1]]
        made(files, tmp_path, format=kind, threads=1)
        assert [path.read_bytes() for path in run.files[:-1]] == first


def test_write_grm__lists_and_filters(cohort, files, tmp_path):
    (tmp_path / "keep.txt").write_text("".join(f"{name}\n" for name in cohort.ids[10:60]))
    (tmp_path / "out.txt").write_text(f"{cohort.ids[20]}\n")
    (tmp_path / "variants.txt").write_text("".join(f"v{j}\n" for j in range(0, 240, 2)))
    run = made(
        files,
        tmp_path,
        keep=str(tmp_path / "keep.txt"),
        remove=str(tmp_path / "out.txt"),
        extract=str(tmp_path / "variants.txt"),
        chr="1,2",
    )
    rows = [i for i in range(10, 60) if i != 20]
    chosen = np.intersect1d(np.flatnonzero(cohort.chromosome != "X"), np.arange(0, 240, 2))
    chosen = np.setdiff1d(chosen, [12])
    expected = by_definition(cohort.dosage[np.ix_(rows, chosen)])
    found = read_relationships(tmp_path / "k.npy")
    np.testing.assert_allclose(found.values, expected, rtol=1e-10, atol=1e-12)
    assert found.samples.sample_id.tolist() == [cohort.ids[i] for i in rows]
    assert run.document["samples"]["excluded"] == {
        "not in the keep list": 46,
        "in the remove list": 1,
    }


def test_write_grm__pruned_as_a_study_prunes(files, tmp_path):
    run = made(files, tmp_path, grm_prune="50,5,0.2", maf=0.05)
    study = gwas(GwasOptions(**files, grm_prune="50,5,0.2", maf=0.05, loco=False))
    matrix = study.document["traits"]["y"]["relationship_matrix"]
    assert run.document["relationship_matrix"] == matrix
    assert matrix["pruned"]["kept"] < matrix["pruned"]["of"]


def test_write_grm__a_study_with_the_file_is_the_study(files, tmp_path):
    made(files, tmp_path, format="plink2")
    one = gwas(GwasOptions(**files, mode="dense", loco=False)).tables["y"]
    two = gwas(GwasOptions(**files, mode="dense", loco=False, grm=str(tmp_path / "k"))).tables["y"]
    for name in ("beta", "neg_log_10_p_value"):
        np.testing.assert_allclose(
            two[name].drop_nulls().to_numpy(), one[name].drop_nulls().to_numpy(), rtol=1e-6
        )


@pytest.mark.parametrize(("kind", "end"), [("gcta", ".grm.bin"), ("plink2", ".rel.bin")])
def test_write_grm__is_plink(shared_data, tmp_path, kind, end):
    """Centred genotypes with missing ones at the mean, as PLINK 2 relates them.

    Both sum in double precision; what is written has single or double precision.
    """
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not installed")
    prefix = str(shared_data / "rice374_44k" / "geno")
    ours = {"bfile": prefix, "out": str(tmp_path / "ours"), "format": kind}
    write_grm(GrmOptions(**ours, grm_weighting="centered", maf=0.05, chr="3"))
    shape = ["--make-grm-bin", "cov", "meanimpute"]
    if kind == "plink2":
        shape = ["--make-rel", "cov", "meanimpute", "square", "bin"]
    theirs = ["--bfile", prefix, "--out", str(tmp_path / "theirs"), "--maf", "0.05", "--chr", "3"]
    subprocess.run(["plink2", *theirs, *shape], check=True, capture_output=True)
    expected = read_relationships(tmp_path / f"theirs{end}")
    found = read_relationships(tmp_path / f"ours{end}")
    size = np.abs(expected.values).max()
    rounding = 2.0 * SINGLE if kind == "gcta" else 1e-12
    np.testing.assert_allclose(found.values, expected.values, rtol=rounding, atol=rounding * size)
    assert found.samples.sample_id.tolist() == expected.samples.sample_id.tolist()
    ids = {"gcta": ".grm.id", "plink2": ".rel.id"}[kind]
    assert (tmp_path / f"ours{ids}").read_text() == (tmp_path / f"theirs{ids}").read_text()


def test_write_grm__nothing_is_left_of_what_fails(files, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nextlmm.run.grm.write_document", fails)
    before = set(tmp_path.iterdir())
    with pytest.raises(OutputError, match="No space left"):
        made(files, tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_write_grm__no_input_is_overwritten(files, tmp_path):
    (tmp_path / "k.id").write_text("s1\ns2\ns3\n")
    with pytest.raises(OutputError, match="input of this run"):
        made(files, tmp_path, keep=str(tmp_path / "k.id"))
    assert (tmp_path / "k.id").read_text() == "s1\ns2\ns3\n"


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"extract": "v11"}, VariantError, "none of the 1 variants varies among the 96 samples"),
        ({"memory": 1e-5}, UsageError, "relationship matrix of 96 samples takes"),
        ({"out": "."}, UsageError, "which is a folder"),
        ({"format": "gcat"}, UsageError, "did you mean gcta"),
        ({"cutoff": float("nan")}, UsageError, "Option cutoff is nan"),
        ({"grm_prune": "5"}, UsageError, "WINDOW,STEP,R2"),
        ({"maf": 0.7}, UsageError, "Option maf"),
        ({"bfile": None}, UsageError, "No genotypes were named"),
    ],
)
def test_write_grm__what_cannot_be(files, tmp_path, choices, error, message):
    if "extract" in choices:
        (tmp_path / "list.txt").write_text(choices["extract"] + "\n")
        choices = {"extract": str(tmp_path / "list.txt")}
    with pytest.raises(error, match=re.escape(message)):
        made(files, tmp_path, **choices)


def test_nextlmm_grm__prints_counts_and_files(files, tmp_path, capsys):
    out = str(tmp_path / "k")
    arguments = ["grm", "--bfile", files["bfile"], "--out", out, "--grm-prune", "50,5,0.2"]
    assert main(arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "96 samples, standardized variants; mean diagonal 1" in text
    assert re.search(r"\d+ kept of 240 by pruning: window 50 variants, step 5, r2 0.2", text)
    for end in (".grm.bin", ".grm.N.bin", ".grm.id", ".grm.json"):
        assert out + end in text
    command = json.loads((tmp_path / "k.grm.json").read_text())["command"]
    assert command == " ".join(["nextlmm", *arguments[:5], "--grm-prune", "50,5,0.2"])


def test_nextlmm__has_it_for_python(files, tmp_path):
    options = nextlmm.GrmOptions(bfile=files["bfile"], out=str(tmp_path / "k"), format="npy")
    assert "96 samples" in repr(nextlmm.write_grm(options))
