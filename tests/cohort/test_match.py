"""Rows and samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.cohort.match import is_listed, match_rows
from nextlmm.errors import AlignmentError

from .examples import samples, table


def match(genotyped, rows):
    return match_rows(genotyped, rows, np.ones(len(genotyped), dtype=bool))


@given(order=st.permutations(range(6)), n_present=st.integers(1, 6))
def test_match_rows__finds_each_row_whatever_the_order(order, n_present):
    present = order[:n_present]
    rows = table([f"I{i}" for i in present] + ["other"])
    found = match(samples([f"I{i}" for i in range(6)]), rows)
    assert found.row.tolist() == [present.index(i) if i in present else -1 for i in range(6)]
    assert found.is_present.tolist() == [i in present for i in range(6)]


def test_match_rows__family_ids_do_not_matter_while_sample_ids_are_unique():
    found = match(samples(["a", "b"], ["F1", "F2"]), table(["b", "a"], families=["0", "0"]))
    assert found.row.tolist() == [1, 0]
    assert found.warnings == ()


def test_match_rows__differing_families_are_mentioned():
    found = match(samples(["a", "b"], ["F1", "F2"]), table(["b", "a"], families=["F2", "F9"]))
    assert found.row.tolist() == [1, 0]
    (warning,) = found.warnings
    assert warning.startswith("1 samples of table.txt were matched by sample ID although")
    assert "'F9' and 'F1'" in warning


def test_match_rows__families_tell_shared_sample_ids_apart():
    genotyped = samples(["1", "1", "2"], ["A", "B", "A"])
    found = match(genotyped, table(["1", "1", "2"], families=["B", "C", "A"]))
    assert found.row.tolist() == [-1, 0, 2]
    # Here the sample IDs are shared in the table only.
    found = match(samples(["1", "2"], ["A", "A"]), table(["1", "1"], families=["C", "A"]))
    assert found.row.tolist() == [1, -1]


def test_match_rows__shared_sample_ids_without_families():
    genotyped = samples(["1", "1", "2"], ["A", "B", "A"])
    with pytest.raises(AlignmentError, match=r"number 1 and 2 of g\.fam share .*'A' and 'B'"):
        match(genotyped, table(["2", "1"]))
    # Nobody asks for the shared ID, so nothing is ambiguous.
    assert match(genotyped, table(["2"])).row.tolist() == [-1, -1, 0]


def test_match_rows__the_same_sample_twice():
    genotyped = samples(["x", "a", "a"], ["F", "F", "F"])
    with pytest.raises(AlignmentError, match=r"number 2 and 3 of g.fam have the same family"):
        match(genotyped, table(["x", "a"], families=["F", "F"]))
    assert match(genotyped, table(["x"], families=["F"])).row.tolist() == [0, -1, -1]
    without_second = np.array([True, True, False])
    assert match_rows(genotyped, table(["x", "a"]), without_second).row.tolist() == [0, 1, -1]


def test_match_rows__two_rows_of_one_sample():
    with pytest.raises(AlignmentError, match="sample 'a' has two rows, on lines 2 and 4"):
        match(samples(["a", "b"]), table(["a", "b", "a"]))
    with pytest.raises(AlignmentError, match="sample 'a' has two rows, on lines 2 and 4"):
        match(samples(["a", "b"]), table(["a", "b", "a"], families=["F", "F", "F"]))
    assert match(samples(["b"]), table(["a", "b", "a"])).row.tolist() == [1]


CAUSES = {
    "joined in the table": (
        samples(["I1", "I2"], ["F1", "F2"]),
        table(["F1_I1", "F2_I2"]),
        "IDs of table.txt are family and sample ID joined",
    ),
    "doubled in the table": (
        samples(["I1", "I2"], ["I1", "I2"]),
        table(["I1_I1", "I2_I2"]),
        "IDs of table.txt are family and sample ID joined",
    ),
    "joined in the genotypes": (
        samples(["F1_I1", "F2_I2"]),
        table(["I1", "I2"], families=["F1", "F2"]),
        r"sample IDs of g\.fam are family and sample ID joined",
    ),
    "joined in the genotypes, no families": (
        samples(["F1_I1", "F2_I2"]),
        table(["I1", "I2"]),
        r"sample IDs of g\.fam are family and sample ID joined",
    ),
    "doubled in the genotypes": (
        samples(["I1_I1", "I2_I2"]),
        table(["I1", "I2"]),
        r"sample IDs of g\.fam are family and sample ID joined",
    ),
    "swapped": (
        samples(["I1", "I2"], ["F1", "F2"]),
        table(["F1", "F2"], families=["I1", "I2"]),
        "FID and IID are probably swapped",
    ),
    "swapped, one way": (
        samples(["I1", "I2"]),
        table(["x", "y"], families=["I1", "I2"]),
        "FID and IID are probably swapped",
    ),
    "family IDs as sample IDs": (
        samples(["I1", "I2"], ["F1", "F2"]),
        table(["F1", "F2"]),
        "FID and IID are probably swapped",
    ),
    "case": (samples(["Na1", "nA2"]), table(["NA1", "NA2"]), "upper and lower case only"),
    "leading zeros": (samples(["001", "002"]), table(["1", "2"]), "leading zeros only"),
    "decimals": (samples(["11", "12"]), table(["11.0", "12.0"]), "trailing '.0' only"),
    "families": (
        samples(["1", "1"], ["A", "B"]),
        table(["1", "2"], families=["C", "C"]),
        "the sample IDs agree but not the family IDs",
    ),
    "other people": (samples(["a"]), table(["b"]), "nothing in common"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_match_rows__no_overlap_and_its_cause(cause):
    genotyped, rows, message = CAUSES[cause]
    with pytest.raises(AlignmentError, match=message) as caught:
        match(genotyped, rows)
    assert "\n" not in str(caught.value)


def test_match_rows__no_overlap_counts_both_sides_and_gives_examples():
    genotyped = samples([f"I{i}" for i in range(1200)])
    with pytest.raises(AlignmentError) as caught:
        match(genotyped, table(["a", "b"], families=["F", "G"]))
    assert str(caught.value).startswith(
        "none of the 2 samples of table.txt ('F a', 'G b') is among the 1,200 of g.fam "
        "('0 I0', '0 I1', '0 I2', ...): "
    )


def test_is_listed__lists_of_either_kind():
    genotyped = samples(["1", "1", "2"], ["A", "B", "A"])
    assert is_listed(genotyped, table(["1", "1"])).tolist() == [True, True, False]
    both = table(["1", "2", "2"], families=["B", "A", "A"])
    assert is_listed(genotyped, both).tolist() == [False, True, True]
    assert is_listed(genotyped, table(["9"])).tolist() == [False, False, False]
