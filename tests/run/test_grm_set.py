"""Relationship matrices of single chromosomes, for LOCO with given matrices."""

import shutil
import subprocess

import numpy as np
import pytest

from nextlmm.errors import FormatError, MissingFileError, UsageError, VariantError
from nextlmm.relatedness.grm_files import read_relationships
from nextlmm.relatedness.grm_pattern import is_pattern, split_pattern
from nextlmm.relatedness.grm_set import open_relationship_set
from nextlmm.run.grm import write_grm
from nextlmm.run.grm_options import GrmOptions
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas


@pytest.fixture
def pattern(files, tmp_path):
    options = GrmOptions(bfile=files["bfile"], out=str(tmp_path / "k"), per_chromosome=True)
    run = write_grm(options)
    assert [facts["chromosome"] for facts in run.document["matrices"]] == ["1", "2", "X"]
    return str(tmp_path / "k.chr@")


def run(files, **choices):
    result = gwas(GwasOptions(**(files | choices)))
    return result.tables["y"], result.document["traits"]["y"]


CLOSE = {"rtol": 2e-5, "atol": 1e-6}
"""Entries have the rounding of float32, 6e-8, which n = 96 of them add up to less than this."""


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "dense"},
        {"route": "dense"},
        {"mode": "hodlr", "kl_tolerance": 1e-9},
        {"mode": "dense", "loco_h2": "per-chromosome"},
        {"mode": "dense", "loco": False},
    ],
)
def test_gwas__matrices_by_chromosome_are_the_genotypes(files, pattern, tmp_path, options):
    expected, _ = run(files, **options)
    found, facts = run(files, grm=pattern, **options)
    for name in ("beta", "standard_error", "neg_log_10_p_value"):
        np.testing.assert_allclose(
            found[name].drop_nulls().to_numpy(), expected[name].drop_nulls().to_numpy(), **CLOSE
        )
    assert facts["warnings"] == []
    assert facts["relationship_matrix"] == {"given": pattern, "chromosomes": ["1", "2", "X"]}
    log = "".join((tmp_path / "result.log").read_text().split())
    assert f"givenby{pattern}(chromosomes1,2,X)" in log


def test_gwas__some_samples_in_another_order(cohort, files, pattern, tmp_path, rng):
    """The files' rows are permuted, each pair has a number of variants of its own, some lack."""
    order = rng.permutation(len(cohort.y))[5:]
    lower = np.tril_indices(len(order))
    total, counts, parts = 0.0, 0.0, {}
    for name in ("1", "2", "X"):
        k = read_relationships(tmp_path / f"k.chr{name}.grm.bin").values[np.ix_(order, order)]
        k += np.eye(len(order))  # so that unequal counts leave it positive definite
        n = rng.integers(70, 80, k.shape).astype(float)
        n = np.tril(n) + np.tril(n, -1).T
        k.astype("<f4")[lower].tofile(tmp_path / f"k.chr{name}.grm.bin")
        n.astype("<f4")[lower].tofile(tmp_path / f"k.chr{name}.grm.N.bin")
        ids = "".join(f"{cohort.ids[i]}\t{cohort.ids[i]}\n" for i in order)
        (tmp_path / f"k.chr{name}.grm.id").write_text(ids)
        parts[name] = n * k, n
        total, counts = total + n * k, counts + n
    table, _ = run(files, mode="dense", loco_h2="per-chromosome", grm=pattern)
    for name, (own, n) in parts.items():
        k = (total - own) / (counts - n)
        np.save(tmp_path / "rest.npy", k)
        shutil.copy(tmp_path / "k.chr1.grm.id", tmp_path / "rest.id")
        single, _ = run(files, mode="dense", loco=False, grm=str(tmp_path / "rest.npy"))
        at = np.flatnonzero(table["chromosome"].to_numpy() == name)
        np.testing.assert_allclose(
            table["beta"].to_numpy()[at], single["beta"].to_numpy()[at], **CLOSE
        )


def test_gwas__a_chromosome_without_a_matrix_is_named(files, pattern, tmp_path):
    for end in (".grm.bin", ".grm.N.bin", ".grm.id"):
        (tmp_path / f"k.chr2{end}").unlink()
    _, facts = run(files, mode="dense", grm=pattern)
    (warning,) = facts["warnings"]
    assert "no variant of the relationship matrix is on chromosome 2" in warning


