"""Writing PLINK 1 files."""

import numpy as np
import pytest

from nextlmm.errors import OutputError
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.bed_writer import write_plink, write_plink_blocks

from .examples import random_calls, sample_table, variant_table, write_bed


def test_write_plink__equals_what_plink_wrote(shared_data, tmp_path):
    prefix = shared_data / "formats" / "base" / "geno"
    source = open_bed(prefix)
    dosages = source.dosages(np.arange(len(source.variants)))
    write_plink(tmp_path / "copy", dosages, source.samples, source.variants)
    for extension in ("bed", "bim"):
        written = (tmp_path / f"copy.{extension}").read_bytes()
        assert written == prefix.with_suffix(f".{extension}").read_bytes()


def test_write_plink__integers_are_calls(tmp_path):
    calls = np.array([[0, 1], [2, 0], [1, 1]], dtype=np.int8)
    write_plink(tmp_path / "g", calls, sample_table(3), variant_table(2))
    assert np.array_equal(open_bed(tmp_path / "g").dosages(np.arange(2)), calls)


def test_write_plink__tables_come_back(tmp_path, rng):
    prefix = write_bed(tmp_path, random_calls(rng, 5, 7))
    source = open_bed(prefix)
    for read, written in ((source.samples, sample_table(5)), (source.variants, variant_table(7))):
        for name in vars(written):
            if name != "origin":
                assert list(getattr(read, name)) == list(getattr(written, name))


@pytest.mark.parametrize("value", [0.5, -1.0, 3.0, np.inf])
def test_write_plink__other_dosages_are_refused_and_nothing_is_left(tmp_path, value):
    dosages = np.zeros((4, 1500))
    dosages[2, 1400] = value
    with pytest.raises(OutputError, match="sample 3 at variant 1401 is"):
        write_plink(tmp_path / "g", dosages, sample_table(4), variant_table(1500))
    assert list(tmp_path.iterdir()) == []


def test_write_plink__tables_must_fit(tmp_path):
    with pytest.raises(OutputError, match=r"shape \(2, 3\).*2 samples and 2 variants"):
        write_plink(tmp_path / "g", np.zeros((2, 3)), sample_table(2), variant_table(2))


def test_write_plink__a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*No such file"):
        write_plink(tmp_path / "no" / "g", np.zeros((1, 1)), sample_table(1), variant_table(1))


def test_write_plink_blocks__equals_the_whole_at_once(tmp_path, rng):
    calls = random_calls(rng, 7, 23)
    whole = np.where(np.isnan(calls), -1, calls).astype(np.int8)
    write_plink(tmp_path / "whole", calls, sample_table(7), variant_table(23))
    blocks = np.split(whole, [5, 6, 20], axis=1)
    write_plink_blocks(tmp_path / "blocks", iter(blocks), sample_table(7), variant_table(23))
    assert np.isnan(calls).any()
    for extension in ("bed", "bim", "fam"):
        expected = (tmp_path / f"whole.{extension}").read_bytes()
        assert (tmp_path / f"blocks.{extension}").read_bytes() == expected


@pytest.mark.parametrize("value", [-2, 3])
def test_write_plink_blocks__other_integers_are_refused(tmp_path, value):
    blocks = [np.zeros((4, 3), dtype=np.int8), np.full((4, 2), value, dtype=np.int8)]
    with pytest.raises(OutputError, match=f"sample 1 at variant 4 is {value},"):
        write_plink_blocks(tmp_path / "g", blocks, sample_table(4), variant_table(5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shapes", [[(3, 2)], [(3, 2), (3, 2)], [(2, 3)]])
def test_write_plink_blocks__tables_must_fit(tmp_path, shapes):
    blocks = [np.zeros(shape, dtype=np.int8) for shape in shapes]
    with pytest.raises(OutputError, match="3 samples and 3 variants"):
        write_plink_blocks(tmp_path / "g", blocks, sample_table(3), variant_table(3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, MemoryError])
def test_write_plink_blocks__unfinished_files_are_private_and_removed(tmp_path, problem):
    modes = []

    def blocks():
        yield np.zeros((4, 1))
        modes.extend(path.stat().st_mode & 0o777 for path in tmp_path.iterdir())
        raise problem

    with pytest.raises(problem):
        write_plink_blocks(tmp_path / "g", blocks(), sample_table(4), variant_table(2))
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []


def test_write_plink__the_usual_permissions_apply(tmp_path):
    (tmp_path / "other").write_text("")
    write_bed(tmp_path, np.zeros((4, 2)))
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1
