"""Every format against the genotypes that were written into it, and what damage does."""

import gzip
import pickle
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextlmm.errors import AlignmentError, FormatError, MissingFileError, UsageError
from nextlmm.genotype import packages
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.bgen import copies_of_allele
from nextlmm.genotype.held import Collector, PackedSource
from nextlmm.genotype.pgen import PgenSource, open_pgen
from nextlmm.genotype.source import open_genotypes

from .examples import random_calls, sample_table, variant_table, write_bed
from .formats import (
    call_records,
    dosage_records,
    probabilities,
    write_bgen,
    write_pgen,
    write_vcf,
    write_zarr,
)

N, M = 37, 23


@pytest.fixture
def calls(rng):
    return random_calls(rng, N, M)


@pytest.fixture
def dosages(rng):
    values = rng.uniform(0.0, 2.0, size=(N, M))
    values[rng.random((N, M)) < 0.1] = np.nan
    values[:, 3] = np.where(np.isnan(values[:, 3]), np.nan, 1.0)  # a variant of calls among them
    return values


def write_calls(folder, calls, kind):
    if kind == "pgen":
        return write_pgen(folder, calls).with_suffix(".pgen")
    if kind == "bgen":
        return write_bgen(folder, calls)
    if kind == "zarr":
        return write_zarr(folder, alleles_of(calls))
    if kind == "vcf":
        return write_vcf(folder, call_records(calls), len(calls))
    return write_vcf(folder, call_records(calls), len(calls), "v.vcf.gz")


def alleles_of(calls):
    """The two alleles of each genotype, (m, n, 2)."""
    first = np.where(np.isnan(calls.T), -1, calls.T == 2)
    return np.stack([first, np.where(np.isnan(calls.T), -1, calls.T >= 1)], axis=-1)


def everything(source):
    return source.dosages(np.arange(len(source.variants)))


def assert_is_one_sentence(text):
    assert "\n" not in text
    assert not text.endswith(".")
    assert not re.search(r"[a-z]\. [A-Z]", text)


@pytest.mark.parametrize("kind", ["pgen", "bgen", "vcf", "vcf.gz", "zarr"])
def test_calls__are_read_and_packed(tmp_path, calls, kind):
    source = open_genotypes(write_calls(tmp_path, calls, kind))
    assert isinstance(source, PackedSource)
    np.testing.assert_array_equal(everything(source), calls.astype(np.float32))
    expected, variants = variant_table(M), source.variants
    for name in ("chromosome", "variant_id", "effect_allele", "other_allele"):
        np.testing.assert_array_equal(getattr(variants, name), getattr(expected, name))
    np.testing.assert_array_equal(source.samples.sample_id, sample_table(N).sample_id)
    assert all(path.startswith(str(tmp_path)) for path in source.files.values())
    some, rows = np.array([20, 3, 4]), np.array([5, 1, 30])
    np.testing.assert_array_equal(source.dosages(some, rows), calls[np.ix_(rows, some)])


@pytest.mark.parametrize("kind", ["pgen", "bgen", "vcf"])
def test_dosages__are_read_as_dosages(tmp_path, dosages, kind):
    if kind == "pgen":
        path = write_pgen(tmp_path, dosages)
    elif kind == "bgen":
        path = write_bgen(tmp_path, dosages)
    else:
        path = write_vcf(tmp_path, dosage_records(dosages), N, fields=("DS",))
    source = open_genotypes(path)
    assert isinstance(source, ArraySource)
    steps = {"pgen": 2.0**14, "bgen": 2.0**15, "vcf": 1e6}  # of which a dosage is a multiple
    np.testing.assert_allclose(everything(source), dosages, rtol=0, atol=1.01 / steps[kind])


def test_pgen__that_does_not_fit_is_read_block_by_block(tmp_path, dosages):
    path = write_pgen(tmp_path, dosages)
    source = open_genotypes(path, held_bytes=4.0 * N * M - 1.0)
    assert isinstance(source, PgenSource)
    held = open_genotypes(path)
    np.testing.assert_array_equal(everything(source), everything(held))
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(everything(again), everything(held))
    rows = np.array([30, 2])
    np.testing.assert_array_equal(
        source.dosages(np.array([7, 2]), rows), held.dosages(np.array([7, 2]), rows)
    )


