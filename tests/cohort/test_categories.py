"""Covariates that are categories, and traits by their ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextlmm.cohort.align import align
from nextlmm.cohort.categories import indicator_columns, is_categorical
from nextlmm.cohort.table import read_sample_table
from nextlmm.cohort.transform import rank_normal
from nextlmm.errors import DesignError, UsageError
from nextlmm.genotype.tables import SampleTable, string_array

N = 12
SITES = ["B", "A", "B", "C", "B", "A", "B", "C", "A", "B", "NA", "B"]
ARRAY = ["1", "2", "2", "10", "2", "1", "10", "2", "2", "1", "2", "2"]


@pytest.fixture
def samples():
    ids = string_array(f"s{i}" for i in range(N))
    return SampleTable(ids, ids)


def table(path, header, *columns):
    rows = [" ".join([f"s{i}", *(column[i] for column in columns)]) for i in range(N)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return read_sample_table(path)


@pytest.fixture
def traits(tmp_path, rng):
    return table(tmp_path / "y.txt", "IID y", [f"{value:.4f}" for value in rng.normal(size=N)])


@pytest.fixture
def covariates(tmp_path, rng):
    age = [f"{value:.3f}" for value in rng.normal(size=N)]
    return table(tmp_path / "c.txt", "IID age site array", age, SITES, ARRAY)


def test_words_are_categories_and_the_most_frequent_one_is_the_reference(
    samples, traits, covariates
):
    cohort = align(samples, traits, covariates=covariates, covariate_names=("age", "site"))
    assert cohort.covariate_names == ("intercept", "age", "site=A", "site=C")
    assert cohort.exclusions == {"covariate missing": 1}
    left = [site for site in SITES if site != "NA"]
    for column, site in ((2, "A"), (3, "C")):
        np.testing.assert_array_equal(cohort.covariates[:, column], [s == site for s in left])
    (found,) = cohort.categories
    assert (found.name, found.reference, found.others) == ("site", "B", ("A", "C"))


def test_numbers_are_categories_where_that_is_said(samples, traits, covariates):
    numbers = align(samples, traits, covariates=covariates, covariate_names=("array",))
    assert numbers.covariate_names == ("intercept", "array")
    named = align(
        samples, traits, covariates=covariates, covariate_names=("age",), categorical=("array",)
    )
    assert named.covariate_names == ("intercept", "age", "array=1", "array=10")
    every = align(samples, traits, covariates=covariates, categorical=("array",))
    assert every.covariate_names[1:] == ("age", "site=A", "site=C", "array=1", "array=10")


def test_categories_of_samples_that_are_left_out_have_no_column(samples, traits, tmp_path):
    rare = ["X" if site == "NA" else site for site in SITES]
    given = table(
        tmp_path / "d.txt", "IID site age", rare, ["NA" if s == "X" else "1" for s in rare]
    )
    with pytest.raises(DesignError, match="covariate 'age'"):
        align(samples, traits, covariates=given)
    ages = ["NA" if s == "X" else str(i * i) for i, s in enumerate(rare)]
    given = table(tmp_path / "d.txt", "IID site age", rare, ages)
    cohort = align(samples, traits, covariates=given)
    assert cohort.covariate_names == ("intercept", "site=A", "site=C", "age")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["A"] * N, "is 'A' in all 12 analysed samples"),
        ([f"w{i}" for i in range(N)], "as many categories as there are analysed samples, 12"),
        (["A", "1", "2", *["B"] * 9], r"line 2: covariate 'w' of sample 's0' is 'A'.*--cat-covar"),
    ],
)
def test_categories_that_cannot_be_used(samples, traits, tmp_path, words, message):
    with pytest.raises(DesignError, match=message):
        align(samples, traits, covariates=table(tmp_path / "w.txt", "IID w", words))


def test_categories_without_a_file(samples, traits):
    with pytest.raises(UsageError, match="the covariates site are named"):
        align(samples, traits, categorical=("site",))


def test_is_categorical__only_without_any_number():
    assert is_categorical(["A", "NA", "B"])
    assert not is_categorical(["A", "1"])
    assert not is_categorical(["NA", "."])
    assert not is_categorical([])


def test_indicator_columns__of_equally_frequent_categories_the_first_is_the_reference():
    columns, found = indicator_columns("x", np.array([1.0, 0, 1, 0, 2]), ("a", "b", "c"), "f")
    assert (found.reference, found.columns) == ("a", ("x=b", "x=c"))
    np.testing.assert_array_equal(columns, [[1, 0], [0, 0], [1, 0], [0, 0], [0, 1]])


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40))
def test_rank_normal__by_definition(values):
    y = np.array(values, dtype=float)
    expected = stats.norm.ppf((stats.rankdata(y) - 0.375) / (len(y) + 0.25))
    np.testing.assert_allclose(rank_normal(y), expected, rtol=1e-12, atol=1e-12)


def test_align__replaces_the_trait_by_the_ranks_of_the_analysed(samples, traits, covariates):
    plain = align(samples, traits, covariates=covariates, covariate_names=("site",))
    ranked = align(
        samples, traits, covariates=covariates, covariate_names=("site",), rank_normal_trait=True
    )
    np.testing.assert_array_equal(ranked.y, rank_normal(plain.y))
    assert ranked.is_rank_normal
    assert not plain.is_rank_normal
