"""Dialects of trait files, covariate files and sample lists."""

import gzip

import pytest

from nextlmm.cohort.table import read_sample_list, read_sample_table
from nextlmm.errors import FormatError, MissingFileError

PLAIN = "FID IID height y-2\nF1 001 1.5 NA\nF2 I2 -2e3 7\n"


def write(tmp_path, content):
    path = tmp_path / "t.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(tmp_path, content):
    return read_sample_table(write(tmp_path, content))


DIALECTS = {
    "spaces": PLAIN,
    "tabs": PLAIN.replace(" ", "\t"),
    "commas": PLAIN.replace(" ", ","),
    "semicolons": PLAIN.replace(" ", ";"),
    "comma-space": PLAIN.replace(" ", ", "),
    "mixed": "FID  IID\theight y-2\n F1 001 1.5\t NA \nF2\tI2\t-2e3 7\n",
    "hash": "#" + PLAIN,
    "lower-case": PLAIN.replace("FID IID", "fid iid"),
    "crlf": PLAIN.replace("\n", "\r\n"),
    "cr": PLAIN.replace("\n", "\r"),
    "mark": "\ufeff" + PLAIN,
    "no-final-end": PLAIN.rstrip(),
    "blank-lines": "\n" + PLAIN + "\n \n",
    "quoted": 'FID,IID,"height","y-2"\n"F1","001",1.5,NA\n"F2","I2",-2e3,7\n',
    "quoted-spaces": '"FID" "IID" "height" "y-2"\n"F1" "001" 1.5 NA\n"F2" "I2" -2e3 7\n',
    "trailing-commas": PLAIN.replace(" ", ",").replace("\n", ",,\n"),
    "gzip": gzip.compress(PLAIN.encode()),
    "swapped-names": "IID FID height y-2\n001 F1 1.5 NA\nI2 F2 -2e3 7\n",
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_read_sample_table__dialects(tmp_path, dialect):
    table = read(tmp_path, DIALECTS[dialect])
    assert table.family_id.tolist() == ["F1", "F2"]
    assert table.sample_id.tolist() == ["001", "I2"]
    assert {name: list(values) for name, values in table.columns.items()} == {
        "height": ["1.5", "-2e3"],
        "y-2": ["NA", "7"],
    }
    first = 3 if dialect == "blank-lines" else 2
    assert table.line.tolist() == [first, first + 1]
    assert len(table) == 2


def test_read_sample_table__sample_ids_only(tmp_path):
    for header in ("IID", "#IID", "id", "sample_id"):
        table = read(tmp_path, f"{header} y\nI1 1\nI2 2\n")
        assert table.family_id is None
        assert table.sample_id.tolist() == ["I1", "I2"]
        assert list(table.columns) == ["y"]


def test_read_sample_table__without_header(tmp_path):
    table = read(tmp_path, "F1 I1 1.5 NA\nF2 I2 2 3\n")
    assert table.family_id.tolist() == ["F1", "F2"]
    assert list(table.columns) == ["column3", "column4"]
    assert table.line.tolist() == [1, 2]


def test_read_sample_table__empty_cells(tmp_path):
    table = read(tmp_path, "FID\tIID\ty\tz\nF1\tI1\t\t2\nF2\tI2\t3\t\n")
    assert list(table.columns["y"]) == ["", "3"]
    assert list(table.columns["z"]) == ["2", ""]


def test_read_sample_table__names_with_spaces(tmp_path):
    assert list(read(tmp_path, "FID,IID,body weight\nF,I,1\n").columns) == ["body weight"]
    assert list(read(tmp_path, "FID\tIID\tbody weight\nF\tI\t1\n").columns) == ["body weight"]
    assert list(read(tmp_path, 'IID,"a,b"\nI,1\n').columns) == ["a,b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("FID IID y\n", "has a header line and nothing else"),
        ("FID IID y\nF1 I1 1\nF2 I2\n", r"line 3: 2 cells \(F2 I2\); expected 3 as on line 1"),
        ("FID,IID,y\nF1,I1,1,2\nF,I,1\n", "line 2: 4 cells"),
        ("FID\tIID\ty\nF1\tI1\n", "line 2: 2 cells"),
        ('FID IID y\n"1" F1 I1 1\n"2" F2 I2 1\n', "3 column names for rows of 4 cells; .*R writes"),
        ("FID IID y y\nF I 1 2\n", "line 1: the name 'y' occurs twice, in columns 3 and 4"),
        ("FID IID IID\nF I 1\n", "the name 'IID' occurs twice, in columns 2 and 3"),
        ("FID,IID,,y\nF,I,1,2\n", "line 1: column 3 has no name"),
        ('"","FID","IID","y"\n"1","F","I",1\n', "line 1: the line begins with ''.*no"),
        ("Taxa,Height\na,1\n", "'Taxa Height' is no header; expected a header line"),
        ("Taxa line Height\na b 1\n", "begins with 'Taxa' and holds 'Height', which is not a num"),
        ("FID,IID,y\n,I1,1\n", "line 2: the row has no ID"),
        (PLAIN.encode("utf-16"), "UTF-16"),
        (b"FID IID y\nF I\xe9 1\n", "line 2 holds the byte 0xe9"),
        (b"FID IID y\nF I \x00\n", "line 2 holds a zero byte"),
    ],
)
def test_read_sample_table__refused(tmp_path, content, message):
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path, content)
    assert "t.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_sample_table__missing(tmp_path):
    with pytest.raises(MissingFileError, match=r"nothere\.txt does not exist"):
        read_sample_table(tmp_path / "nothere.txt")


def test_read_sample_table__long_rows_are_cut_in_messages(tmp_path):
    with pytest.raises(FormatError) as caught:
        read(tmp_path, "FID IID y\n" + "x " * 10_000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("content", "families", "ids"),
    [
        ("F1 I1\nF2 I2\n", ["F1", "F2"], ["I1", "I2"]),
        ("F1\tI1\textra\r\n\nF2\tI2\n", ["F1", "F2"], ["I1", "I2"]),
        ("#FID IID\nF1 I1\n", ["F1"], ["I1"]),
        ("I1\nI2\n", None, ["I1", "I2"]),
        ("#IID\nI1\n", None, ["I1"]),
        ("F1,I1\n", ["F1"], ["I1"]),
        ("F1 I1 0 0 1 -9\n", ["F1"], ["I1"]),
        ("FID IID y\nF1 I1 1\n", ["F1"], ["I1"]),
    ],
)
def test_read_sample_list__dialects(tmp_path, content, families, ids):
    listed = read_sample_list(write(tmp_path, content))
    assert listed.sample_id.tolist() == ids
    assert (None if listed.family_id is None else listed.family_id.tolist()) == families
    assert not listed.columns


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lists no samples"),
        ("#FID IID\n", "lists no samples"),
        ("F1 I1\nI2\n", "line 2: 1 IDs or columns where line 1 has 2"),
        ("I1\nF2 I2\n", "line 2: 2 IDs or columns where line 1 has 1"),
    ],
)
def test_read_sample_list__refused(tmp_path, content, message):
    with pytest.raises(FormatError, match=message):
        read_sample_list(write(tmp_path, content))