def test_pgen__calls_need_two_bits_each_in_memory(tmp_path, calls):
    path = write_pgen(tmp_path, calls)
    needed = -(-N // 4) * M
    assert isinstance(open_genotypes(path, held_bytes=needed), PackedSource)
    assert isinstance(open_genotypes(path, held_bytes=needed - 1), PgenSource)


def test_pgen__several_alternative_alleles_are_rows_of_their_own(tmp_path, rng):
    codes = rng.integers(0, 3, size=(4, 2 * N)).astype(np.int32)
    codes[[0, 2]] = np.minimum(codes[[0, 2]], 1)
    codes[1, :2] = codes[2, 4:6] = -9
    path = write_pgen(
        tmp_path, np.empty((N, 4)), multiallelic=(["A", "A,T", "A", "C,<DEL>"], codes)
    )
    source = open_genotypes(path)
    assert source.variants.variant_id.tolist() == ["v0", "v1", "v1", "v2", "v3", "v3"]
    assert source.variants.effect_allele.tolist() == ["A", "A", "T", "A", "C", "<DEL>"]
    pairs = codes.reshape(4, N, 2)
    for row, (record, allele) in enumerate([(0, 1), (1, 1), (1, 2), (2, 1), (3, 1), (3, 2)]):
        expected = np.where(
            (pairs[record] < 0).any(axis=1), np.nan, (pairs[record] == allele).sum(axis=1)
        )
        np.testing.assert_array_equal(everything(source)[:, row], expected)


def test_pgen__with_one_identifier_or_with_bim_and_fam(tmp_path, calls):
    write_pgen(tmp_path, calls, header="#IID")
    source = open_pgen(tmp_path / "p")
    assert source.samples.family_id.tolist() == ["0"] * N
    assert source.samples.sample_id.tolist() == [f"I{i}" for i in range(N)]
    write_bed(tmp_path, calls)
    (tmp_path / "p.pgen").rename(tmp_path / "g.pgen")
    (tmp_path / "g.bed").unlink()
    for name in ("g", "g.pgen"):
        source = open_genotypes(tmp_path / name)
        np.testing.assert_array_equal(everything(source), calls.astype(np.float32))
        assert source.variants.effect_allele.tolist() == ["A"] * M


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("compression", ["zstd", "zlib", None])
def test_bgen__with_a_sample_file(tmp_path, calls, embedded, compression):
    path = write_bgen(tmp_path, calls, embedded=embedded, compression=compression)
    table = sample_table(N)
    pairs = list(zip(table.family_id, table.sample_id, strict=True))
    lines = ["ID_1 ID_2 missing", "0 0 0", *(f"{family} {name} 0" for family, name in pairs)]
    (tmp_path / "b.sample").write_text("\n".join(lines) + "\n")
    source = open_genotypes(path)
    assert source.samples.family_id.tolist() == table.family_id.tolist()
    assert source.files == {"bgen": str(path), "sample": str(tmp_path / "b.sample")}
    (tmp_path / "b.sample").rename(tmp_path / "other.txt")
    given = open_genotypes(path, sample=tmp_path / "other.txt")
    np.testing.assert_array_equal(everything(given), calls.astype(np.float32))
    if not embedded:
        with pytest.raises(FormatError, match=r"no sample IDs .*--sample") as caught:
            open_genotypes(path)
        assert_is_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], r"lists 36 samples and .* holds 37"),
        (
            lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
            "in another order .* sample 1",
        ),
        (lambda lines: lines[2:], "second line holds 'F0 I1 0'"),
        (lambda lines: [*lines[:-1], "F18"], r"line 39: 1 column\(s\)"),
    ],
    ids=["short", "permuted", "no header", "no second column"],
)
def test_bgen__a_sample_file_that_does_not_fit(tmp_path, calls, change, message):
    path = write_bgen(tmp_path, calls)
    table = sample_table(N)
    pairs = list(zip(table.family_id, table.sample_id, strict=True))
    lines = ["ID_1 ID_2 missing", "0 0 0", *(f"{family} {name} 0" for family, name in pairs)]
    (tmp_path / "b.sample").write_text("\n".join(change(lines)) + "\n")
    with pytest.raises((AlignmentError, FormatError), match=message) as caught:
        open_genotypes(path)
    assert_is_one_sentence(str(caught.value))


