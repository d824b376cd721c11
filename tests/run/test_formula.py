"""Formulas of covariates in a run, from files and from arrays."""

import numpy as np
import polars as pl
import pytest

from nextlmm.errors import NextlmmError, UsageError
from nextlmm.run.arrays import associate
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .conftest import make_cohort, write_cohort

MISSING = (3, 7)
FORMULA = "age + age^2 + site:age"


@pytest.fixture(scope="module")
def cohort():
    return make_cohort()


@pytest.fixture(scope="module")
def site(cohort):
    return np.where(np.arange(len(cohort.y)) % 3 == 0, "b", "a")


@pytest.fixture(scope="module")
def result(cohort, site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formula")
    write_cohort(folder, cohort, missing_traits=MISSING)
    lines = (folder / "covariates.txt").read_text().splitlines()
    words = [f"{line} {word}" for line, word in zip(lines[1:], site, strict=True)]
    (folder / "covariates.txt").write_text("\n".join([f"{lines[0]} site", *words]) + "\n")
    return gwas(options(folder, covar_formula=FORMULA))


def options(folder, **changes):
    names = {
        "bfile": str(folder / "geno"),
        "pheno": str(folder / "traits.txt"),
        "covar": str(folder / "covariates.txt"),
        "out": str(folder / "result"),
        "plots": False,
    }
    return GwasOptions(**(names | changes))


def test_the_record_has_the_formula_its_columns_and_who_was_left_out(result):
    facts = result.document["traits"]["y"]
    assert facts["covariate_formula"] == FORMULA
    assert facts["covariates"] == ["intercept", "age", "age^2", "site=b:age"]
    assert facts["samples"]["excluded"] == {"trait missing": 2}
    assert facts["samples"]["excluded_first_ids"] == {"trait missing": ["s3", "s7"]}
    log = " ".join(result.files.log.read_text().split())
    for words in (
        f"y ~ 1 + {FORMULA} + variant + g + e",
        "3 covariates of that formula: age, age^2, site=b:age",
        "C(site): 2 categories, compared with a",
        "trait missing: s3, s7",
    ):
        assert words in log
    assert "--covar-formula" in result.document["command"]


def test_the_model_is_that_of_the_columns(result, cohort, site):
    y = cohort.y.copy()
    y[list(MISSING)] = np.nan
    age = cohort.covariate
    expected = associate(
        y,
        cohort.dosage,
        covariates=np.column_stack([age, age**2, (site == "b") * age]),
        chromosome=cohort.chromosome,
    )
    facts = result.document["traits"]["y"]
    effects = [effect["beta"] for effect in facts["covariate_effects"]]
    np.testing.assert_allclose(effects, expected.null.beta, rtol=1e-6)
    assert facts["h2"] == pytest.approx(expected.null.h2, rel=1e-6)


def test_what_is_wrong_with_a_formula_is_said_before_genotypes_are_read(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        gwas(options(tmp_path, covar_formula="age +"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"covar": None}, "covar-formula chooses columns of a covariate file"),
        ({"covar_name": "age"}, "covar-formula and covar-name both"),
        ({"cat_covar": "age"}, r"covar-formula and cat-covar both .* C\(name\)"),
        ({"covar_formula": 3}, "must be a text"),
    ],
)
def test_options_that_contradict_a_formula(changes, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        options(tmp_path, **({"covar_formula": "age"} | changes))


def test_associate__a_formula_of_named_columns(cohort, site, result):
    y = cohort.y.copy()
    y[list(MISSING)] = np.nan
    frame = pl.DataFrame({"age": cohort.covariate, "site": site})
    expected = result.document["traits"]["y"]
    effects = [effect["beta"] for effect in expected["covariate_effects"]]
    for covariates in (frame, frame.to_dict(as_series=False), pandas_frame(frame)):
        found = associate(
            y,
            cohort.dosage,
            covariates=covariates,
            covariate_formula=FORMULA,
            chromosome=cohort.chromosome,
        )
        np.testing.assert_allclose(found.null.beta, effects, rtol=1e-6)


def pandas_frame(frame):
    pandas = pytest.importorskip("pandas", reason="comes with the formula library")
    return pandas.DataFrame(frame.to_dict(as_series=False))


def test_associate__named_columns_without_a_formula(cohort, site):
    age = cohort.covariate.copy()
    age[4] = -9.0  # a number like any other where no file is read
    words = [None if i == 6 else word for i, word in enumerate(site)]
    named = associate(cohort.y, cohort.dosage, covariates={"age": age, "site": words})
    is_b = np.where(np.arange(len(age)) == 6, np.nan, site == "b")
    plain = associate(cohort.y, cohort.dosage, covariates=np.column_stack([age, is_b]))
    assert named.null.n == len(age) - 1
    np.testing.assert_array_equal(named.null.beta, plain.null.beta)


@pytest.mark.parametrize(
    ("covariates", "formula", "words"),
    [
        (np.ones((96, 1)), "age", "by their names"),
        (None, "age", "by their names"),
        ({"age": [1.0, 2.0]}, "age", "'age' of the covariate table has 2 values"),
        ({"age": np.arange(96.0)}, "log(age)", "-inf for sample 'sample1' of the covariate table"),
        ({"age": np.arange(96.0)}, "sex", "no covariate 'sex' in the covariate table"),
        ({"age": [[1]] * 96}, "age", "holds something else|holds lists"),
        ({"age": [object()] * 96}, "age", "holds something else"),
        ({"age": [float("inf"), *range(95)]}, "age", "row 0: covariate 'age'"),
    ],
)
def test_associate__refuses_what_a_formula_cannot_use(cohort, covariates, formula, words):
    with pytest.raises(NextlmmError, match=words):
        associate(cohort.y, cohort.dosage, covariates=covariates, covariate_formula=formula)
