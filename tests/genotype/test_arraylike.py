"""Arrays of other libraries, each tried where it is installed."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from nextlmm.errors import FormatError, UsageError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.arraylike import check_rows_agree, numpy_array

N, M = 7, 5
IDS = [f"s{i}" for i in range(N)]


@pytest.fixture
def calls(rng):
    values = rng.integers(0, 3, (N, M)).astype(float)
    values[2, 1] = values[6, 4] = np.nan
    return values


def dosages(array):
    return array_source(array).dosages(np.arange(M))


def test_numpy_and_lists(calls):
    for array in (calls, calls.tolist(), np.ma.masked_invalid(calls), np.asfortranarray(calls)):
        np.testing.assert_array_equal(dosages(array), calls)
    objects = np.where(np.isnan(calls), None, calls)
    np.testing.assert_array_equal(dosages(objects), calls)
    whole = np.nan_to_num(calls)
    for kind in (np.int8, np.uint8, np.int64, np.float16):
        np.testing.assert_array_equal(dosages(whole.astype(kind)), whole)


@pytest.mark.parametrize("kind", [pl.Int8, pl.Float32, pl.Float64])
def test_polars(calls, kind):
    frame = pl.DataFrame(calls).with_columns(pl.all().fill_nan(None)).cast(kind)
    np.testing.assert_array_equal(dosages(frame), calls)
    with pytest.raises(FormatError, match=r"type object; .* leave out columns of words"):
        dosages(frame.with_columns(pl.Series("iid", IDS)))


@pytest.mark.parametrize("kind", ["float64", "Float64", "Int8", "float32"])
def test_pandas(calls, kind):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(calls, index=IDS).astype(kind)
    np.testing.assert_array_equal(dosages(frame), calls)
    with pytest.raises(FormatError, match=r"type object; .* leave out columns of words"):
        dosages(frame.assign(population="A"))


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse(calls, make):
    """Absent entries are 0 copies, and NaN is missing as elsewhere."""
    np.testing.assert_array_equal(dosages(make(calls)), calls)


def test_xarray(calls):
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(calls, dims=("samples", "variants"))
    for turned in (array, array.T):
        np.testing.assert_array_equal(dosages(turned), calls)
    unnamed = xarray.DataArray(calls)
    np.testing.assert_array_equal(dosages(unnamed), calls)
    with pytest.raises(FormatError, match="data set with the variables call_DS; expected one of"):
        dosages(xarray.Dataset({"call_DS": array}))


def test_calls_of_sgkit(calls):
    """Alleles (variants, samples, ploidy): -1 is missing, -2 fills up a haploid genotype."""
    xarray = pytest.importorskip("xarray")
    first, second = calls > 1, calls > 0
    alleles = np.stack([first, second], axis=-1).astype(np.int8)
    alleles[np.isnan(calls)] = [-1, 1]  # half a call is missing
    alleles[:4, 0] = [[1, -2], [0, -2], [-1, -2], [-2, -2]]
    expected = calls.copy()
    expected[:4, 0] = [2.0, 0.0, np.nan, np.nan]
    array = xarray.DataArray(alleles, dims=("samples", "variants", "ploidy"))
    for turned in (array, array.transpose("variants", "samples", "ploidy")):
        np.testing.assert_array_equal(dosages(turned), expected)
    alleles[4, 3] = [0, 2]
    with pytest.raises(FormatError, match="allele 2, first in sample 4, variant 3"):
        dosages(xarray.DataArray(alleles, dims=("samples", "variants", "ploidy")))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "has 1 dimensions .* put the samples in rows"),
        (np.zeros((2, 2, 2)), "has 3 dimensions .* put the samples in rows"),
        (np.array([["0", "1"]]), "type <U1; .* recode genotypes as copies"),
        (np.zeros((2, 2), complex), "type complex128"),
        (
            np.array([[0, -1]], np.int8),
            "holds -1 in row 0, column 1; .* recode missing calls as NaN",
        ),
        (np.array([[0, 9]]), "holds 9 in row 0, column 1"),
        (np.array([[0, np.inf]]), "holds inf in row 0, column 1"),
    ],
)
def test_arrays_that_are_none(array, message):
    with pytest.raises(FormatError, match=message):
        array_source(array)


def test_numbers_stay_as_they_are(calls):
    assert numpy_array(calls) is calls


def test_rows_with_other_labels():
    pandas = pytest.importorskip("pandas")
    xarray = pytest.importorskip("xarray")
    y = pandas.Series(np.arange(N), index=IDS)
    turned = y.iloc[::-1]
    with pytest.raises(
        UsageError, match="rows of genotypes and y have other labels: row 0 is s0 in"
    ):
        check_rows_agree({"genotypes": y, "y": turned})
    labelled = xarray.DataArray(
        np.zeros((2, N)), dims=("variants", "samples"), coords={"samples": IDS}
    )
    with pytest.raises(UsageError, match="rows of y and k have other labels"):
        check_rows_agree({"genotypes": None, "y": turned, "k": labelled})
    check_rows_agree({"genotypes": labelled, "y": y, "covariates": np.zeros(N)})
    counted, shuffled = pandas.Series(np.zeros(N)), pandas.Series(np.zeros(N)).iloc[::-1]
    check_rows_agree({"genotypes": counted, "y": turned})  # nothing names the first
    with pytest.raises(UsageError, match="row 0 is 0 in the one and 6 in the other"):
        check_rows_agree({"genotypes": counted, "y": shuffled})