def test_copies_of_allele__by_the_order_of_the_specification():
    """Three alleles: 00 01 11 02 12 22; phased: the alleles of one haplotype, then the other."""
    unphased = np.eye(6)
    for allele, expected in enumerate([[2, 1, 0, 1, 0, 0], [0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 1, 2]]):
        found = copies_of_allele(
            unphased, np.full(6, 2), n_alleles=3, allele=allele, is_phased=False
        )
        np.testing.assert_array_equal(found, expected)
    phased = np.array([[0.0, 1.0, 0.25, 0.75], [0.5, 0.5, 1.0, 0.0]])
    found = copies_of_allele(phased, np.full(2, 2), n_alleles=2, allele=1, is_phased=True)
    np.testing.assert_allclose(found, [1.75, 0.5])
    haploid = np.array([[0.25, 0.75, np.nan], [0.0, 1.0, 0.0], [np.nan, np.nan, np.nan]])
    found = copies_of_allele(haploid, np.array([1, 2, 2]), n_alleles=2, allele=1, is_phased=False)
    np.testing.assert_allclose(found, [1.5, 1.0, np.nan])


def test_vcf__several_alternative_alleles_haploid_and_half_calls(tmp_path):
    calls = ["0/0", "0|1", "2/1", "1", "0", ".", "./1", "./.", "2/2"]
    path = write_vcf(tmp_path, [("1", 5, ".", "G", "A,T", "GT", calls)], len(calls))
    source = open_genotypes(path)
    assert source.variants.effect_allele.tolist() == ["A", "T"]
    nan = np.nan
    expected = [[0, 1, 1, 2, 0, nan, nan, nan, 0], [0, 0, 1, 0, 0, nan, nan, nan, 2]]
    np.testing.assert_array_equal(everything(source).T, expected)


def test_vcf__which_field_is_read(tmp_path):
    texts = ["0/1:1.25:0.1,0.55,0.35", "1/1:1.9:0,0.1,0.9", "./.:.:.,.,.", "0:0.2:0.9,0.1,."]
    record = ("1", 5, "a", "G", "A", "GT:DS:GP", texts)
    without = ("1", 6, "b", "G", "A", "GT", ["0/0", "0/1", "1/1", "1"])
    path = write_vcf(tmp_path, [record, without], 4, fields=("GT", "DS", "GP"))
    nan = np.nan
    expected = {
        "auto": [1.25, 1.9, nan, 0.4],
        "DS": [1.25, 1.9, nan, 0.4],
        "GP": [1.25, 1.9, nan, 0.2],
        "GT": [1, 2, nan, 0],
    }
    for field, values in expected.items():
        found = everything(open_genotypes(path, vcf_field=field))
        np.testing.assert_allclose(found[:, 0], np.array(values, np.float32), rtol=1e-6)
        np.testing.assert_array_equal(found[:, 1], [0, 1, 2, 2])
    plain = write_vcf(tmp_path, [without], 4, "w.vcf")
    with pytest.raises(FormatError, match=r"no FORMAT field DS .* it has GT"):
        open_genotypes(plain, vcf_field="DS")


def test_vcf__without_genotypes(tmp_path):
    path = write_vcf(tmp_path, [], 0)
    with pytest.raises(FormatError, match="has no samples"):
        open_genotypes(path)


