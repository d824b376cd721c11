"""Files that claim too much or contradict themselves: one sentence each, and no memory taken."""

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib

import numpy as np
import polars as pl
import pytest

from nextlmm.cohort.table import read_sample_list, read_sample_table
from nextlmm.errors import AlignmentError, FormatError, UsageError
from nextlmm.genotype import unpacking
from nextlmm.genotype.bgen import copies_of_allele
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.textfile import read_bytes, read_lines
from nextlmm.genotype.unpacking import zstd_bytes
from nextlmm.relatedness.grm_files import read_relationships
from nextlmm.run.option_checks import chosen_chromosomes, split_names

from .genotype.examples import random_calls, write_bed
from .genotype.formats import call_records, write_bgen, write_pgen, write_vcf, write_zarr

N = 5
IDS = "".join(f"F{i}\tI{i}\n" for i in range(N))


# Genotypes in text


@pytest.fixture
def bed(tmp_path, rng):
    return write_bed(tmp_path, random_calls(rng, N, 3))


@pytest.mark.parametrize("odd", ["1_0", "\u0663", "9" * 5000, str(2**63), "1.5", "1e3"])
def test_positions_are_plain_digits(bed, odd):
    path = bed.with_suffix(".bim")
    lines = path.read_text().splitlines()
    cells = lines[1].split("\t")
    lines[1] = "\t".join([*cells[:3], odd, *cells[4:]])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FormatError, match="line 2: the position of the variant is") as caught:
        open_genotypes(bed)
    assert len(str(caught.value)) < 400


def test_a_blank_within_an_id_of_a_fam_file(bed):
    path = bed.with_suffix(".fam")
    path.write_text(path.read_text().replace("I2\t", "I 2\t"))
    with pytest.raises(FormatError, match=r"line 3: 7 columns .* expected 6 as on line 1"):
        open_genotypes(bed)


@pytest.fixture
def bimbam(tmp_path):
    def write(lines, places="v0,10,1\n", ids=IDS, **options):
        (tmp_path / "g.txt").write_bytes(lines.encode() if isinstance(lines, str) else lines)
        (tmp_path / "places.txt").write_text(places)
        (tmp_path / "ids.txt").write_text(ids)
        return open_genotypes(
            tmp_path / "g.txt",
            kind="bimbam",
            sample=tmp_path / "ids.txt",
            annotation=tmp_path / "places.txt",
            **options,
        )

    return write


def test_bimbam__a_byte_order_mark_is_no_part_of_a_name(bimbam):
    source = bimbam("\ufeffv0 A G 0 1 2 1 0\n")
    assert source.variants.variant_id.tolist() == ["v0"]
    assert source.variants.position_bp.tolist() == [10]


@pytest.mark.parametrize(
    ("lines", "places", "ids", "message"),
    [
        ("v0 A G 0 1_0 2 1 0\n", "", IDS, "line 1 .v0.: could not convert string to float: '1_0'"),
        ("v0 A G 0 \u0661 2 1 0\n", "", IDS, "could not convert string to float"),
        (f"v0 A G 0 {'x' * 90_000} 2 1 0\n", "", IDS, "could not convert"),
        ("\n \n", "", IDS, "lists no variants"),
        ("v0 A G 0 1 2 1 0\n", "v0 --5 1\n", IDS, "line 1: the position of the variant is '--5'"),
        ("v0 A G 0 1 2 1 0\n", f"v0 {'9' * 5000} 1\n", IDS, "expected an integer"),
        ("v0 A G 0 1 2 1 0\n", f"v0 {2**63} 1\n", IDS, r"below 2\^63"),
        ("v0 A G 0 1 2 1 0\n", "v0 5 1\nv0 6 1\n", IDS, "line 2: variant v0 has another place"),
        ("v0 A G 0 1 2 1 0\n", "", IDS.replace("F1\t", ""), r"line 2: 1 column.s. .* expected 2"),
    ],
)
def test_bimbam__refused(bimbam, lines, places, ids, message):
    with pytest.raises(FormatError, match=message) as caught:
        bimbam(lines, places, ids)
    assert len(str(caught.value)) < 600


def test_bimbam__a_line_without_an_end_is_not_read_into_memory(bimbam):
    endless = gzip.compress(b"v0 A G " + b" " * 30_000_000)
    with pytest.raises(FormatError, match="line 1: more than 4,194,624 characters"):
        bimbam(endless)


