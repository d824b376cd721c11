"""The cohort of an analysis."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.cohort.align import align
from nextlmm.cohort.table import read_sample_table
from nextlmm.errors import AlignmentError, DesignError, TraitError, UsageError

from .examples import samples, table

IDS = [f"I{i}" for i in range(10)]
GENOTYPED = samples(IDS)
VALUES = [0.5, 1.5, -1.0, 2.0, 0.0, 3.5, 1.0, -2.0, 0.25, 4.0]
AGES = [31, 51, 72, 68, 34, 35, 42, 44, 56, 53]
TRAITS = table(IDS, {"y": VALUES, "z": VALUES[::-1]}, path="p.txt")
COVARIATES = table(IDS, {"age": AGES, "sex": [1, 2] * 5}, path="c.txt")


def test_align__everyone():
    cohort = align(GENOTYPED, TRAITS, "y", covariates=COVARIATES)
    assert cohort.trait == "y"
    assert cohort.kept.tolist() == cohort.analysed.tolist() == list(range(10))
    assert cohort.y.tolist() == VALUES
    assert cohort.covariates.tolist() == [
        [1, age, sex] for age, sex in zip(AGES, [1, 2] * 5, strict=True)
    ]
    assert cohort.covariate_names == ("intercept", "age", "sex")
    assert cohort.sample_ids.tolist() == IDS
    assert dict(cohort.exclusions) == {}
    assert cohort.warnings == ()
    assert (len(cohort), cohort.n_covariates) == (10, 3)


def test_align__intercept_only_and_single_trait():
    cohort = align(GENOTYPED, table(IDS, {"y": VALUES}))
    assert cohort.trait == "y"
    assert cohort.covariates.tolist() == [[1.0]] * 10
    assert cohort.covariate_names == ("intercept",)


def test_align__every_sample_left_out_is_counted_once():
    traits = table([*IDS[:8], "other"], {"y": [*VALUES[:7], "NA", 1.0]})
    covariates = table(IDS[1:], {"age": ["NA", *AGES[2:]]})
    cohort = align(
        GENOTYPED,
        traits,
        "y",
        covariates=covariates,
        keep=table([*IDS[:9], "elsewhere"]),
        remove=table([IDS[2], "elsewhere"]),
    )
    assert dict(cohort.exclusions) == {
        "not in the keep list": 1,
        "in the remove list": 1,
        "not in the trait file": 1,
        "trait missing": 1,
        "not in the covariate file": 1,
        "covariate missing": 1,
    }
    assert cohort.kept.tolist() == [0, 1, 3, 4, 5, 6, 7, 8]
    assert cohort.analysed.tolist() == [3, 4, 5, 6]
    assert cohort.y.tolist() == VALUES[3:7]
    assert cohort.covariates[:, 1].tolist() == AGES[3:7]
    assert len(cohort) + sum(cohort.exclusions.values()) == 10


def shuffled(order, source):
    columns = {name: [values[i] for i in order] for name, values in source.columns.items()}
    return table([source.sample_id[i] for i in order], columns, path=source.path)


@given(trait_order=st.permutations(range(10)), covariate_order=st.permutations(range(10)))
def test_align__order_of_the_files_changes_nothing(trait_order, covariate_order):
    cohort = align(
        GENOTYPED,
        shuffled(trait_order, TRAITS),
        "z",
        covariates=shuffled(covariate_order, COVARIATES),
        keep=table([IDS[i] for i in trait_order[:8]]),
    )
    expected = align(
        GENOTYPED, TRAITS, "z", covariates=COVARIATES, keep=table([IDS[i] for i in trait_order[:8]])
    )
    for name, value in vars(expected).items():
        assert np.array_equal(getattr(cohort, name), value), name


@given(order=st.permutations(range(10)))
def test_align__order_of_the_genotypes_is_the_order_of_the_result(order):
    genotyped = samples([IDS[i] for i in order])
    cohort = align(genotyped, TRAITS, "y", covariates=COVARIATES)
    assert cohort.y.tolist() == [VALUES[i] for i in order]
    assert cohort.covariates[:, 1].tolist() == [AGES[i] for i in order]
    assert cohort.sample_ids.tolist() == [IDS[i] for i in order]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["sex"], ("sex",)),
        (["sex", "age", "sex"], ("sex", "age")),
        ([], ()),
        (None, ("age", "sex")),
    ],
)
def test_align__chosen_covariates(names, expected):
    cohort = align(GENOTYPED, TRAITS, "y", covariates=COVARIATES, covariate_names=names)
    assert cohort.covariate_names == ("intercept", *expected)


def test_align__unused_columns_may_hold_anything():
    traits = table(IDS, {"y": VALUES, "note": ["words"] * 10})
    covariates = table(IDS, {"age": AGES, "site": ["A", "B"] * 5, "one": [1] * 10})
    cohort = align(GENOTYPED, traits, "y", covariates=covariates, covariate_names=["age"])
    assert len(cohort) == 10


def test_align__warnings_of_both_files_are_passed_on():
    traits = table(IDS, {"y": [*VALUES[:9], "-9"]}, path="p.txt")
    covariates = table(IDS, {"age": ["-9", *AGES[1:]]}, path="c.txt")
    cohort = align(GENOTYPED, traits, "y", covariates=covariates)
    assert len(cohort) == 8
    assert [warning.split(":")[0] for warning in cohort.warnings] == [
        "trait 'y' of p.txt",
        "covariate 'age' of c.txt",
    ]


REFUSED = {
    "unknown trait": ({"trait": "Y"}, TraitError, "no trait 'Y' in p.txt; did you mean 'y'?"),
    "nothing near": ({"trait": "height"}, TraitError, "in p.txt; its columns are y, z: name one"),
    "no trait named": ({"trait": None}, TraitError, r"has 2 columns \(y, z\) and no trait was"),
    "no column": ({"traits": table(IDS)}, TraitError, "IDs and no other column"),
    "no column of covariates": (
        {"covariates": table(IDS, path="c.txt")},
        DesignError,
        "c.txt has IDs and no other column",
    ),
    "unknown covariate": (
        {"covariate_names": ["aeg"]},
        DesignError,
        r"no covariate 'aeg' in c.txt; did you mean 'age'\? \(its columns are age, sex\)",
    ),
    "names without a file": (
        {"covariates": None, "covariate_names": ["age"]},
        UsageError,
        "the covariates age are named but no covariate file",
    ),
    "constant trait": (
        {"traits": table(IDS, {"y": [5] * 10}, path="p.txt")},
        TraitError,
        "trait 'y' of p.txt is 5 in all 10 analysed samples",
    ),
    "constant where analysed": (
        {"traits": table(IDS, {"y": [5] * 9 + [6]}), "remove": table(IDS[9:])},
        TraitError,
        "is 5 in all 9 analysed samples",
    ),
    "no value": (
        {"traits": table(IDS, {"y": ["NA"] * 10}, path="p.txt")},
        TraitError,
        r"leaves no sample to analyse \(trait missing: 10\)",
    ),
    "non-numeric trait": (
        {"traits": table(IDS, {"y": [*VALUES[:9], "abc"]}, path="p.txt")},
        TraitError,
        "p.txt, line 11: trait 'y' of sample 'I9' is 'abc'",
    ),
    "constant covariate": (
        {"covariates": table(IDS, {"age": AGES, "one": [1] * 10}, path="c.txt")},
        DesignError,
        "covariate 'one' of c.txt is 1 in all 10",
    ),
    "collinear covariate": (
        {"covariates": table(IDS, {"age": AGES, "more": [2 * a + 1 for a in AGES]}, path="c.txt")},
        DesignError,
        "covariate 'more' of c.txt is collinear with 'age'",
    ),
    "trait among the covariates": (
        {"covariates": TRAITS},
        TraitError,
        "'y' is a linear combination of the covariates",
    ),
    "too few samples": (
        {"keep": table(IDS[:4])},
        DesignError,
        "too few samples: 4 analysed, for an intercept and 2 covariates",
    ),
    "keep list of others": ({"keep": table(["a"], path="k.txt")}, AlignmentError, "none of .*k.tx"),
    "covariates of others": (
        {"covariates": table(["i1", "i2"], {"age": [1, 2]}, path="c.txt")},
        AlignmentError,
        r"c\.txt .* upper and lower case only",
    ),
    "everyone removed": ({"remove": table(IDS)}, AlignmentError, "no sample is left"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_align__refused(case):
    changes, error, message = REFUSED[case]
    options = {"traits": TRAITS, "trait": "y", "covariates": COVARIATES} | changes
    with pytest.raises(error, match=message) as caught:
        align(GENOTYPED, options.pop("traits"), options.pop("trait"), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_align__a_trait_whose_variance_is_no_double(scale):
    traits = table(IDS, {"y": [scale * v for v in VALUES]}, path="p.txt")
    with pytest.raises(TraitError, match=r"trait 'y' of p.txt spans 6e.* in the 10 analysed"):
        align(GENOTYPED, traits, "y")


def test_align__a_table_without_header_says_so(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("".join(f"0 {name} {v}\n" for name, v in zip(IDS, VALUES, strict=True)))
    traits = read_sample_table(path)
    assert not traits.has_header
    assert TRAITS.has_header
    with pytest.raises(TraitError, match=r"no header line was found.*its columns are column3"):
        align(GENOTYPED, traits, "height")


def test_align__a_duplicated_sample_can_be_removed():
    genotyped = samples([*IDS, "I0"])
    with pytest.raises(AlignmentError, match="the same family and sample ID 'I0'"):
        align(genotyped, TRAITS, "y")
    cohort = align(genotyped, TRAITS, "y", remove=table(["I0"]))
    assert cohort.analysed.tolist() == list(range(1, 10))


def test_align__long_lists_of_names_are_cut():
    traits = table(IDS, {f"trait{i}": VALUES for i in range(100)})
    with pytest.raises(TraitError, match="trait7 and 92 more"):
        align(GENOTYPED, traits, None)


def test_align__values_print_as_one_line_and_can_be_sent():
    covariates = table(IDS[1:], {"age": AGES[1:]}, path="c.txt")
    cohort = align(GENOTYPED, TRAITS, "y", covariates=covariates)
    assert repr(cohort) == "<y: 9 samples with intercept, age; not in the covariate file: 1>"
    assert repr(TRAITS) == "<p.txt: 10 samples, columns y, z>"
    copy = pickle.loads(pickle.dumps(cohort))
    for name, value in vars(cohort).items():
        assert np.array_equal(getattr(copy, name), value), name
