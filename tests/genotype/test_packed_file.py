"""A .bed file is read as it is, in any order, and a file that was cut is a sentence."""

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.genotype.packed_file import PackedFile

from .examples import bed_source, random_calls

N, M = 41, 30
WIDTH = 11


@pytest.fixture
def source(tmp_path, rng):
    return bed_source(tmp_path, random_calls(rng, N, M))


def test_getitem__any_order(source, rng):
    content = np.frombuffer(Path(source.path).read_bytes()[3:], dtype=np.uint8).reshape(M, WIDTH)
    stored = source.genotypes.packed
    assert isinstance(stored, PackedFile)
    assert stored.shape == (M, WIDTH)
    for index in (np.arange(M), rng.permutation(M), np.array([3, 4, 5, 9, 9, 0]), np.arange(0)):
        assert np.array_equal(stored[index], content[index])
    for part in (slice(None), slice(4, 9), slice(28, 99), slice(9, 9)):
        assert np.array_equal(stored[part], content[part])


def test_getitem__threads_do_not_disturb_each_other(source, rng):
    stored = source.genotypes.packed
    whole = stored[:]
    orders = [rng.permutation(M) for _ in range(64)]
    with ThreadPoolExecutor(4) as pool:
        for order, rows in zip(orders, pool.map(stored.__getitem__, orders), strict=True):
            assert np.array_equal(rows, whole[order])


def test_getitem__a_file_that_became_shorter_is_named(source):
    os.truncate(source.path, 3 + 20 * WIDTH + 5)
    assert source.dosages(np.arange(20)).shape == (N, 20)
    expected = rf"g\.bed has become shorter .* ends after {3 + 20 * WIDTH + 5} bytes, before"
    with pytest.raises(FormatError, match=rf"{expected} variant 21 of 30; copy it again"):
        source.dosages(np.arange(M))
    with pytest.raises(FormatError, match=expected):
        source.genotype_counts(np.arange(25, M))


def test_getitem__a_file_that_was_replaced_is_read_to_the_end(source, tmp_path):
    before = source.genotypes.packed[:]
    (tmp_path / "other").write_bytes(b"nothing")
    os.replace(tmp_path / "other", source.path)
    assert np.array_equal(source.genotypes.packed[:], before)


def test_getitem__a_disk_that_fails_is_a_sentence(source, monkeypatch):
    class Failing:
        def seek(self, _):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(source.genotypes.packed, "_file", Failing())
    with pytest.raises(FormatError, match="any more \\(Input/output error\\) at variant 4 of 30"):
        source.dosages(np.array([3]))


def test_packed_file__closes_with_its_last_user(tmp_path):
    path = tmp_path / "some.bed"
    path.write_bytes(b"12345")
    stored = PackedFile(path, (1, 2))
    file = stored._file
    del stored
    gc.collect()
    assert file.closed


def test_packed_file__one_that_is_not_there(tmp_path):
    with pytest.raises(MissingFileError, match=r"gone\.bed does not exist"):
        PackedFile(tmp_path / "gone.bed", (1, 2))