@pytest.mark.parametrize(
    ("form", "values", "message"),
    [
        ("GT", ["0/5"] * N, "variant 1 cannot be used .sample 1 has allele 5 in GT"),
        ("GP", ["0.9,0.9,0.1"] * N, "probabilities 0.9, 0.9, 0.1 in GP"),
        ("GP", ["1.2,-0.1,-0.1"] * N, "probabilities 1.2"),
        ("GP", ["0.5,0.5"] * N, "2 probabilities for genotypes of 2 out of 2 alleles"),
    ],
)
def test_vcf__genotypes_that_contradict_themselves(tmp_path, form, values, message):
    path = write_vcf(tmp_path, [("1", 5, "v", "G", "A", form, values)], N, fields=(form,))
    with pytest.raises(FormatError, match=message):
        open_genotypes(path)


def test_vcf__a_field_of_words(tmp_path):
    path = write_vcf(tmp_path, [("1", 5, "v", "G", "A", "DS", ["x"] * N)], N, fields=("DS",))
    path.write_text(path.read_text().replace("Type=Float", "Type=String"))
    with pytest.raises(FormatError, match="DS holds no numbers"):
        open_genotypes(path)


def without_contigs(path):
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("##contig"))


def test_vcf__contigs_that_the_header_lacks(tmp_path, rng):
    calls = random_calls(rng, N, 7)
    path = write_vcf(tmp_path, call_records(calls), N)
    path.write_text(without_contigs(path))
    source = open_genotypes(path)
    np.testing.assert_array_equal(source.dosages(np.arange(7)), calls)
    packed = tmp_path / "w.vcf.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(open_genotypes(packed).dosages(np.arange(7)), calls)


@pytest.mark.parametrize("broken", ["7\t5\tv\tG\n", "7\tx\tv\tG\tA\t.\t.\t.\tGT\t0/1\n", "7 5 v\n"])
def test_vcf__a_broken_line_of_such_a_contig(tmp_path, rng, broken):
    """Looking at what the library makes of it would end the process."""
    path = write_vcf(tmp_path, call_records(random_calls(rng, N, 4)), N)
    path.write_text(without_contigs(path) + broken)
    with pytest.raises(FormatError, match="damaged"):
        open_genotypes(path)


@pytest.mark.parametrize(("place", "what"), [("##x=", "a header"), ("9\t", "a line")])
def test_vcf__a_line_without_an_end_is_not_read_into_memory(tmp_path, monkeypatch, place, what):
    monkeypatch.setattr("nextlmm.genotype.vcf_contigs.FREE_BYTES", 2**20)
    text = write_vcf(tmp_path, call_records(np.ones((N, 4))), N).read_text()
    endless = place + "x" * 2**22 + "\n"
    text = text + endless if what == "a line" else text.replace("#CHROM", f"{endless}#CHROM")
    path = tmp_path / "w.vcf.gz"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(FormatError, match=f"has {what} of more than 1,"):
        open_genotypes(path)


def test_vcf__a_blank_line_is_no_variant(tmp_path, rng):
    path = write_vcf(tmp_path, call_records(random_calls(rng, N, 4)), N)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(FormatError, match="has a line that begins with ''"):
        open_genotypes(path)


@pytest.mark.parametrize("kind", ["Type=.Float", "Typ=Float"])
def test_vcf__a_field_of_no_type(tmp_path, kind):
    path = write_vcf(tmp_path, [("1", 5, "v", "G", "A", "DS", ["1"] * N)], N, fields=("DS",))
    path.write_text(path.read_text().replace("Type=Float", kind))
    with pytest.raises(FormatError, match=r"variant 1 cannot be used .DS h"):
        open_genotypes(path)


@pytest.mark.parametrize(("at", "embedded"), [(8, True), (12, True), (12, False)])
@pytest.mark.parametrize("count", [2**24, 2**31, 2**32 - 1])
def test_bgen__counts_beyond_the_file(tmp_path, rng, at, embedded, count):
    path = write_bgen(tmp_path, random_calls(rng, N, 3), embedded=embedded)
    if not embedded:
        rows = "".join(f"F{i} I{i} 0\n" for i in range(N))
        path.with_suffix(".sample").write_text("ID_1 ID_2 missing\n0 0 0\n" + rows)
    content = bytearray(path.read_bytes())
    content[at : at + 4] = struct.pack("<I", count)
    path.write_bytes(content)
    with pytest.raises((FormatError, AlignmentError), match=r"too few for|lists 5 samples and"):
        open_genotypes(path)


@pytest.fixture
def bcf(tmp_path, rng):
    pysam = pytest.importorskip("pysam")
    path = write_vcf(tmp_path, call_records(random_calls(rng, N, 4)), N)
    with (
        pysam.VariantFile(str(path)) as given,
        pysam.VariantFile(str(tmp_path / "v.bcf"), "wb", header=given.header) as made,
    ):
        for record in given:
            made.write(record)
    return tmp_path / "v.bcf", gzip.decompress((tmp_path / "v.bcf").read_bytes())


