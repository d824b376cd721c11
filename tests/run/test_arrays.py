"""The array-first call against the textbook and against the same job from files."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

import nextlmm
from nextlmm.errors import (
    DesignError,
    NextlmmError,
    NumericalError,
    TraitError,
    UsageError,
    VariantError,
)
from nextlmm.run.arrays import associate
from nextlmm.run.model import Model
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.testing import reference

DENSE = Model(mode="dense")


def test_associate__equals_the_run_from_files(cohort, files):
    expected = gwas(GwasOptions(**files, mode="dense")).tables["y"]
    result = associate(
        cohort.y,
        cohort.dosage,
        covariates=cohort.covariate,
        chromosome=cohort.chromosome,
        model=DENSE,
    )
    for name in ("beta", "standard_error", "neg_log_10_p_value"):
        np.testing.assert_allclose(result.table[name], expected[name], rtol=1e-9)


@pytest.mark.parametrize("mode", ["dense", "hodlr"])
def test_associate__with_a_given_k(cohort, mode):
    rng = np.random.default_rng(4)
    root = rng.normal(size=(len(cohort.y), 40))
    k = root @ root.T / 40 + 0.3
    result = associate(cohort.y, cohort.dosage, k=k, model=Model(mode=mode))
    centring = np.eye(len(k)) - 1.0 / len(k)
    scaled = centring @ k @ centring
    scaled *= len(k) / np.trace(scaled)
    c = np.ones((len(k), 1))
    h2 = reference.estimate_h2(cohort.y, c, scaled, reml=True)
    assert result.null.h2 == pytest.approx(h2, abs=1e-5)
    x = cohort.dosage[:, 5]
    x = np.where(np.isnan(x), np.nanmean(x), x)
    expected = reference.associate(x, cohort.y, c, scaled, h2=h2)
    assert result.table["beta"][5] == pytest.approx(expected.beta, rel=1e-5)
    assert result.table["standard_error"][5] == pytest.approx(expected.standard_error, rel=1e-5)
    assert result.table["neg_log_10_p_value"][5] == pytest.approx(
        -np.log10(expected.p_value), rel=1e-4
    )


def test_associate__samples_with_a_missing_value_are_left_out(cohort):
    y, covariate = cohort.y.copy(), cohort.covariate.copy()
    y[4] = covariate[9] = np.nan
    stay = np.setdiff1d(np.arange(len(y)), [4, 9])
    k = reference.relationship_matrix(cohort.dosage[:, :11])
    result = associate(y, cohort.dosage, covariates=covariate, k=k, model=DENSE)
    expected = associate(
        y[stay],
        cohort.dosage[stay],
        covariates=covariate[stay],
        k=k[np.ix_(stay, stay)],
        model=DENSE,
    )
    assert result.null.n == len(stay)
    np.testing.assert_allclose(
        result.table["neg_log_10_p_value"], expected.table["neg_log_10_p_value"], rtol=1e-9
    )


def test_associate__leaves_its_arguments_alone(cohort):
    k = reference.relationship_matrix(cohort.dosage[:, :11])
    arrays = (cohort.y.copy(), cohort.dosage.copy(), k.copy())
    associate(cohort.y, cohort.dosage, k=k)
    assert (cohort.y == arrays[0]).all()
    np.testing.assert_array_equal(cohort.dosage, arrays[1])
    assert (k == arrays[2]).all()


def test_associate__says_that_an_identity_matrix_tells_nothing(cohort):
    k = np.eye(len(cohort.y))
    with pytest.raises(NumericalError, match="same likelihood at every heritability"):
        associate(cohort.y, cohort.dosage, k=k, model=DENSE)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"y": np.ones(96)}, TraitError, "constant"),
        ({"y": np.ones(5)}, UsageError, "trait array has shape"),
        ({"y": np.r_[np.inf, np.arange(95)]}, TraitError, "trait array holds inf in row 0"),
        ({"y": ["a"] * 96}, UsageError, "trait array cannot be read as numbers"),
        ({"y": np.arange(96) * 1j}, UsageError, "cannot be read as numbers .*complex"),
        ({"y": 1e-200 * np.arange(96)}, TraitError, "spans 9.5e-199"),
        ({"genotypes": np.ones((96, 0))}, VariantError, "hold no variant"),
        (
            {"covariates": np.c_[np.arange(96.0), np.r_[np.zeros(95), -np.inf]]},
            DesignError,
            "covariate array holds -inf in row 95, column 1",
        ),
        ({"covariates": [["m"]] * 96}, UsageError, "covariate array cannot be read"),
        ({"k": [[1, 2], [3]]}, UsageError, "relationship matrix array cannot be read"),
        ({"k": np.zeros((96, 96))}, VariantError, "given relationship matrix k has no variation"),
        ({"k": np.full((96, 96), 0.1)}, VariantError, "sums to .*check where k comes from"),
        ({"k": np.eye(5)}, UsageError, r"expected \(96, 96\)"),
        ({"k": np.triu(np.ones((96, 96)))}, UsageError, "not symmetric"),
        ({"chromosome": ["1"]}, UsageError, "expected one entry per column"),
        ({"covariates": np.ones(96)}, DesignError, "covariate1"),
        ({"model": Model(loco_h2="per-chromosome")}, UsageError, "needs LOCO"),
    ],
    ids=lambda value: str(value)[:24].replace("\n", " "),
)
def test_associate__refuses_what_does_not_fit(cohort, change, kind, message):
    arguments = {"y": cohort.y, "genotypes": cohort.dosage} | change
    with pytest.raises(kind, match=message):
        associate(arguments.pop("y"), arguments.pop("genotypes"), **arguments)


def test_associate__a_masked_value_is_missing(cohort):
    masked = np.ma.masked_equal(cohort.y, cohort.y[3])
    missing = np.where(np.arange(96) == 3, np.nan, cohort.y)
    one, other = (associate(y, cohort.dosage, model=DENSE) for y in (masked, missing))
    assert one.null.n == 95
    assert one.table.equals(other.table)


def test_associate__an_offset_of_the_trait_changes_nothing(cohort):
    shifted = cohort.y + 1e9
    plain = shifted - 1e9
    for mode in ("dense", "hodlr"):
        one, other = (associate(y, cohort.dosage, model=Model(mode=mode)) for y in (plain, shifted))
        p = "neg_log_10_p_value"
        np.testing.assert_allclose(other.table[p], one.table[p], rtol=1e-9)


def test_model__refuses_what_the_options_refuse():
    with pytest.raises(UsageError, match="must be one of exact, hodlr, dense"):
        Model(mode="precise")


def test_package__names_are_all_there():
    for name in nextlmm.__all__:
        assert getattr(nextlmm, name) is not None
    assert set(nextlmm.__all__) == set(dir(nextlmm))
    with pytest.raises(AttributeError, match="no attribute 'gwass'"):
        _ = nextlmm.gwass
    assert issubclass(UsageError, NextlmmError)


def test_package__the_steps_of_its_docstring(cohort, files):
    source = nextlmm.open_genotypes(files["bfile"])
    traits = nextlmm.read_sample_table(files["pheno"])
    aligned = nextlmm.align(source.samples, traits, "y")
    summary = nextlmm.summarise_variants(source, aligned.analysed)
    chosen = nextlmm.select_variants(
        source.variants, summary, len(aligned), nextlmm.VariantFilter(maf=0.01)
    )
    relating = nextlmm.Relating(loco=False)
    problem = nextlmm.make_problem(source, aligned, chosen, summary, relating)
    null = nextlmm.fit_null(aligned.y, aligned.covariates, nextlmm.DenseCovariance(problem.whole()))
    result = nextlmm.analyse(problem, nextlmm.Model(mode="dense", loco=False))
    assert result.null.h2 == pytest.approx(null.h2, abs=1e-7)
    assert f"h2 = {null.h2:.4f}" in repr(result)


@pytest.mark.parametrize("library", ["pandas", "xarray", "polars", "sparse"])
def test_associate__arrays_of_other_libraries(rng, library):
    """The same numbers as of NumPy's arrays, for all arguments."""
    genotypes = rng.binomial(2, 0.4, (60, 40)).astype(float)
    y, c = genotypes[:, 3] + rng.normal(size=60), rng.normal(size=(60, 2))
    k = np.cov(rng.normal(size=(60, 90)))
    expected = associate(y, genotypes, k=k, covariates=c).table
    if library == "sparse":
        given = associate(y, sparse.csr_array(genotypes), k=sparse.csr_array(k), covariates=c)
    elif library == "polars":
        given = associate(
            pl.Series(y), pl.DataFrame(genotypes), k=pl.DataFrame(k), covariates=pl.DataFrame(c)
        )
    elif library == "pandas":
        pandas = pytest.importorskip("pandas")
        given = associate(
            pandas.Series(y),
            pandas.DataFrame(genotypes).astype("Int8"),
            k=pandas.DataFrame(k),
            covariates=pandas.DataFrame(c, columns=["a", "b"]),
        )
    else:
        xarray = pytest.importorskip("xarray")
        given = associate(
            xarray.DataArray(y, dims="samples"),
            xarray.DataArray(genotypes.T, dims=("variants", "samples")),
            k=xarray.DataArray(k),
            covariates=xarray.DataArray(c),
        )
    assert given.table.equals(expected)


def test_associate__a_turned_array(rng):
    with pytest.raises(UsageError, match=r"expected \(40,\), .* they are the transpose"):
        associate(rng.normal(size=60), rng.binomial(2, 0.4, (40, 60)))
