"""Formulas of covariates: what they mean, and what they must not be able to do."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.cohort.align import align
from nextlmm.cohort.formula import parse_formula
from nextlmm.errors import DesignError, NextlmmError, UsageError

from .examples import samples, table

N = 40
RNG = np.random.default_rng(4)
AGE = RNG.integers(20, 80, N).astype(float)
BMI = RNG.normal(25.0, 3.0, N)
SEX = RNG.choice(["F", "M"], N, p=[0.65, 0.35])
SITE = RNG.choice(["1", "2", "10"], N, p=[0.2, 0.5, 0.3])
Y = RNG.normal(size=N)
IDS = [f"s{i}" for i in range(N)]


def covariates(order=range(N), **changes):
    columns = {"age": AGE, "sex": SEX, "site": SITE, "body mass": BMI} | changes
    order = list(order)
    return table(
        [IDS[i] for i in order],
        {name: [values[i] for i in order] for name, values in columns.items()},
        path="covar.txt",
    )


def fit(formula, given=None):
    return align(
        samples(IDS),
        table(IDS, {"y": Y}),
        covariates=covariates() if given is None else given,
        formula=parse_formula(formula),
    )


def same_space(columns, expected):
    """Whether two sets of columns, with an intercept, span the same."""
    one = np.ones((len(columns), 1))
    a, b = np.hstack([one, columns]), np.hstack([one, expected])
    rank = np.linalg.matrix_rank
    return a.shape == b.shape and rank(a) == rank(b) == rank(np.hstack([a, b])) == a.shape[1]


def test_terms_of_the_manual():
    cohort = fit("age + age^2 + sex:age + C(site)")
    counts = {value: int((value == SITE).sum()) for value in ("1", "2", "10")}
    reference = max(counts, key=counts.__getitem__)
    others = sorted(set(counts) - {reference})
    expected = {
        "intercept": np.ones(N),
        "age": AGE,
        "age^2": AGE**2,
        **{f"site={other}": (other == SITE) * 1.0 for other in others},
        "sex=M:age": (SEX == "M") * AGE,
    }
    assert dict(zip(cohort.covariate_names, cohort.covariates.T.tolist(), strict=True)) == {
        name: values.tolist() for name, values in expected.items()
    }
    assert cohort.formula == "age + age^2 + sex:age + C(site)"
    compared = {each.name: each.reference for each in cohort.categories}
    assert compared == {"sex": "F", "site": reference}


@pytest.mark.parametrize(
    ("formula", "names", "expected"),
    [
        ("age**2", ["age^2"], [AGE**2]),
        ("~ age^3", ["age^3"], [AGE**3]),
        ("I(age^2)", ["age^2"], [AGE**2]),
        ("I(age^2 + 1) ", ["I(age ** 2 + 1)"], [AGE**2 + 1]),
        ("log(age)^2", ["I(log(age) ** 2)"], [np.log(AGE) ** 2]),
        ("`body mass`^2", ["`body mass`^2"], [BMI**2]),
        ("log2(age) + log10(`body mass`)", None, [np.log2(AGE), np.log10(BMI)]),
        ("sqrt(age) + exp(-age/10)", None, [np.sqrt(AGE), np.exp(-AGE / 10)]),
        ("abs(age - 50)", None, [np.abs(AGE - 50)]),
        ("age*`body mass`", None, [AGE, BMI, AGE * BMI]),
        ("age*`body mass` - age", None, [BMI, AGE * BMI]),
        ("center(age)", None, [AGE - AGE.mean()]),
        ("scale(age)", None, [(AGE - AGE.mean()) / AGE.std(ddof=1)]),
        ("sex:age", ["sex=F:age", "sex=M:age"], [(SEX == "F") * AGE, (SEX == "M") * AGE]),
        ("C(sex)", ["sex=M"], [(SEX == "M") * 1.0]),
    ],
)
def test_columns(formula, names, expected):
    cohort = fit(formula)
    if names is not None:
        assert list(cohort.covariate_names[1:]) == names
    np.testing.assert_allclose(cohort.covariates[:, 1:], np.column_stack(expected), rtol=1e-12)


def test_bases_span_what_their_names_say():
    powers = np.column_stack([(AGE - AGE.mean()) ** k for k in (1, 2, 3)])
    assert same_space(fit("poly(age, 3)").covariates[:, 1:], powers)
    # Cubic splines without inner knots are the cubic polynomials.
    assert same_space(fit("bs(age, df=3)").covariates[:, 1:], powers)
    # Natural ones with one inner knot: Hastie, Tibshirani and Friedman 2009, eq. 5.4 and 5.5.
    low, middle, high = AGE.min(), np.median(np.unique(AGE)), AGE.max()
    beyond = {knot: np.maximum(AGE - knot, 0.0) ** 3 for knot in (low, middle)}
    bend = beyond[low] / (high - low) - beyond[middle] / (high - middle)
    assert same_space(fit("ns(age, df=2)").covariates[:, 1:], np.column_stack([AGE, bend]))
    assert fit("ns(age, df=4)").covariates.shape == (N, 5)


def test_a_category_in_a_formula_is_as_one_by_name():
    by_name = align(
        samples(IDS),
        table(IDS, {"y": Y}),
        covariates=covariates(),
        covariate_names=("age", "sex"),
        categorical=("site",),
    )
    cohort = fit("age + sex + C(site)")
    assert cohort.covariate_names == by_name.covariate_names
    assert cohort.categories == by_name.categories
    np.testing.assert_array_equal(cohort.covariates, by_name.covariates)


@settings(max_examples=25)
@given(order=st.permutations(range(N)))
def test_the_order_of_the_table_changes_nothing(order):
    formula = "scale(age) + ns(`body mass`, df=3) + C(site):scale(age)"
    expected, shuffled = fit(formula), fit(formula, covariates(order))
    assert shuffled.covariate_names == expected.covariate_names
    np.testing.assert_array_equal(shuffled.covariates, expected.covariates)


def test_transformations_know_the_analysed_samples_alone():
    age = [str(value) for value in AGE]
    age[3], mass = "NA", [str(value) for value in BMI]
    mass[3], mass[5] = "1e6", "NA"
    cohort = fit("scale(`body mass`) + age", covariates(**{"age": age, "body mass": mass}))
    assert dict(cohort.exclusions) == {"covariate missing": 2}
    assert cohort.excluded_ids == {"covariate missing": ("s3", "s5")}
    np.testing.assert_allclose(cohort.covariates[:, 1].mean(), 0.0, atol=1e-13)
    np.testing.assert_allclose(cohort.covariates[:, 1].std(ddof=1), 1.0, rtol=1e-13)


def test_a_column_may_be_a_number_and_a_category():
    cohort = fit("C(site) + site:age + age")
    assert cohort.covariate_names[-1] in ("site:age", "age")
    assert cohort.covariates.shape == (N, 1 + 2 + 2)


@pytest.mark.parametrize(
    ("formula", "error", "words"),
    [
        ("ages", DesignError, ["'ages'", "covar.txt", "did you mean 'age'"]),
        ("log(age - 50)", DesignError, ["log(age - 50)", "sample 's", "finite"]),
        ("log(sex)", DesignError, ["'sex'", "words", "log(sex)"]),
        ("age + I(2*age)", DesignError, ["collinear", "'I(2 * age)'", "'age'"]),
        ("C(`body mass`)", DesignError, ["as many categories"]),
        ("bs(age, df=1)", DesignError, ["bs(age, df=1)", "cannot be computed"]),
        ("scale(age, colour=1)", DesignError, ["colour"]),
        ("age +", UsageError, ["age +", "cannot be read"]),
        ("(age", UsageError, ["cannot be read"]),
        ("age sex", UsageError, ["`age` and `sex`"]),
        ("0 + age", UsageError, ["intercept"]),
        ("age - 1", UsageError, ["intercept"]),
        ("1", UsageError, ["no covariate"]),
        ("", UsageError, ["no covariate"]),
        ("(age + sex)^2", UsageError, ["I((a + b)^2)", "a*b"]),
        ("(age)^2", UsageError, ["age^2"]),
        ("age^0.5", UsageError, ["whole exponent"]),
        ("age^sex", UsageError, ["whole exponent"]),
        ("y ~ age", UsageError, ["'~'"]),
        ("C(age, sex)", UsageError, ["one column"]),
        ("log(C(site))", UsageError, ["log(site)"]),
        ("lag(age)", UsageError, ["lag", "log, log2, log10"]),
        ("2:age", UsageError, ["'2'"]),
    ],
)
def test_refused(formula, error, words):
    with pytest.raises(error) as caught:
        fit(formula)
    for word in words:
        assert word in str(caught.value)
    assert "v0" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "np.log(age)",
        "np.load(age)",
        "open(age)",
        "eval(age)",
        "age.__class__",
        "I(age.__class__)",
        "I(age if age else age)",
        "I((age := 3))",
        "I([age])",
        "I(age[0])",
        "I(lambda: age)",
        "log(*age)",
        "log(**age)",
        "log(age, out=age)",
        "{age}",
        "I(9^9^9^9)",
        "I(age + 9^9^9)",
        "I(age^999999999)",
        "poly(age, 999999999)",
        "bs(age, df=1e300)",
        "contr.treatment(age)",
        "hashed(age)",
        "v0",
        "I(__FORMULAIC_SPEC__)",
        "log(age, _state=1)",
    ],
)
def test_nothing_but_arithmetic_of_columns_is_run(formula):
    with pytest.raises(NextlmmError) as caught:
        fit(formula)
    assert len(str(caught.value)) < 500


@given(text=st.text("ageI(C)sex+-*:^`~|.1 2,=", max_size=24))
def test_every_formula_is_computed_or_refused_in_a_sentence(text):
    said = ""
    try:
        cohort = fit(text)
    except NextlmmError as error:
        said = str(error)
    assert "\n" not in said
    assert said or np.isfinite(cohort.covariates).all()


def test_an_absent_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "formulaic", None)
    with pytest.raises(UsageError, match=r"formulaic.*nextlmm\[formula\]"):
        parse_formula("age")