def test_bcf__is_read(bcf):
    assert len(open_genotypes(bcf[0]).variants) == 4


@pytest.mark.parametrize("place", ["type", "length", "header", "end"])
def test_bcf__damage_that_would_end_the_process(bcf, place):
    path, content = bcf
    damaged = bytearray(content)
    start = 9 + struct.unpack_from("<I", content, 5)[0]  # of the first record
    shared = struct.unpack_from("<I", content, start)[0]
    if place == "type":  # of the genotypes, after the two bytes that name the field
        assert damaged[start + 8 + shared + 2] == 0x21
        damaged[start + 8 + shared + 2] = 0x20
    elif place == "length":
        damaged[start : start + 4] = b"\xff" * 4
    elif place == "header":
        damaged[5:9] = b"\xff" * 4
    else:
        del damaged[-3:]
    path.write_bytes(bytes(damaged))
    with pytest.raises(FormatError, match=r"cannot be read .* damaged or cut short"):
        open_genotypes(path)


def test_bgen__genotypes_of_more_kinds_than_there_are_probabilities():
    with pytest.raises(ValueError, match="2 probabilities for genotypes of 63 out of 9000 alleles"):
        copies_of_allele(
            np.zeros((1, 2)), np.array([63]), n_alleles=9000, allele=1, is_phased=False
        )


# Stores


@pytest.fixture
def store(tmp_path, rng):
    calls = rng.integers(0, 2, (4, N, 2)).astype(np.int8)
    return write_zarr(tmp_path, calls, "z")


def describe(store, name, **changes):
    path = store / name / ".zarray"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (store / ".zmetadata").unlink(missing_ok=True)


class Opened:
    """A pickle of it makes a file, as any program could."""

    def __init__(self, path):
        self._path = str(path)

    def __reduce__(self):
        return open, (self._path, "w")


@pytest.mark.parametrize("place", ["compressor", "filters"])
@pytest.mark.parametrize("kind", ["|O", "<U2"])
def test_zarr__nothing_is_unpickled(store, tmp_path, place, kind, monkeypatch):
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    codec = {"id": "pickle", "protocol": 5}
    describe(store, "sample_id", **{"dtype": kind, "compressor": None, "fill_value": None})
    describe(store, "sample_id", **{place: codec if place == "compressor" else [codec]})
    (store / "sample_id" / "0").write_bytes(pickle.dumps(Opened(tmp_path / "made")))
    with pytest.raises(FormatError):
        open_genotypes(store)
    assert not (tmp_path / "made").exists()


def test_zarr__a_codec_that_is_not_on_the_list(store):
    describe(store, "variant_position", filters=[{"id": "base64"}])
    with pytest.raises(FormatError, match="variant_position is packed by base64, which is not"):
        open_genotypes(store)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("call_genotype", {"shape": [2**60, N, 2]}, "call_genotype has shape"),
        ("variant_position", {"shape": [2**60]}, "variant_position of shape .* GiB at a time"),
        ("call_genotype", {"chunks": [2**50, N, 2]}, "call_genotype of shape .* GiB at a time"),
        ("variant_position", {"dtype": "<U4", "fill_value": None}, "expected 1 of n"),
        ("variant_allele", {"shape": [4], "chunks": [4]}, "variant_allele has 1 axes"),
        ("sample_id", {"dtype": "<i8", "fill_value": None}, "expected 1 of text"),
    ],
)
def test_zarr__refused(store, name, changes, message):
    describe(store, name, **changes)
    with pytest.raises(FormatError, match=message):
        open_genotypes(store)


def test_zarr__a_contig_that_is_not_there(store):
    (store / "variant_contig" / "0").unlink()
    describe(store, "variant_contig", fill_value=-1)
    with pytest.raises(FormatError, match="variant_contig names other contigs"):
        open_genotypes(store)


def test_zarr__a_damaged_chunk(store):
    (store / "call_genotype" / "0.0.0").write_bytes(b"\0" * 9)
    with pytest.raises(FormatError, match="of the variants 1 to 4 cannot be read"):
        open_genotypes(store)


# Compression


def test_gzip__that_unpacks_to_far_more_than_text(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "FREE_BYTES", 2**20)
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"\0" * 2**22))
    with pytest.raises(FormatError, match="unpacks to more than 1,048,576; no text"):
        read_lines(path)
    path.write_bytes(gzip.compress(b"a\n" * 2**18))
    assert len(read_lines(path)) == 2**18


