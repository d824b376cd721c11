"""The .fam and .bim dialects."""

import pytest

from nextlmm.errors import FormatError
from nextlmm.genotype.plink_tables import read_bim, read_fam

BIM = "1\trs1\t0\t100\tA\tG\nX rs2  0.5 -7 <DEL> ACGT\nscaffold_1\trs1\t0\t0\t0\tC\n"
FAM = "0 001 0 0 1 -9 2 NA\n\tF1   Zoë\t0 0 2 1.5 3 4\n"


def read(tmp_path, reader, text, encoding="utf-8"):
    path = tmp_path / "table"
    path.write_bytes(text.encode(encoding))
    return reader(path)


@pytest.mark.parametrize(
    "change",
    [
        str,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n \n\n",
        lambda text: text.replace("\n", " \t\n"),
        lambda text: "\ufeff" + text,
        lambda text: "\n".join("  " + line for line in text.split("\n")),
    ],
    ids=["plain", "crlf", "cr", "no-end", "blank-lines", "trailing-space", "mark", "indented"],
)
def test_read__white_space_and_line_ends_do_not_matter(tmp_path, change):
    variants = read(tmp_path, read_bim, change(BIM))
    assert variants.chromosome.tolist() == ["1", "X", "scaffold_1"]
    assert variants.variant_id.tolist() == ["rs1", "rs2", "rs1"]
    assert variants.position_bp.tolist() == [100, -7, 0]
    assert variants.effect_allele.tolist() == ["A", "<DEL>", "0"]
    assert variants.other_allele.tolist() == ["G", "ACGT", "C"]
    samples = read(tmp_path, read_fam, change(FAM))
    assert samples.family_id.tolist() == ["0", "F1"]
    assert samples.sample_id.tolist() == ["001", "Zoë"]


def test_read_bim__without_genetic_position(tmp_path):
    variants = read(tmp_path, read_bim, "1 rs1 100 A G\n2 rs2 200 C T\n")
    assert variants.position_bp.tolist() == [100, 200]
    assert variants.effect_allele.tolist() == ["A", "C"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no variants"),
        ("\n\n", "lists no variants"),
        ("1 rs1 0 100 A G\n1 rs2 200 A G\n", r"line 2: 5 columns \('1 rs2 200 A G'\); expected 6"),
        ("1 rs1 0 100\n", "line 1: 4 columns .* expected 6 .chromosome"),
        ("1 rs1 0 100 A G extra\n", "line 1: 7 columns"),
        ("chr id cm bp a1 a2\n", "line 1: the position of the variant is 'bp'.*no header line"),
        ("1 a 0 5 A G\n1 b 0 1e6 A G\n", "line 2: the position of the variant is '1e6'; exp"),
        ("1 a 0 99999999999999999999 A G\n", "line 1: .*below 2"),
        ("<!DOCTYPE html>\n<html>\n", "line 1: 2 columns"),
        ("1 rs1 0 100 A G\nlonely\n", r"line 2: 1 column \('lonely'\)"),
        ("1 rs1 0 100 A \0\n", "line 1 holds a zero byte"),
    ],
)
def test_read_bim__refused(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read(tmp_path, read_bim, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no samples"),
        ("F1 I1 0 0 1\nF1 I2 0 0\n", r"line 2: 4 columns \('F1 I2 0 0'\); a .fam file has 5 or 6"),
    ],
)
def test_read_fam__refused(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        read(tmp_path, read_fam, text)


def test_read_fam__encoding(tmp_path):
    with pytest.raises(FormatError, match="line 2 holds the byte 0xeb"):
        read(tmp_path, read_fam, FAM, "latin-1")
    with pytest.raises(FormatError, match="UTF-16"):
        read(tmp_path, read_fam, FAM, "utf-16")


def test_read_bim__long_lines_are_cut_in_messages(tmp_path):
    with pytest.raises(FormatError) as caught:
        read(tmp_path, read_bim, "x" * 10_000)
    assert len(str(caught.value)) < 500