@pytest.mark.parametrize("kind", ["pgen", "bgen", "vcf", "vcf.gz"])
def test_truncation__is_refused_wherever_it_is(tmp_path, calls, kind):
    path = write_calls(tmp_path, calls[:9, :6], kind)
    complete = path.read_bytes()
    line_ends = [i + 1 for i, byte in enumerate(complete) if byte == 10]
    for length in range(0, len(complete), 7):
        if kind == "vcf" and length in line_ends:
            continue  # a text file that ends with a line is whole for all that anybody can tell
        path.write_bytes(complete[:length])
        with pytest.raises(FormatError) as caught:
            open_genotypes(path)
        assert_is_one_sentence(str(caught.value))
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a.pgen", "a.bgen", "a.vcf", "a.vcf.gz", "a.bcf"])
def test_files_that_are_not_there_or_are_something_else(tmp_path, name):
    with pytest.raises(MissingFileError, match=rf"{name} does not exist"):
        open_genotypes(tmp_path / name)
    (tmp_path / name).write_bytes(b"<html>not found</html>\n" * 9)
    (tmp_path / "a.psam").write_text("#IID\nx\ny\n")
    (tmp_path / "a.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n1\t1\ta\tG\tA\n")
    with pytest.raises(FormatError, match=name) as caught:
        open_genotypes(tmp_path / name)
    assert_is_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("p.psam", "#IID\nI0\n", "samples"),
        ("p.psam", "#FID SEX\n1 2\n", "no column IID"),
        ("p.psam", "#FID IID\n", "lists no samples"),
        (
            "p.pvar",
            "#CHROM\tPOS\tID\tREF\tALT\n1\t5\ta\tG\tA\n",
            "holds 23 variants and .* lists 1",
        ),
        ("p.pvar", "#CHROM\tPOS\tID\tREF\tALT\n1\t5\ta\tG\n", r"p\.pvar cannot be read"),
    ],
)
def test_pgen__tables_that_do_not_fit(tmp_path, calls, file, text, message):
    write_pgen(tmp_path, calls)
    (tmp_path / file).write_text(text)
    with pytest.raises(FormatError, match=message) as caught:
        open_genotypes(tmp_path / "p.pgen")
    assert_is_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    ("name", "extra"), [("a.pgen", "pgen"), ("a.bgen", "bgen"), ("a.vcf", "vcf"), ("z.vcz", "zarr")]
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    tmp_path, calls, monkeypatch, name, extra
):
    def absent(module):
        raise ModuleNotFoundError(f"No module named {module!r}")

    monkeypatch.setattr(packages, "import_module", absent)
    write_calls(tmp_path, calls, extra)
    path = {"pgen": "p.pgen", "bgen": "b.bgen", "vcf": "v.vcf", "zarr": "z.vcz"}[extra]
    with pytest.raises(UsageError, match=rf"pip install 'nextlmm\[{extra}\]'"):
        open_genotypes(tmp_path / path)


def test_genotypes_that_do_not_fit_into_memory_are_refused(tmp_path, dosages, calls):
    with pytest.raises(FormatError, match=r"--memory.*plink2") as caught:
        open_genotypes(write_bgen(tmp_path, dosages), held_bytes=1000)
    assert_is_one_sentence(str(caught.value))
    open_genotypes(write_bgen(tmp_path, calls), held_bytes=1000)  # packed they do


def test_collector__a_dosage_out_of_range():
    collector = Collector("x", 2, 1e9)
    with pytest.raises(FormatError, match=r"dosage of 2\.5 at variant 1, sample 2"):
        collector.add(np.array([[0.0, 2.5]], np.float32))


def test_a_sample_file_belongs_to_bgen(tmp_path, calls):
    with pytest.raises(UsageError, match="BGEN"):
        open_genotypes(write_bed(tmp_path, calls), sample="x")


def test_probabilities__stand_for_their_dosage(dosages):
    column = dosages[:, 0]
    np.testing.assert_allclose(probabilities(column) @ [0, 1, 2], column)


def test_zarr__alleles_haploid_calls_and_fields(tmp_path):
    calls = np.array([[[0, 1], [2, 1], [1, -2], [-1, -1]], [[0, 0], [1, 1], [1, -2], [0, -1]]])
    alleles = [["G", "A", "T"], ["C", "T", ""]]
    dosages = np.array([[[0.9, 0.1], [1.2, 0.7], [0.9, 0.0], [np.nan] * 2]] * 2, np.float32)
    dosages[1, :, 1] = np.nan
    path = write_zarr(tmp_path, calls, alleles=alleles, dosages=dosages)
    found = open_genotypes(path, vcf_field="GT")
    assert found.variants.variant_id.tolist() == ["v0", "v0", "v1"]
    assert found.variants.effect_allele.tolist() == ["A", "T", "T"]
    nan = np.nan
    expected = [[1, 1, 2, nan], [0, 1, 0, nan], [0, 2, 2, nan]]
    np.testing.assert_array_equal(everything(found).T, expected)
    found = everything(open_genotypes(path)).T
    expected = [[0.9, 1.2, 1.8, nan], [0.1, 0.7, 0.0, nan], [0.9, 1.2, 1.8, nan]]
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6)