def frame(*blocks):
    """A frame of zstd with a window and no checksum."""
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(blocks)


def block(kind, size, content, *, is_last=False):
    return (size << 3 | kind << 1 | is_last).to_bytes(3, "little") + content


def test_zstd__the_size_is_known_before_it_is_unpacked(tmp_path, monkeypatch):
    content = frame(block(0, 3, b"ab\n"), block(1, 2**17, b"c", is_last=True))
    assert zstd_bytes(content) == 3 + 2**17
    path = tmp_path / "t.zst"
    path.write_bytes(content)
    assert read_bytes(path).rstrip(b"\n") == b"ab\n" + b"c" * 2**17
    monkeypatch.setattr(unpacking, "FREE_BYTES", 2**16)
    with pytest.raises(FormatError, match="unpacks to more than 65,536"):
        read_bytes(path)
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<I", 2) + b"xx"
    assert zstd_bytes(skippable + content) == zstd_bytes(content)
    for damaged in (content[:-1], content[:8], skippable[:-1], content + b"x", b"\x28\xb5\x2f\xfd"):
        with pytest.raises(ValueError, match="frame"):
            zstd_bytes(damaged)


def test_pvar__that_unpacks_to_far_more_than_text(tmp_path, monkeypatch, rng):
    write_pgen(tmp_path, random_calls(rng, N, 3))
    (tmp_path / "p.pvar").unlink()
    bomb = frame(*[block(1, 2**17, b"c")] * 9, block(1, 1, b"c", is_last=True))
    (tmp_path / "p.pvar.zst").write_bytes(bomb)
    monkeypatch.setattr(unpacking, "FREE_BYTES", 2**16)
    with pytest.raises(FormatError, match=r"p\.pvar\.zst of .* unpacks to more than 65,536"):
        open_genotypes(tmp_path / "p.pgen")
    (tmp_path / "p.pvar.zst").write_bytes(bomb[:-2])
    with pytest.raises(FormatError, match="zstd-compressed but cannot be unpacked"):
        open_genotypes(tmp_path / "p.pgen")


def test_zstd__a_control_character_loses_no_text(tmp_path):
    path = tmp_path / "t.zst"
    path.write_bytes(frame(block(0, 4, b"a\x1fb\n", is_last=True)))
    with pytest.raises(FormatError, match="control character"):
        read_bytes(path)


def test_what_is_compressed_twice_is_not_unpacked(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(gzip.compress(gzip.compress(b"FID IID y\n")))
    with pytest.raises(FormatError, match="is compressed twice"):
        read_lines(path)
    path = given(tmp_path, ".grm.sp", zlib.compress(b"0\t0\t1\n" * 99), ".grm.id")
    with pytest.raises(FormatError, match="compressed by zlib"):
        read_relationships(path)


# Tables of samples


def test_table__many_columns_are_quick(tmp_path):
    path = tmp_path / "t"
    names = [f"y{k}" for k in range(100_000)]
    lines = [["IID", *names], ["I0", *("1" for _ in names)]]
    path.write_text("".join("\t".join(line) + "\n" for line in lines))
    assert len(read_sample_table(path).columns) == 100_000
    path.write_text("IID,y" + "," * 300_000 + "\nI0,1" + "," * 300_000 + "\n")
    assert list(read_sample_table(path).columns) == ["y"]


def test_table__a_quote_that_does_not_end(tmp_path):
    path = tmp_path / "t"
    path.write_text('FID,IID,y\nF0,I0,"1\nF1,I1,2\n')
    assert read_sample_table(path).columns["y"] == ('"1', "2")


@pytest.mark.parametrize("text", ["FID IID\nF0\n", "IID\nF0 I0\n", "F0 I0\nI1\n"])
def test_list__one_id_here_and_two_there(tmp_path, text):
    (tmp_path / "t").write_text(text)
    with pytest.raises(FormatError, match=r"line 2: . IDs or columns where line 1 has"):
        read_sample_list(tmp_path / "t")


def test_table__a_line_of_a_control_character(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b"\x1f")
    with pytest.raises(FormatError, match="is empty"):
        read_sample_table(path)


def test_a_sentence_is_never_as_long_as_a_file(tmp_path):
    path = tmp_path / "t"
    path.write_text(f"{'9' * 100_000} x\n")
    with pytest.raises(
        FormatError, match=r"line 1: '999.*\[\.\.\.\].*correct the header"
    ) as caught:
        read_sample_table(path)
    assert len(str(caught.value)) < 1300


def test_parquet__a_name_that_is_a_pattern_elsewhere(tmp_path):
    for name, value in (("a[1].parquet", 1.0), ("a1.parquet", 2.0)):
        pl.DataFrame({"IID": ["x"], "y": [value]}).write_parquet(tmp_path / name)
    assert read_sample_table(tmp_path / "a[1].parquet").columns["y"] == ("1",)


def test_parquet__a_panic_of_the_library_is_a_sentence(tmp_path, monkeypatch):
    def panic(*_, **__):
        raise pl.exceptions.PanicException("called `Option::unwrap()` on a `None` value")

    path = tmp_path / "t.parquet"
    pl.DataFrame({"IID": ["x"]}).write_parquet(path)
    monkeypatch.setattr(pl, "scan_parquet", panic)
    with pytest.raises(FormatError, match="cannot be read as Parquet"):
        read_sample_table(path)


def test_parquet__more_rows_than_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("nextlmm.cohort.frame._FREE_ROWS", 1000)
    path = tmp_path / "t.parquet"
    pl.DataFrame({"IID": ["x"] * 200_000}).write_parquet(path)
    with pytest.raises(FormatError, match="describes 200,000 rows; expected one row per sample"):
        read_sample_table(path)


def test_parquet__long_text_that_is_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "FREE_BYTES", 2**16)
    path = tmp_path / "t.parquet"
    ids = [f"I{i}" for i in range(4000)]
    pl.DataFrame({"IID": ids, "y": ["x" * 10_000] * 4000}).write_parquet(path)
    table = read_sample_table(path)
    with pytest.raises(FormatError, match="unpacks to more than"):
        table.columns["y"]