def test_gwas__one_chromosome_is_too_few(files, pattern, tmp_path):
    for name in ("2", "X"):
        (tmp_path / f"k.chr{name}.grm.bin").unlink()
    with pytest.raises(VariantError, match="two or more chromosomes"):
        run(files, mode="dense", grm=pattern)


def test_open_relationship_set__what_does_not_fit(pattern, tmp_path):
    with pytest.raises(MissingFileError, match="--per-chromosome"):
        open_relationship_set(str(tmp_path / "other.chr@"))
    found = open_relationship_set(pattern.replace("@", "{chr}") + ".grm.bin")
    assert list(found.members) == ["1", "2", "X"]
    rows = np.arange(96)
    ids = (tmp_path / "k.chr2.grm.id").read_text().splitlines()
    (tmp_path / "k.chr2.grm.id").write_text("\n".join(reversed(ids)) + "\n")
    with pytest.raises(FormatError, match=r"k\.chr2\.grm\.id does not list the samples of"):
        found.of(rows)
    counts = tmp_path / "k.chr1.grm.N.bin"
    counts.write_bytes(counts.read_bytes()[:-4])
    with pytest.raises(FormatError, match="does not hold 4,656 numbers of variants"):
        found.read("1", rows)
    counts.unlink()
    with pytest.raises(MissingFileError, match=r"k\.chr1\.grm\.N\.bin"):
        open_relationship_set(pattern)


def test_open_relationship_set__two_of_one_chromosome(pattern, tmp_path):
    for end in (".grm.bin", ".grm.N.bin", ".grm.id"):
        shutil.copy(tmp_path / f"k.chr1{end}", tmp_path / f"k.chr01{end}")
    with pytest.raises(FormatError, match="both are of chromosome 1"):
        open_relationship_set(pattern)


def test_open_relationship_set__chromosomes_in_order(tmp_path):
    for name in (10, 2, 1, "X"):
        for end in (".grm.bin", ".grm.N.bin", ".grm.id"):
            (tmp_path / f"a[1].{name}{end}").write_text("s1 s1\n")
    assert list(open_relationship_set(str(tmp_path / "a[1].@")).members) == ["1", "2", "10", "X"]


def test_open_relationship_set__of_plink(shared_data, tmp_path):
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not installed")
    prefix = str(shared_data / "rice374_44k" / "geno")
    for name in ("11", "12"):
        command = ["plink2", "--bfile", prefix, "--chr", name, "--maf", "0.05"]
        command += ["--make-grm-bin", "--out", str(tmp_path / f"p{name}")]
        subprocess.run(command, check=True, capture_output=True)
    command = ["plink2", "--bfile", prefix, "--chr", "11,12", "--maf", "0.05", "--make-grm-bin"]
    subprocess.run([*command, "--out", str(tmp_path / "both")], check=True, capture_output=True)
    rows = np.arange(374)
    sums = open_relationship_set(str(tmp_path / "p@")).of(rows)
    expected = read_relationships(tmp_path / "both.grm.bin").values
    # Two numbers of float32 and one; the missing genotypes of pairs are in the counts.
    np.testing.assert_allclose(sums.whole, expected, rtol=4 * 2.0**-24, atol=4 * 2.0**-24)
    alone = read_relationships(tmp_path / "p12.grm.bin").values
    left = sums.without("chr11").values
    np.testing.assert_allclose(left, alone, rtol=1e-12, atol=1e-12)


def test_patterns():
    assert is_pattern("a/k.chr@")
    assert is_pattern("k{chr}.grm.bin")
    assert not is_pattern("me@home/k")
    assert split_pattern("me@home/k.chr@.x") == ("me@home/k.chr", ".x")


def test_options__ids_of_many_matrices(files):
    with pytest.raises(UsageError, match="leave grm-id out"):
        GwasOptions(**files, grm="k@", grm_id="k.id")
    with pytest.raises(UsageError, match=r"results/cohort\.chr@"):
        GwasOptions(**files, grm="k")
