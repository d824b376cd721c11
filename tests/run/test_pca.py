"""Principal components against dense eigenvectors and PLINK 2, and what they are good for."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import nextlmm
from nextlmm.cli.main import main
from nextlmm.cohort.table import read_sample_table
from nextlmm.errors import OutputError, UsageError, VariantError
from nextlmm.genotype.source import open_genotypes
from nextlmm.run.options import GwasOptions
from nextlmm.run.pca import pca
from nextlmm.run.pca_options import PcaOptions
from nextlmm.run.pipeline import gwas
from nextlmm.simulation.example import write_example

from .conftest import write_cohort


def made(files, folder, **choices):
    choices = {"bfile": files["bfile"], "out": str(folder / "k"), "plots": False} | choices
    return pca(PcaOptions(**choices))


def dense(dosage):
    """K by its definition, missing genotypes at the mean, and its eigenpairs, descending."""
    z = np.where(np.isnan(dosage), np.nanmean(dosage, axis=0), dosage)
    z = z[:, z.std(axis=0) > 0]
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    values, vectors = np.linalg.eigh(z @ z.T / z.shape[1])
    return values[::-1], vectors[:, ::-1]


def varying(cohort):
    return cohort.dosage[:, np.setdiff1d(np.arange(240), [11, 12])]


def written(path):
    table = read_sample_table(path)
    return table, np.column_stack([np.array(c, float) for c in table.columns.values()])


def test_pca__is_dense_algebra(cohort, files, tmp_path):
    run = made(files, tmp_path, tolerance=1e-10)
    values, vectors = dense(varying(cohort))
    facts = run.document["components"]
    # A residual r bounds the error of a value by r, and the sine of an angle by r / gap.
    np.testing.assert_allclose(facts["eigenvalues"], values[:10], rtol=1e-9)
    along = np.abs(np.einsum("ij,ij->j", run.vectors, vectors[:, :10]))
    np.testing.assert_allclose(along, 1.0, atol=1e-9)
    assert max(facts["residuals"]) == facts["largest_residual"] <= 1e-10
    np.testing.assert_allclose(facts["shares"], values[:10] / 96, rtol=1e-9)
    nearest = [
        min(values[i - 1] - values[i] if i else np.inf, values[i] - values[i + 1]) for i in range(9)
    ]
    np.testing.assert_allclose(facts["gaps"][:9], nearest / values[:9], rtol=1e-6)


def test_pca__files(cohort, files, tmp_path):
    run = made(files, tmp_path, count=4)
    table, vectors = written(tmp_path / "k.eigenvec")
    assert list(table.columns) == ["PC1", "PC2", "PC3", "PC4"]
    assert table.sample_id.tolist() == cohort.ids
    np.testing.assert_allclose(vectors, run.vectors, rtol=1e-8)  # nine digits are written
    assert (tmp_path / "k.eigenvec").read_text().startswith("#FID\tIID\tPC1\tPC2\tPC3\tPC4\n")
    values = np.loadtxt(tmp_path / "k.eigenval")
    np.testing.assert_allclose(values, run.document["components"]["eigenvalues"], rtol=1e-8)
    assert json.loads((tmp_path / "k.pca.json").read_text()) == run.document
    assert (vectors[np.argmax(np.abs(vectors), axis=0), np.arange(4)] > 0).all()


def test_pca__the_same_bytes_on_one_thread_and_on_two(files, tmp_path):
    texts = []
    for threads in (1, 2, 2):
        made(files, tmp_path, threads=threads)
        texts.append([(tmp_path / f"k.{end}").read_bytes() for end in ("eigenvec", "eigenval")])
    assert texts[0] == texts[1] == texts[2]


def test_pca__samples_in_another_order(cohort, files, tmp_path):
    one = made(files, tmp_path, tolerance=1e-10)
    order = np.random.default_rng(3).permutation(96)
    (tmp_path / "other").mkdir()
    two = made(write_cohort(tmp_path / "other", cohort, order), tmp_path, tolerance=1e-10)
    first, second = one.document["components"], two.document["components"]
    np.testing.assert_allclose(first["eigenvalues"], second["eigenvalues"], rtol=1e-9)
    # Angles of r / gap, the smallest gap of this cohort being some thousandths.
    np.testing.assert_allclose(two.vectors, one.vectors[order], atol=1e-6)


def test_pca__lists_filters_and_pruning(cohort, files, tmp_path):
    (tmp_path / "keep.txt").write_text("".join(f"{name}\n" for name in cohort.ids[10:60]))
    keep = str(tmp_path / "keep.txt")
    run = made(files, tmp_path, keep=keep, grm_prune="50,5,0.2", maf=0.05, count=3)
    assert run.document["samples"]["kept"] == 50
    assert run.samples.sample_id.tolist() == cohort.ids[10:60]
    matrix = run.document["relationship_matrix"]
    assert matrix["pruned"]["kept"] < matrix["pruned"]["of"]


def test_pca__is_of_the_matrix_that_grm_writes(files, tmp_path):
    run = made(files, tmp_path, grm_weighting="centered", tolerance=1e-10)
    options = {"grm_weighting": "centered", "format": "npy", "out": str(tmp_path / "k")}
    nextlmm.write_grm(nextlmm.GrmOptions(bfile=files["bfile"], **options))
    k = np.load(tmp_path / "k.npy")
    k = k / np.trace(k) * len(k)
    residual = k @ run.vectors - run.vectors * run.document["components"]["eigenvalues"]
    assert (np.linalg.norm(residual, axis=0) < 1e-9 * np.linalg.norm(k, 2)).all()


def test_pca__serves_as_covariates(files, tmp_path):
    made(files, tmp_path, count=2)
    covar = str(tmp_path / "k.eigenvec")
    run = gwas(GwasOptions(**files | {"covar": covar}, mode="dense", loco=False))
    assert run.document["traits"]["y"]["covariates"] == ["intercept", "PC1", "PC2"]
    assert run.document["traits"]["y"]["n"] == 96


def test_pca__is_plink(tmp_path):
    """The components of PLINK 2, whose matrix divides by 2 p q in place of the variance.

    So they are those of another matrix, and by Davis and Kahan the sine of the angle between the
    two subspaces is at most the norm of the difference over the gap behind them. PLINK 2's are also
    those of its matrix made here, to the six digits that it writes.
    """
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not installed")
    prefix, count = str(write_example(tmp_path).prefix), 2  # of three populations
    theirs = ["--bfile", prefix, "--out", str(tmp_path / "theirs"), "--maf", "0.05"]
    shape = ["--pca", str(count), "meanimpute", "--threads", "1"]
    subprocess.run(["plink2", *theirs, *shape], check=True, capture_output=True)
    table, expected = written(tmp_path / "theirs.eigenvec")
    run = pca(PcaOptions(bfile=prefix, out=str(tmp_path / "k"), count=count, maf=0.05))
    assert table.sample_id.tolist() == run.samples.sample_id.tolist()
    source = open_genotypes(prefix)
    g = source.dosages(np.arange(len(source.variants))).astype(float)
    p = np.nanmean(g, axis=0) / 2
    g, p = g[:, np.minimum(p, 1 - p) >= 0.05], p[np.minimum(p, 1 - p) >= 0.05]
    assert run.document["relationship_matrix"]["selected"] == len(p)
    g = np.where(np.isnan(g), 2 * p, g) - 2 * p
    one = scaled((g / (2 * p * (1 - p))) @ g.T)
    two = scaled((g / g.var(axis=0)) @ g.T)
    cosines = np.linalg.svd(np.linalg.eigh(one)[1][:, -count:].T @ expected)[1]
    np.testing.assert_allclose(cosines, 1.0, atol=1e-5)
    gap = np.linalg.eigvalsh(one)[-count] - np.linalg.eigvalsh(two)[-count - 1]
    bound = np.linalg.norm(one - two, 2) / gap
    sine = np.sqrt(max(0.0, 1 - np.linalg.svd(run.vectors.T @ expected)[1].min() ** 2))
    assert sine <= bound + 1e-5
    assert bound < 0.2  # so that the bound says something


def scaled(k):
    return k / np.trace(k) * len(k)


def test_pca__draws(files, tmp_path):
    run = made(files, tmp_path, plots=True)
    assert [path.name for path in run.files] == [
        "k.eigenvec",
        "k.eigenval",
        "k.pca.png",
        "k.pca.json",
    ]
    first = (tmp_path / "k.pca.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    made(files, tmp_path, plots=True)
    assert (tmp_path / "k.pca.png").read_bytes() == first
    made(files, tmp_path, plots=True, count=1)
    assert (tmp_path / "k.pca.png").read_bytes() != first


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"count": 96}, VariantError, "have at most 95 components, not 96"),
        ({"count": 0}, UsageError, "Option count is 0"),
        ({"count": 2.5}, UsageError, "Option count is 2.5"),
        ({"tolerance": 0.5}, UsageError, "from 1e-12 to 0.01"),
        ({"out": "."}, UsageError, "which is a folder"),
        ({"bfile": None}, UsageError, "No genotypes were named"),
        ({"grm_prune": "5"}, UsageError, "WINDOW,STEP,R2"),
    ],
)
def test_pca__what_cannot_be(files, tmp_path, choices, error, message):
    before = set(tmp_path.iterdir())
    with pytest.raises(error, match=re.escape(message)):
        made(files, tmp_path, **choices)
    assert set(tmp_path.iterdir()) == before


def test_pca__fewer_components_than_samples(cohort, files, tmp_path):
    """The first samples come in pairs, which leave the matrix without as many components."""
    (tmp_path / "keep.txt").write_text("s0\ns1\ns2\ns3\n")
    (tmp_path / "list.txt").write_text("v0\nv1\n")
    lists = {
        name: str(tmp_path / f"{file}.txt")
        for name, file in (("keep", "keep"), ("extract", "list"))
    }
    with pytest.raises(VariantError, match="components, not 3: ask for fewer"):
        made(files, tmp_path, count=3, **lists)


def test_pca__no_input_is_overwritten(files, tmp_path):
    (tmp_path / "k.eigenval").write_text("s1\ns2\ns3\n")
    with pytest.raises(OutputError, match="input of this run"):
        made(files, tmp_path, keep=str(tmp_path / "k.eigenval"))
    assert (tmp_path / "k.eigenval").read_text() == "s1\ns2\ns3\n"


def test_nextlmm_pca__prints_its_certificate(files, tmp_path, capsys):
    out = str(tmp_path / "k")
    arguments = ["pca", "--bfile", files["bfile"], "--out", out, "--count", "3", "--no-plots"]
    assert main(arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "3 components of 96 samples" in text
    assert "residual |K v - lambda v| / lambda of each at most" in text
    assert out + ".eigenvec" in text
    assert json.loads((tmp_path / "k.pca.json").read_text())["command"] == " ".join(
        ["nextlmm", *arguments]
    )


def test_nextlmm__has_it_for_python(files, tmp_path):
    options = nextlmm.PcaOptions(
        bfile=files["bfile"], out=str(tmp_path / "k"), count=2, plots=False
    )
    assert "2 components of 96 samples" in repr(nextlmm.pca(options))