def test_zarr__stores_that_are_none(tmp_path, calls):
    with pytest.raises(MissingFileError, match=r"a\.vcz does not exist"):
        open_genotypes(tmp_path / "a.vcz")
    (tmp_path / "a.vcz").mkdir()
    with pytest.raises(FormatError, match="cannot be read as a Zarr store"):
        open_genotypes(tmp_path / "a.vcz")
    path = write_zarr(tmp_path, alleles_of(calls), without="variant_allele")
    with pytest.raises(FormatError, match="has no array variant_allele"):
        open_genotypes(path)
    path = write_zarr(tmp_path, alleles_of(calls), name="c", without="call_genotype")
    with pytest.raises(FormatError, match="no FORMAT field GT, DS or GP"):
        open_genotypes(path)


def write_bimbam(folder, dosages, *, separator=", ", name="m.geno.txt"):
    table = variant_table(dosages.shape[1])
    lines = [
        separator.join([name, "A", "G", *("NA" if np.isnan(d) else f"{d:.4f}" for d in column)])
        for name, column in zip(table.variant_id, dosages.T, strict=True)
    ]
    text = "".join(f"{line}\n" for line in lines).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    ids = sample_table(len(dosages)).sample_id
    (folder / "ids.txt").write_text("".join(f"{sample}\n" for sample in ids))
    places = zip(table.variant_id, table.position_bp, table.chromosome, strict=True)
    (folder / "where.txt").write_text("".join(f"{v}, {p}, {c}\n" for v, p, c in places))
    return {"path": folder / name, "kind": "bimbam", "sample": folder / "ids.txt"}


@pytest.mark.parametrize(("separator", "name"), [(", ", "m.txt"), ("\t", "m.gz"), (" ", "m")])
def test_bimbam__dosages_and_calls(tmp_path, dosages, calls, separator, name):
    given = write_bimbam(tmp_path, dosages, separator=separator, name=name)
    source = open_genotypes(**given, annotation=tmp_path / "where.txt")
    np.testing.assert_allclose(everything(source), dosages, rtol=0, atol=6e-5)
    expected = variant_table(M)
    for column in ("chromosome", "variant_id", "position_bp", "effect_allele", "other_allele"):
        np.testing.assert_array_equal(getattr(source.variants, column), getattr(expected, column))
    assert source.samples.sample_id.tolist() == sample_table(N).sample_id.tolist()
    source = open_genotypes(**write_bimbam(tmp_path, calls, separator=separator, name=name))
    assert isinstance(source, PackedSource)
    assert set(source.variants.chromosome) == {"0"}
    np.testing.assert_array_equal(everything(source), calls.astype(np.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("NA", "AA", 1), r"line \d+ \(v\d+\): .*'AA'.* not letters"),
        (lambda text: text[:-9], r"line 23: .* columns; expected 40"),
        (lambda text: text.replace("NA", "3.5", 1), "dosage of 3.5 at variant"),
    ],
)
def test_bimbam__lines_that_are_none(tmp_path, dosages, change, message):
    given = write_bimbam(tmp_path, dosages)
    given["path"].write_text(change(given["path"].read_text()))
    with pytest.raises(FormatError, match=message) as caught:
        open_genotypes(**given)
    assert_is_one_sentence(str(caught.value))


def test_bimbam__files_that_are_needed_or_wrong(tmp_path, dosages):
    given = write_bimbam(tmp_path, dosages, name="m.gz")
    with pytest.raises(UsageError, match="by the option sample"):
        open_genotypes(given["path"], kind="bimbam")
    (tmp_path / "where.txt").write_text("v0 1 ten\nv1 x 1\n")
    with pytest.raises(FormatError, match=r"where\.txt, line 2"):
        open_genotypes(**given, annotation=tmp_path / "where.txt")
    with pytest.raises(MissingFileError, match=r"nothing does not exist"):
        open_genotypes(tmp_path / "nothing", kind="bimbam", sample=tmp_path / "ids.txt")
    given["path"].write_bytes(given["path"].read_bytes()[:-30])
    with pytest.raises(FormatError, match="cannot be unpacked"):
        open_genotypes(**given)
    with pytest.raises(UsageError, match="Option annotation"):
        open_genotypes(write_bed(tmp_path, np.zeros((2, 2))), annotation="x")


