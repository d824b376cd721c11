"""Traits and covariates in Parquet, and in data frames."""

import bz2
import gzip
from datetime import date

import numpy as np
import polars as pl
import pytest

from nextlmm.cohort.align import align
from nextlmm.cohort.formula import parse_formula
from nextlmm.cohort.frame import frame_columns
from nextlmm.cohort.table import read_sample_table
from nextlmm.errors import DesignError, FormatError, MissingFileError, TraitError
from nextlmm.genotype.tables import string_array

from .examples import samples, table

IDS = ["01", "02", "3", "4", "5", "6", "7", "8"]
COLUMNS = {
    "y": [1.5, -2.0, None, float("nan"), 1e-7, 6.0, 2.5, 0.1],
    "count": [1, 2, 3, 5, 8, 13, 21, None],
    "site": ["b", "a", "b", None, "b", "c", "a", "c"],
    "batch": ["1", "2", "1", "2", "1", "1", "1", "2"],
    "is_old": [True, False, True, None, False, True, True, False],
    "visits": [[1], [], [2], [3], [4], [5], [6], [7]],
    "seen": [date(2020, 1, 1)] * 8,
}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "traits.parquet"
    pl.DataFrame({"FID": ["f"] * 8, "IID": IDS, **COLUMNS}).write_parquet(file)
    return file


def cohort(given, trait, *names, **choices):
    return align(
        samples(IDS, ["f"] * 8),
        given,
        trait,
        covariates=given if names or choices else None,
        covariate_names=names or None,
        **choices,
    )


def test_the_table_is_as_in_text(path):
    read = read_sample_table(path)
    assert read.sample_id.tolist() == IDS
    assert read.family_id.tolist() == ["f"] * 8
    assert list(read.columns) == list(COLUMNS)
    assert read.columns["y"] == ("1.5", "-2", "NA", "NA", "1e-07", "6", "2.5", "0.1")
    assert read.columns["count"] == ("1", "2", "3", "5", "8", "13", "21", "NA")
    assert read.columns["site"][:4] == ("b", "a", "b", "NA")
    assert read.columns["is_old"][:4] == ("1", "0", "1", "NA")
    assert read.words == {"site", "batch"}


def test_missing_values_of_either_kind_leave_their_samples_out(path):
    found = cohort(read_sample_table(path), "y", "count")
    assert dict(found.exclusions) == {"trait missing": 2, "covariate missing": 1}
    assert found.y.tolist() == [1.5, -2.0, 1e-7, 6.0, 2.5]
    assert found.covariates[:, 1].tolist() == [1, 2, 8, 13, 21]


def test_text_is_a_category_even_of_numbers(path):
    found = cohort(read_sample_table(path), "y", "batch")
    assert found.covariate_names == ("intercept", "batch=2")
    (warning,) = found.warnings
    assert "'batch'" in warning
    assert "2 categories" in warning
    with pytest.raises(DesignError, match="words"):
        cohort(read_sample_table(path), "y", formula=parse_formula("log(batch)"))


def test_sample_ids_alone_and_numbers_as_ids(tmp_path):
    file = tmp_path / "no_end"
    pl.DataFrame({"#IID": [5.0, 7.0, 3.0], "y": [1, 2, 3]}).write_parquet(file)
    read = read_sample_table(file)
    assert read.family_id is None
    assert read.sample_id.tolist() == ["5", "7", "3"]
    assert cohort(read, "y").y.tolist() == [3, 1, 2]


def test_categories_of_a_data_frame_keep_their_words(tmp_path):
    file = tmp_path / "t.parquet"
    site = pl.Series("site", COLUMNS["site"], dtype=pl.Categorical)
    pl.DataFrame({"IID": IDS, "y": range(8), "site": site}).write_parquet(file)
    found = cohort(read_sample_table(file), "y", "site")
    assert found.covariate_names == ("intercept", "site=a", "site=c")


@pytest.mark.parametrize(
    ("name", "words"),
    [("visits", ["'visits'", "lists", "List"]), ("seen", ["'seen'", "dates"])],
)
def test_columns_of_other_types_are_refused_where_they_are_used(path, name, words):
    assert len(cohort(read_sample_table(path), "y")) == 6
    with pytest.raises(FormatError) as caught:
        cohort(read_sample_table(path), name)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_trait_of_words_names_the_row(path):
    with pytest.raises(TraitError, match="from row 1 on"):
        cohort(read_sample_table(path), "site")


