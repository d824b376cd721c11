"""Relationships that are given: in every mode, with samples missing, and what is refused."""

import numpy as np
import pytest

from nextlmm.errors import NotPositiveDefiniteError, UsageError
from nextlmm.relatedness.numerator import read_pedigree
from nextlmm.run.exact.route import check_square
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

GIB = 2.0**30


def run(files, **choices):
    return gwas(GwasOptions(**(files | {"loco": False} | choices)))


def numbers(result):
    names = ["neg_log_10_p_value", "beta", "standard_error", "h2"]
    return result.tables["y"].select(names).to_numpy()


def pedigree_text(ids):
    """Families of four full siblings of parents without genotypes, one of whom is inbred."""
    rows = ["IID father mother", "damA sireZ damZ", "sireA sireZ damZ"]
    for i, name in enumerate(ids):
        family = i // 4
        rows.append(f"{name} {'sireA damA' if family == 0 else f'sire{family} dam{family}'}")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("mode", ["exact", "dense", "hodlr"])
def test_a_pedigree_is_its_matrix(cohort, files, tmp_path, rng, mode):
    """The run with --pedigree is that with A in a file, in an order of its own."""
    (tmp_path / "pedigree.txt").write_text(pedigree_text(cohort.ids))
    whole = run(files, mode=mode, pedigree=str(tmp_path / "pedigree.txt"))
    assert "given by the pedigree" in (tmp_path / "result.log").read_text()
    relationships = read_pedigree(tmp_path / "pedigree.txt")
    order = rng.permutation(len(relationships.samples))
    a = relationships.among(order)
    assert a.max() == 1.25
    np.save(tmp_path / "a.npy", a)
    names = relationships.samples.sample_id[order]
    (tmp_path / "a.id").write_text("".join(f"{name}\n" for name in names))
    given = run(files, mode=mode, grm=str(tmp_path / "a.npy"))
    np.testing.assert_allclose(numbers(whole), numbers(given), rtol=1e-6, atol=1e-8)
    assert whole.document["traits"]["y"]["n"] == 96
    assert "pedigree" in whole.document["inputs"]


def test_a_pedigree_that_lacks_samples(cohort, files, tmp_path):
    (tmp_path / "pedigree.txt").write_text(pedigree_text(cohort.ids[:80]))
    result = run(files, pedigree=str(tmp_path / "pedigree.txt"))
    assert result.document["samples"]["excluded"] == {"not in the relationship matrix": 16}


def pairs(ids):
    return "#IID1\tIID2\tKINSHIP\n" + "".join(
        f"{ids[i]}\t{ids[i + 1]}\t0.25\n" for i in range(0, 40, 2)
    )


def test_pairs_leave_out_whom_they_do_not_name_and_say_so(cohort, files, tmp_path):
    (tmp_path / "k.kin0").write_text(pairs(cohort.ids))
    result = run(files, grm=str(tmp_path / "k"))
    assert result.document["samples"]["excluded"] == {"not in the relationship matrix": 56}
    (warning,) = (w for w in result.document["traits"]["y"]["warnings"] if "names no pair" in w)
    assert "k names no pair of 56 of the samples" in warning
    assert "--grm-id" in warning
    (tmp_path / "all").write_text("\n".join(cohort.ids) + "\n")
    result = run(files, grm=str(tmp_path / "k"), grm_id=str(tmp_path / "all"))
    assert result.document["samples"]["excluded"] == {}
    assert not any("names no pair" in w for w in result.document["traits"]["y"]["warnings"])


@pytest.mark.parametrize("method", ["reml", "he"])
@pytest.mark.parametrize("mode", ["exact", "dense", "hodlr"])
def test_an_indefinite_matrix_is_refused(cohort, files, tmp_path, mode, method):
    """Siblings of a sample who are not related to each other; moments alone would not notice."""
    ids = cohort.ids
    text = "".join(f"{ids[i]}\t{name}\t0.25\n" for i in (0, 48) for name in ids[i + 1 : i + 40])
    (tmp_path / "k.kin0").write_text("IID1\tIID2\tKINSHIP\n" + text)
    with pytest.raises(NotPositiveDefiniteError, match=r"smallest eigenvalue is -2\.\d"):
        run(files, mode=mode, method=method, grm=str(tmp_path / "k.kin0"))
    assert not (tmp_path / "result.json").exists()


def test_memory_of_a_square_array(cohort, files, tmp_path):
    """A sparse file of many samples is small; the square array of the analysis is not."""
    with pytest.raises(UsageError, match=r"takes 18\.6 GiB for 50,000 .* 112 GiB in all.* 8 GiB"):
        check_square("m.grm.sp", 50_000, 8.0)
    (tmp_path / "k.kin0").write_text(pairs(cohort.ids))
    with pytest.raises(UsageError, match="allow more by the option memory"):
        run(files, grm=str(tmp_path / "k.kin0"), memory=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loco": True}, "Option pedigree gives one matrix for all chromosomes.* --no-loco"),
        ({"grm": "k"}, "Options grm and pedigree both say what the matrix is"),
        ({"grm_extract": "k"}, "Options pedigree and grm-extract both say what the matrix is"),
    ],
)
def test_options_of_a_pedigree(files, options, message):
    with pytest.raises(UsageError, match=message):
        GwasOptions(**(files | {"loco": False, "pedigree": "p"} | options))
