"""Arrays as sources."""

import pickle

import numpy as np
import pytest

from nextlmm.errors import AlignmentError, FormatError
from nextlmm.genotype.array import array_source

from .examples import random_calls, variant_table


def test_array_source__hands_out_what_it_was_given(rng):
    dosages = rng.uniform(0, 2, size=(7, 5))
    dosages[2, 3] = np.nan
    source = array_source(dosages)
    assert np.array_equal(source.dosages(np.arange(5)), dosages.astype("f4"), equal_nan=True)
    chosen = source.dosages(np.array([3, 0]), np.array([6, 2, 2]))
    expected = dosages[[6, 2, 2]][:, [3, 0]].astype("f4")
    assert np.array_equal(chosen, expected, equal_nan=True)
    assert chosen.flags.f_contiguous
    assert source.samples.sample_id[0] == "sample1"
    assert source.variants.variant_id[4] == "variant5"
    assert (len(source.samples), len(source.variants)) == (7, 5)


def test_array_source__blocks_are_copies(rng):
    dosages = np.asfortranarray(random_calls(rng, 4, 3), dtype=np.float32)
    source = array_source(dosages)
    source.dosages(np.arange(3))[:] = 7
    dosages[:] = 1
    assert not (source.dosages(np.arange(3)) == 7).any()
    assert not (source.dosages(np.arange(3)) == 1).all()
    dosages[:] = 0  # the caller's array stays writeable


def test_array_source__integers_masks_and_names():
    calls = np.ma.masked_equal(np.array([[0, 1], [-9, 2]], dtype=np.int8), -9)
    source = array_source(calls, ["a", "b"], variant_table(2))
    expected = np.array([[0, 1], [np.nan, 2]])
    assert np.array_equal(source.dosages(np.arange(2)), expected, equal_nan=True)
    assert source.samples.sample_id.tolist() == ["a", "b"]
    assert source.variants.variant_id.tolist() == ["v0", "v1"]
    copy = pickle.loads(pickle.dumps(source))
    assert np.array_equal(copy.dosages(np.arange(2)), expected, equal_nan=True)


@pytest.mark.parametrize("value", [-9, -1, 2.5, np.inf])
def test_array_source__values_outside_the_range(value):
    dosages = np.ones((3, 4))
    dosages[1, 2] = value
    with pytest.raises(FormatError, match=rf"holds {value:g} in row 1, column 2; .* recode"):
        array_source(dosages)


def test_array_source__shapes_and_types():
    with pytest.raises(FormatError, match="1 dimensions of type float64"):
        array_source([1.0, 2.0])
    with pytest.raises(FormatError, match="type <U1"):
        array_source([["A"]])
    with pytest.raises(AlignmentError, match="3 rows and there are 2 sample IDs"):
        array_source(np.zeros((3, 2)), ["a", "b"])
    with pytest.raises(AlignmentError, match="2 columns and the table lists 3"):
        array_source(np.zeros((3, 2)), variants=variant_table(3))
