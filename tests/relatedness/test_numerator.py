"""The relationship matrix of a pedigree: textbook examples, the tabular method, properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.errors import FormatError
from nextlmm.relatedness.numerator import generations, inbreeding_coefficients, read_pedigree

EXACT = {"rtol": 0.0, "atol": 1e-12}
"""Halves of halves are numbers of a computer; their sums are rounded now and then."""


def relationships(folder, text, people, *, name="pedigree.txt"):
    path = folder / name
    path.write_text(text)
    found = read_pedigree(path)
    names = found.samples.sample_id.tolist()
    return found.among(np.array([names.index(str(person)) for person in people]))


def tabular(father, mother):
    """A by the definition, person by person, parents before children (Henderson 1976)."""
    a = np.eye(len(father))
    for i, (f, m) in enumerate(zip(father, mother, strict=True)):
        for parent in (f, m):
            if parent >= 0:
                a[i, :i] += a[parent, :i] / 2.0
        a[:i, i] = a[i, :i]
        if f >= 0 and m >= 0:
            a[i, i] = 1.0 + a[f, m] / 2.0
    return a


def test_the_example_of_mrode(tmp_path):
    """Linear Models for the Prediction of Animal Breeding Values, example 2.1."""
    text = "animal sire dam\n3 1 2\n4 1 0\n5 4 3\n6 5 2\n"
    expected = [
        [1.0, 0.0, 0.5, 0.5, 0.5, 0.25],
        [0.0, 1.0, 0.5, 0.0, 0.25, 0.625],
        [0.5, 0.5, 1.0, 0.25, 0.625, 0.5625],
        [0.5, 0.0, 0.25, 1.0, 0.625, 0.3125],
        [0.5, 0.25, 0.625, 0.625, 1.125, 0.6875],
        [0.25, 0.625, 0.5625, 0.3125, 0.6875, 1.125],
    ]
    np.testing.assert_allclose(relationships(tmp_path, text, range(1, 7)), expected, **EXACT)


def test_families_of_people(tmp_path):
    """Half for siblings and parents, a quarter for uncles, an eighth for cousins, 1/16 inbred."""
    text = """FID IID PAT MAT SEX
1 uncle grandfather grandmother 1
1 father grandfather grandmother 1
1 cousin uncle stranger 1
1 child father mother 2
1 inbred cousin child 1
1 grandfather 0 0 1
"""
    names = ["child", "grandfather", "father", "uncle", "cousin", "stranger", "inbred"]
    found = relationships(tmp_path, text, names)
    np.testing.assert_allclose(found[0, 1:6], [0.25, 0.5, 0.25, 0.125, 0.0], **EXACT)
    assert found[6, 6] == pytest.approx(1.0 + 1.0 / 16.0, abs=1e-15)


def test_a_fam_file(tmp_path):
    text = "1 a 0 0 1 -9\n1 b 0 0 2 -9\n1 c a b 1 -9\n1 d a b 2 -9\n2 a 0 0 1 -9\n"
    found = relationships(tmp_path, text, ["c", "d", "b"], name="p.fam")
    np.testing.assert_allclose(found, [[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]], **EXACT)


def test_brother_and_sister_for_generations(tmp_path):
    """F = (1 + 2 F' + F'') / 4, the recurrence of full-sib mating (Wright 1921)."""
    rows = ["IID father mother"]
    for g in range(1, 13):
        rows += [f"m{g} m{g - 1} f{g - 1}", f"f{g} m{g - 1} f{g - 1}"]
    found = relationships(tmp_path, "\n".join(rows) + "\n", [f"m{g}" for g in range(13)])
    expected = [0.0, 0.0]
    for _ in range(11):
        expected.append((1.0 + 2.0 * expected[-1] + expected[-2]) / 4.0)
    np.testing.assert_allclose(found.diagonal() - 1.0, expected, **EXACT)


@st.composite
def pedigrees(draw):
    """Parents of those who come after them, who may be fathers, mothers or both."""
    n = draw(st.integers(1, 25))
    father, mother = np.full(n, -1), np.full(n, -1)
    for i in range(1, n):
        father[i], mother[i] = draw(st.integers(-1, i - 1)), draw(st.integers(-1, i - 1))
    return father, mother


@given(pedigrees(), st.randoms(use_true_random=False))
def test_any_pedigree_in_any_order(tmp_path_factory, pedigree, shuffle):
    """The tabular method's matrix, whatever the order of rows and of people asked for."""
    father, mother = pedigree
    expected = tabular(father, mother)
    np.testing.assert_allclose(
        inbreeding_coefficients(father, mother), expected.diagonal() - 1.0, **EXACT
    )
    rows = [f"p{i} {_named(father[i])} {_named(mother[i])}" for i in range(len(father))]
    shuffle.shuffle(rows)
    text = "\n".join(["IID father mother", *rows]) + "\n"
    people = shuffle.sample(range(len(father)), shuffle.randint(1, len(father)))
    folder = tmp_path_factory.mktemp("pedigree")
    found = relationships(folder, text, [f"p{i}" for i in people])
    np.testing.assert_allclose(found, expected[np.ix_(people, people)], **EXACT)
    assert np.array_equal(found, found.T)
    assert np.linalg.eigvalsh(found)[0] > 0.0  # every person has a Mendelian sampling term


def _named(parent):
    return "0" if parent < 0 else f"p{parent}"


def test_generations():
    father, mother = np.array([-1, -1, 0, 2, 5, 4]), np.array([-1, -1, 1, 1, -1, 3])
    assert generations(father, mother).tolist() == [0, 0, 1, 2, -1, -1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a b c\na b c", r"sample 'a' has two rows, on lines 2 and 3; expected one row"),
        ("a b c\na b d", r"sample 'a' has two rows with different parents, on lines 2 and 3"),
        ("a a c", r"line 2: sample 'a' is its own parent"),
        (
            "a b 0\nb c x\nc a 0\ne a f",
            r"line \d: sample '\w' descends from itself, through",
        ),
    ],
)
def test_pedigrees_that_cannot_be(tmp_path, rows, message):
    (tmp_path / "p.txt").write_text(f"IID father mother\n{rows}\n")
    with pytest.raises(FormatError, match=message) as caught:
        read_pedigree(tmp_path / "p.txt")
    assert "p.txt" in str(caught.value)


def test_selfing_for_generations(tmp_path):
    # A selfed line halves its heterozygosity: F = 1/2, 3/4, 7/8 (Wright 1921).
    rows = "IID father mother\nb a a\nc b b\nd c c\n"
    (tmp_path / "p.txt").write_text(rows)
    found = read_pedigree(tmp_path / "p.txt")
    values = relationships(tmp_path, rows, ["a", "b", "c", "d"])
    np.testing.assert_allclose(values.diagonal(), [1.0, 1.5, 1.75, 1.875], **EXACT)
    np.testing.assert_allclose(values[0], 1.0, **EXACT)
    (warning,) = found.warnings
    assert "(father on line 3, mother on line 3) and 2 more are father and mother" in warning
    assert "as plants can be" in warning


def test_father_here_and_mother_there(tmp_path):
    (tmp_path / "p.txt").write_text("IID father mother\na b c\nd c b\n")
    (warning,) = read_pedigree(tmp_path / "p.txt").warnings
    assert "and 1 more are father and mother" in warning


def test_pairs_are_no_pedigree(tmp_path):
    (tmp_path / "p.txt").write_text("ID1 ID2 Kinship\na b 0.25\n")
    with pytest.raises(FormatError, match=r"is a list of pairs; expected a pedigree .* option grm"):
        read_pedigree(tmp_path / "p.txt")
