"""Text as numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.cohort.values import MISSING_CODES, TextColumn, parse_numbers
from nextlmm.errors import DesignError, TraitError
from nextlmm.genotype.tables import string_array


def column(*text, kind="trait"):
    return TextColumn(
        kind=kind,
        name="y",
        path="p.txt",
        text=text,
        line=np.arange(2, len(text) + 2),
        sample_id=string_array(f"I{i}" for i in range(len(text))),
    )


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False).filter(lambda v: v != -9)))
def test_parse_numbers__every_float_comes_back(values):
    parsed = parse_numbers(column(*map(repr, values)))
    assert parsed.values.tolist() == values
    assert parsed.warnings == ()


@pytest.mark.parametrize("code", [*sorted(MISSING_CODES), "NA", "NaN", "N/A", "#NA", "NULL"])
def test_parse_numbers__missing_codes(code):
    parsed = parse_numbers(column("1", code))
    assert np.array_equal(parsed.values, [1, np.nan], equal_nan=True)
    assert parsed.warnings == ()


@pytest.mark.parametrize("text", ["1", "+1", "1.", ".5", "-.5e-3", "1E5", "007", "1e-400"])
def test_parse_numbers__notations(text):
    assert parse_numbers(column(text)).values[0] == float(text)


@pytest.mark.parametrize(
    "text", ["abc", "inf", "-Infinity", "1e400", "1_000", "0x10", "-", "1 2", "1.2.3", "٣", "?"]
)
def test_parse_numbers__anything_else_is_refused(text):
    with pytest.raises(TraitError) as caught:
        parse_numbers(column("1.5", "NA", text, "2"))
    expected = f"p.txt, line 4: trait 'y' of sample 'I2' is '{text}'; expected a finite number"
    assert str(caught.value).startswith(expected)


def test_parse_numbers__the_first_of_several_is_named():
    with pytest.raises(TraitError, match=r"line 3: .* is '1e999'"):
        parse_numbers(column("1", "1e999", "abc"))


def test_parse_numbers__decimal_commas():
    with pytest.raises(TraitError, match=r"is '1,5'; .* decimals with a point"):
        parse_numbers(column("2", "1,5"))


def test_parse_numbers__words():
    with pytest.raises(DesignError, match=r"holds words \('M', 'F', from line 3 on\); expected"):
        parse_numbers(column("NA", "M", "F", "M", kind="covariate"))
    with pytest.raises(TraitError, match=r"holds words .*recode it"):
        parse_numbers(column("case", "control"))


def test_parse_numbers__minus_nine_is_missing():
    parsed = parse_numbers(column("1", "-9", "2.5", "-9", "NA"))
    assert np.array_equal(parsed.values, [1, np.nan, 2.5, np.nan, np.nan], equal_nan=True)
    (warning,) = parsed.warnings
    assert "trait 'y' of p.txt: -9 was taken as missing (2 times)" in warning


@pytest.mark.parametrize("near", ["-8.5", "-9.5", "-10", "-8"])
def test_parse_numbers__minus_nine_among_its_neighbours_is_measured(near):
    parsed = parse_numbers(column("1", "-9", near))
    assert parsed.values.tolist() == [1, -9, float(near)]
    (warning,) = parsed.warnings
    assert f"kept as a measured value (1 times), because the column also holds {near}" in warning


def test_parse_numbers__minus_nine_written_as_a_decimal_is_measured():
    parsed = parse_numbers(column("1", "-9.0"))
    assert parsed.values.tolist() == [1, -9]
    (warning,) = parsed.warnings
    assert "because it is written -9.0" in warning