# Relationship matrices


def given(tmp_path, end, content, ids=".id"):
    stem = tmp_path / "m"
    (tmp_path / f"m{ids}").write_text(IDS)
    path = stem.with_name(f"m{end}")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def npy(header, body=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 2)}", "of shape"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (5, 5)}", r"expected \d+ for the"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (5, 5)}", "type object"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': " + "(" * 3000, "cannot be read"),
        ("{'descr': '<f8'}", "cannot be read"),
    ],
)
def test_npy__headers(tmp_path, content, message):
    with pytest.raises(FormatError, match=message) as caught:
        read_relationships(given(tmp_path, ".npy", npy(content)))
    assert len(str(caught.value)) < 600


def test_npy__an_archive_is_no_array(tmp_path):
    handle = io.BytesIO()
    with zipfile.ZipFile(handle, "w") as archive:
        archive.writestr("a.npy", "x")
    with pytest.raises(FormatError, match="cannot be read as a NumPy array"):
        read_relationships(given(tmp_path, ".npy", handle.getvalue()))


@pytest.mark.parametrize(
    ("end", "ids", "content", "message"),
    [
        (".grm.sp", ".grm.id", "0\t0.5\t1\n", r"line 1: 0 0.5 1; expected two positions"),
        (".grm.gz", ".grm.id", "1\t1\tx\t1\n", "cannot be read as lines of 4 numbers"),
        (".txt", ".id", "1_0 " * 5, "line 1: could not convert string to float: '1_0'"),
        (
            ".mtx",
            ".id",
            f"%%MatrixMarket matrix coordinate real general\n5 5 {2**60}\n1 1 1\n",
            "entries are too many for its size",
        ),
    ],
)
def test_matrices_in_text__refused(tmp_path, end, ids, content, message):
    with pytest.raises(FormatError, match=message):
        read_relationships(given(tmp_path, end, content, ids))


def test_gcta_text__a_number_of_variants_that_is_none(tmp_path):
    lines = [f"{i + 1}\t{j + 1}\t{'nan' if i else 9}\t1" for i in range(N) for j in range(i + 1)]
    content = gzip.compress("\n".join(lines).encode())
    with pytest.raises(FormatError, match="line 2: the number of variants is nan"):
        read_relationships(given(tmp_path, ".grm.gz", content, ".grm.id"))


# What is typed


@pytest.mark.parametrize("text", ["1-1000000000", f"1-{'9' * 5000}", f"{'9' * 5000}-1"])
def test_ranges_of_chromosomes_take_no_memory(text):
    with pytest.raises(UsageError, match="is of more than 100,000 chromosomes"):
        chosen_chromosomes(text)


@pytest.mark.parametrize("text", ["PC1-PC1000000000", "PC{1:1000000000}", f"PC{{1:{'9' * 5000}}}"])
def test_ranges_of_columns_take_no_memory(text):
    assert len(split_names("covar_name", [text], ["PC1", "PC2"])) <= 4
