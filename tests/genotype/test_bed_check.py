"""Damaged and foreign .bed files."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from nextlmm.errors import FormatError, InputError, MissingFileError
from nextlmm.genotype.conversion import conversion_of
from nextlmm.genotype.source import open_genotypes

from .examples import random_calls, write_bed

REFUSED = {
    "odd/badmagic": "begins with the bytes 6c 1c 01; expected the bytes 6c 1b 01",
    "odd/emptybed": r"is empty \(0 bytes\); expected 3,478 bytes",
    "odd/htmlbed": "begins with the bytes 3c 21 44; .* it is a web page",
    "odd/truncated": r"has 3,441 bytes; expected 3,478 bytes .* inside variant 138 .* truncated",
    "odd/toolong": "has 3,489 bytes; expected 3,478 bytes .* beyond the last variant",
    "odd/famtoofew": "expected 3,339 bytes .* its size fits 97 to 100 samples",
}


@pytest.mark.parametrize("name", REFUSED)
def test_open_genotypes__damaged_files_of_the_collection(shared_data, name):
    with pytest.raises(InputError, match=REFUSED[name]) as caught:
        open_genotypes(shared_data / "formats" / name)
    assert_is_one_sentence(str(caught.value))


def assert_is_one_sentence(text: str) -> None:
    assert "\n" not in text
    assert not text.endswith(".")
    assert not re.search(r"[a-z]\. [A-Z]", text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00", "gzip-compressed; unpack"),
        (b"\x6c\x1b\x10rest", "PLINK 2 .pgen file"),
        (b"\x6c", "begins with the bytes 6c; .* damaged"),
        (b"\x6c\x1b\x01", "has 3 bytes; expected 15 bytes .* inside variant 1 "),
        (b"\x6c\x1b\x01" + bytes(8), "its size fits 4 variants"),
        (b"\x6c\x1b\x01" + bytes(24), "its size fits 13 to 16 samples"),
        (b"\x6c\x1b\x01" + bytes(26), "its size fits 13 variants"),
        (b"\x6c\x1b\x01" + bytes(13), "bytes beyond the last variant"),
        (bytes(12), "12 bytes fit genotypes without any header, but not only"),
        (bytes(15) + b"\x10", "16 bytes fit genotypes .* its last bits are not empty"),
        (b"\x6c\x1b\x00" + bytes(13), "has 16 bytes; expected 19 bytes .* take all three"),
    ],
)
def test_open_genotypes__what_the_file_seems_to_be(tmp_path, rng, content, message):
    prefix = write_bed(tmp_path, random_calls(rng, 8, 6))  # 2 bytes a variant
    prefix.with_suffix(".bed").write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        open_genotypes(prefix)
    assert str(prefix.with_suffix(".bed")) in str(caught.value)
    assert_is_one_sentence(str(caught.value))


@pytest.mark.parametrize("extension", ["bed", "bim", "fam"])
def test_open_genotypes__one_of_the_three_is_missing(tmp_path, rng, extension):
    prefix = write_bed(tmp_path, random_calls(rng, 3, 2))
    prefix.with_suffix(f".{extension}").unlink()
    with pytest.raises(MissingFileError, match=rf"g\.{extension} does not exist; .* lie together"):
        open_genotypes(prefix)


def test_open_genotypes__missing_files_and_what_is_there(tmp_path, rng):
    with pytest.raises(MissingFileError, match="there is no folder"):
        open_genotypes(tmp_path / "no" / "g")
    with pytest.raises(MissingFileError, match=r"holds no \.bed file"):
        open_genotypes(tmp_path / "g")
    for name in ("a", "b", "c", "d"):
        write_bed(tmp_path, random_calls(rng, 1, 1), name)
    with pytest.raises(MissingFileError, match="holds a, b, c and 1 more"):
        open_genotypes(tmp_path / "g")
    for name, flag in (("data.vcf.gz", "--vcf"), ("other.bgen", "--bgen")):
        (tmp_path / name).touch()
        prefix = name.split(".")[0]
        with pytest.raises(MissingFileError, match=rf"{name} does: name it .*{flag}"):
            open_genotypes(tmp_path / prefix)


def test_open_genotypes__a_folder_in_place_of_a_file(tmp_path, rng):
    prefix = write_bed(tmp_path, random_calls(rng, 1, 1))
    prefix.with_suffix(".bed").unlink()
    prefix.with_suffix(".bed").mkdir()
    with pytest.raises(MissingFileError, match=r"g\.bed is a folder"):
        open_genotypes(prefix)


def test_open_genotypes__truncation_anywhere_is_refused(tmp_path, rng):
    prefix = write_bed(tmp_path, random_calls(rng, 9, 4))
    complete = prefix.with_suffix(".bed").read_bytes()
    for length in range(len(complete)):
        prefix.with_suffix(".bed").write_bytes(complete[:length])
        with pytest.raises(FormatError):
            open_genotypes(prefix)
    assert np.unique(list(complete)).size > 1


@pytest.mark.parametrize("shape", [(8, 6), (10, 7), (5, 12)])
def test_open_genotypes__no_header_at_all(tmp_path, rng, shape):
    """Sample by sample, two bits a genotype from the lowest on, if nothing else has that size."""
    calls = random_calls(rng, *shape)
    prefix = write_bed(tmp_path, calls)
    whole = write_bed(tmp_path, calls.T, "turned")  # whose variants are these samples
    expected = open_genotypes(prefix).dosages(np.arange(shape[1]))
    prefix.with_suffix(".bed").write_bytes(whole.with_suffix(".bed").read_bytes()[3:])
    found = open_genotypes(prefix).dosages(np.arange(shape[1]))
    assert np.array_equal(found, expected, equal_nan=True)


def test_open_genotypes__no_header_and_more_than_one_layout(tmp_path, rng):
    """Eight samples of eight variants: by sample and by variant are equally long."""
    prefix = write_bed(tmp_path, random_calls(rng, 8, 8))
    prefix.with_suffix(".bed").write_bytes(bytes(16))
    with pytest.raises(FormatError, match="but not only those"):
        open_genotypes(prefix)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (".ped", r"g\.ped does, in a format .* plink2 --pedmap \S*/g --make-pgen --out \S*/g, and"),
        (".tped", r"g\.tped does, .* plink2 --tfile \S*/g --make-pgen --out \S*/g, and name"),
        (".gen", r"g\.gen does, .* plink2 --data \S*/g ref-first --make-pgen .* by --pfile \S*/g$"),
        (".gen.gz", r"plink2 --gen \S*/g\.gen\.gz ref-first --sample \S*/g\.sample --make-pgen"),
        (".haps", r"plink2 --haps \S*/g\.haps --sample"),
        (".gds", r"SNPRelate.* name the result by --bfile"),
    ],
)
def test_open_genotypes__formats_that_plink2_converts(tmp_path, end, message):
    """The prefix, the file itself, and what belongs to it, by the options of both PLINKs."""
    (tmp_path / f"g{end}").write_text("content")
    names = ["g", f"g{end}", *{".ped": ["g.map"], ".tped": ["g.tfam"]}.get(end, [])]
    for name in names:
        for kind in ("bed", "pgen"):
            with pytest.raises(MissingFileError, match=message) as caught:
                open_genotypes(tmp_path / name, kind=kind)
            assert_is_one_sentence(str(caught.value))


def test_open_genotypes__gen_is_not_bgen(tmp_path):
    (tmp_path / "g.gen").write_text("1 v1 100 A G 1 0 0\n" * 3)
    with pytest.raises(FormatError, match=r"is not a BGEN file: .* convert it by plink2 --data"):
        open_genotypes(tmp_path / "g.gen", kind="bgen")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text.ped", ["--pedmap", "{stem}"]),
        ("text.tped", ["--tfile", "{stem}"]),
        ("geno.ox.gen", ["--data", "{stem}", "ref-first"]),
    ],
)
def test_the_commands_do_convert(shared_data, tmp_path, name, words):
    """PLINK 2 takes the words of the sentence, and its result is the plain genotypes."""
    program = shutil.which("plink2")
    if program is None:
        pytest.skip("needs plink2 on the PATH")
    path = shared_data / "formats" / "base" / name
    stem = str(path).removesuffix(path.suffix)
    words = [word.format(stem=stem) for word in words]
    assert " ".join(["plink2", *words, "--make-pgen --out"]) in conversion_of(path)[1]
    command = [program, *words, "--make-pgen", "--out", str(tmp_path / "g")]
    subprocess.run(command, check=True, capture_output=True)
    found = open_genotypes(tmp_path / "g")
    plain = open_genotypes(shared_data / "formats" / "base" / "geno")
    a, b = (source.dosages(np.arange(139)) for source in (found, plain))
    turned = found.variants.effect_allele != plain.variants.effect_allele
    np.testing.assert_array_equal(np.where(turned, 2.0 - a, a), b)