BASE = (
    *("geno.bed", "indmajor.bed", "geno.pgen", "bpgen.pgen"),
    *("geno.vcf.gz", "geno.plain.vcf", "geno.bcf"),
    *("geno.bgen-1.1.xbit.bgen", "geno.bgen-1.2.16bit.bgen", "geno.bgen-1.2.8bit.bgen"),
    *("geno.bgen-1.2.8bit.reflast.bgen", "geno.bgen-1.3.8bit.bgen"),
)


@pytest.mark.parametrize("name", BASE)
def test_encodings_of_the_collection_are_the_same_genotypes(shared_data, name):
    folder = shared_data / "formats" / "base"
    truth = pl.read_csv(folder / "truth.tsv", separator="\t", null_values="NA")
    expected = truth[:, 3:].cast(pl.Float64).to_numpy().T
    source = open_genotypes(folder / name)
    found = everything(source)
    other = source.variants.effect_allele != np.array(truth["a1"].to_list(), dtype=object)
    np.testing.assert_array_equal(np.where(other, 2 - found, found), expected)
    assert other.all() if "reflast" in name else not other.any()
    assert source.samples.sample_id.tolist() == truth.columns[3:]
    assert source.variants.variant_id.tolist() == truth["snp"].to_list()


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        *(("dosage.vcf.gz", 1e-7), ("dosage.bcf", 1e-7), ("dosage.vcf", 1e-7)),
        *(("ds_force.vcf.gz", 1e-7), ("ds.pgen", 2.0**-14)),
        *(("gp.8bit.bgen", 1.5 / 255), ("gp.16bit.bgen", 1.5 / 65535 + 1e-3 * 0.5)),
    ],
)
def test_dosages_of_the_collection(shared_data, name, tolerance):
    folder = shared_data / "formats" / "dosage"
    expected = np.loadtxt(folder / "truth_ds.tsv").T
    np.testing.assert_allclose(
        everything(open_genotypes(folder / name)), expected, rtol=0, atol=tolerance
    )


def test_variants_with_several_alleles_are_the_same_in_every_format(shared_data):
    folder = shared_data / "formats" / "multi"
    found = [open_genotypes(folder / name) for name in ("multi.pgen", "multi.vcf.gz")]
    np.testing.assert_array_equal(*map(everything, found))
    np.testing.assert_array_equal(*(source.variants.effect_allele for source in found))
    split = open_genotypes(folder / "split.vcf.gz")
    assert split.variants.effect_allele.tolist() == found[0].variants.effect_allele.tolist()


def test_men_are_coded_alike_on_x_in_every_format(shared_data):
    folder = shared_data / "formats" / "chrX"
    names = ("geno.bed", "geno.pgen", "geno.vcf.gz", "geno.bgen")
    found = [everything(open_genotypes(folder / name)) for name in names]
    assert (np.isin(found[0], [0, 2]) | np.isnan(found[0])).mean() > 0.5
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of open files here")
def test_vcf__leaves_no_file_open(tmp_path, calls):
    path = write_vcf(tmp_path, call_records(calls), N)
    open_genotypes(path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    open_genotypes(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.total, self.done, self.is_over = None, [], False

    def start(self, label, total):
        self.total = total

    def advance(self, amount=1):
        self.done.append(amount)

    def finish(self):
        self.is_over = True


@pytest.mark.parametrize("name", ["v.vcf", "v.vcf.gz", "m.geno.txt", "m.geno.txt.gz"])
def test_text_says_how_far_it_is_read(tmp_path, rng, name):
    many = np.round(rng.uniform(0.0, 2.0, (N, 600)), 3)
    if name.startswith("m."):
        given = write_bimbam(tmp_path, many, name=name)
    else:
        records = dosage_records(many)
        given = {"path": write_vcf(tmp_path, records, N, name=name, fields=("DS",))}
    heard = Heard()
    assert len(open_genotypes(**given, progress=heard).variants) == 600
    assert heard.total == Path(given["path"]).stat().st_size
    assert heard.is_over
    assert all(amount >= 0 for amount in heard.done)
    assert 0 < sum(heard.done) <= heard.total
