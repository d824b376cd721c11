"""Lines of text files."""

import gzip

import pytest

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.genotype.textfile import read_lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_read_lines__line_numbers_are_kept(tmp_path, end):
    path = tmp_path / "t"
    path.write_bytes(end.join(["a", "", "b\x0bc", "d"]).encode())
    assert read_lines(path) == ["a", "", "b\x0bc", "d"]


def test_read_lines__gzip(tmp_path):
    path = tmp_path / "t.gz"
    packed = gzip.compress(b"a\nb\n")
    path.write_bytes(packed)
    assert read_lines(path) == ["a", "b"]
    path.write_bytes(packed[:-9])
    with pytest.raises(FormatError, match="gzip-compressed but cannot be unpacked"):
        read_lines(path)
    path.write_bytes(packed[:10] + b"\xff\xff\xff\xff" + packed[14:])
    with pytest.raises(FormatError, match="gzip-compressed but cannot be unpacked"):
        read_lines(path)


def test_read_lines__missing(tmp_path):
    with pytest.raises(MissingFileError, match="has no such file"):
        read_lines(tmp_path / "t")
    with pytest.raises(MissingFileError, match="there is no folder"):
        read_lines(tmp_path / "u" / "t")
    with pytest.raises(MissingFileError, match="is a folder"):
        read_lines(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(MissingFileError, match=r"cannot be read|does not exist"):
        read_lines(tmp_path / "file" / "t")


def test_read_lines__missing__names_what_is_near(tmp_path):
    (tmp_path / "pheno.txt").touch()
    (tmp_path / "geno.bed").touch()
    with pytest.raises(MissingFileError, match=r"no such file\); did you mean pheno\.txt\?$"):
        read_lines(tmp_path / "phen.txt")


def test_read_lines__empty(tmp_path):
    path = tmp_path / "t"
    path.touch()
    assert read_lines(path) == []