def test_two_rows_of_a_sample(tmp_path):
    pl.DataFrame({"IID": ["5", "5"], "y": [1, 2]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(Exception, match="two rows, on rows 1 and 2"):
        cohort(read_sample_table(tmp_path / "t.parquet"), "y")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"y": [1, 2]}, "begins with the columns y; expected FID and IID"),
        ({"y": [1], "IID": ["a"]}, "begins with the columns y, IID"),
        ({"IID": ["a", None], "y": [1, 2]}, "row 2: there is no IID"),
        ({"IID": ["a", ""], "y": [1, 2]}, "row 2: there is no IID"),
        ({"IID": [1.0, float("nan")], "y": [1, 2]}, "row 2: there is no IID"),
        ({"IID": [[1]], "y": [1]}, "column 'IID' holds lists"),
        ({"IID": pl.Series([], dtype=pl.String)}, "no row"),
        ({}, r"begins with the columns \(none\)"),
    ],
)
def test_files_without_ids(tmp_path, frame, words):
    pl.DataFrame(frame).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(FormatError, match=words):
        read_sample_table(tmp_path / "t.parquet")


def test_damaged_and_absent_files(path, tmp_path):
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"FID IID y\n"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="cannot be read as Parquet") as caught:
            read_sample_table(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(MissingFileError):
        read_sample_table(tmp_path / "none.parquet")


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Decimal(10, 3), pl.Int16, pl.UInt64])
def test_numbers_of_every_type(tmp_path, dtype):
    values = [1, 2, 3, 4, 5, 6, 7, 8]
    file = tmp_path / "t.parquet"
    pl.DataFrame({"IID": IDS, "y": pl.Series(values).cast(dtype)}).write_parquet(file)
    assert cohort(read_sample_table(file), "y").y.tolist() == values


def test_float32_values_are_those_of_the_file(tmp_path):
    file = tmp_path / "t.parquet"
    values = np.random.default_rng(0).normal(size=8).astype(np.float32)
    pl.DataFrame({"IID": IDS, "y": values}).write_parquet(file)
    np.testing.assert_array_equal(cohort(read_sample_table(file), "y").y, values.astype(float))


TEXT = b"IID y\r\n01 1.5\r\n\r\n02 2\r\n3 x1\n"


def zstd(content):
    codecs = pytest.importorskip("numcodecs", reason="nothing here writes zstd")
    return codecs.zstd.compress(content)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd])
def test_compressed_text(tmp_path, pack):
    packed = pack(TEXT)
    (tmp_path / "t").write_bytes(packed)
    (tmp_path / "plain").write_bytes(TEXT)
    read, plain = read_sample_table(tmp_path / "t"), read_sample_table(tmp_path / "plain")
    assert dict(read.columns) == dict(plain.columns) == {"y": ("1.5", "2", "x1")}
    assert read.line.tolist() == plain.line.tolist() == [2, 4, 5]
    (tmp_path / "t").write_bytes(packed[:-6])
    with pytest.raises(FormatError, match="truncated"):
        read_sample_table(tmp_path / "t")


def test_the_same_from_text_and_from_parquet(path):
    text = {name: COLUMNS[name] for name in ("y", "count", "site", "batch")}
    plain = table(
        IDS, {k: ["NA" if v is None else v for v in values] for k, values in text.items()}
    )
    formula = parse_formula("count^2 + C(batch)")
    one = cohort(read_sample_table(path), "y", formula=formula)
    other = cohort(plain, "y", formula=formula)
    assert one.covariate_names == other.covariate_names
    np.testing.assert_array_equal(one.covariates, other.covariates)


@pytest.mark.parametrize(
    ("values", "texts", "is_word"),
    [
        ([1, 2, None], ("1", "2", "NA"), False),
        (np.array([1.5, np.nan, 2]), ("1.5", "NA", "2"), False),
        (np.ma.masked_array([1, 2, 3], [0, 1, 0]), ("1", "NA", "3"), False),
        (np.array([True, False, True]), ("1", "0", "1"), False),
        ([True, None, False], ("1", "NA", "0"), False),
        (["a", None, "b"], ("a", "NA", "b"), True),
        (["a", float("nan"), "b"], ("a", "NA", "b"), True),
        (np.array(["1", "2", "3"]), ("1", "2", "3"), True),
        (pl.Series([1, None, 3]), ("1", "NA", "3"), False),
    ],
)
def test_columns_in_memory(values, texts, is_word):
    read = frame_columns({"x": values}, string_array(["a", "b", "c"]), "the table")
    assert read.columns["x"] == texts
    assert read.words == ({"x"} if is_word else set())


def test_columns_of_pandas():
    pandas = pytest.importorskip("pandas", reason="comes with the formula library")
    frame = pandas.DataFrame(
        {
            "site": pandas.Categorical(["b", "a", None]),
            "batch": pandas.Categorical([2, 1, 2]),
            "age": pandas.array([1, None, 3], dtype="Int64"),
            "word": pandas.array(["a", None, "b"], dtype="string"),
        }
    )
    read = frame_columns(frame, string_array(["a", "b", "c"]), "the table")
    assert dict(read.columns) == {
        "site": ("b", "a", "NA"),
        "batch": ("2", "1", "2"),
        "age": ("1", "NA", "3"),
        "word": ("a", "NA", "b"),
    }
    assert read.words == {"site", "batch", "word"}
