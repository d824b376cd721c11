"""GWAS-SSF with its metadata and GWAS-VCF, read by other programs where there are any."""

import gzip
import hashlib
import shutil
import subprocess

import numpy as np
import polars as pl
import pysam
import pytest

from nextlmm.output.exported import Exported, publish_exports
from nextlmm.output.names import run_files
from nextlmm.output.publication import Publication
from nextlmm.output.schema import result_table

ABOUT = {
    "nextlmm": {"version": "1.2.3"},
    "started": "2026-01-31T10:00:00+00:00",
    "options": {"maf": 0.01},
}
FACTS = {"n": 500, "test": "wald", "covariates": ["intercept", "age: in years", "sex"]}


@pytest.fixture
def results():
    names = ["1", "1", "chr2", "X", "scaffold_7", "22", "22"]
    effect, other = [*"ACgTA", "<DEL>", "C"], ["G", "TA", "A", "C", "C", "A", "G"]
    good = np.array([True] * 6 + [False])
    return result_table(
        {
            "chromosome": names,
            "base_pair_location": [100, 20_000_000, 5, 7, 9, 11, 12],
            "effect_allele": effect,
            "other_allele": other,
            "beta": np.where(good, [0.5, -0.25, 1e-7, 2.0, 0.0, 1.0, 0.0], np.nan),
            "standard_error": np.where(good, 0.125, np.nan),
            "effect_allele_frequency": [0.1, 0.9, 0.5, 0.25, 0.01, 0.3, 0.0],
            "neg_log_10_p_value": np.where(good, [0.0, 0.3, 7.0, 400.5, 1.0, 2.0, 0.0], np.nan),
            "variant_id": ["rs12", "rs13;x", "v3", "rs4", "v5", "v6", "v7"],
            "n": [500, 499, 498, 500, 500, 500, 500],
            "status": ["ok"] * 6 + ["monomorphic"],
            "h2": np.where(good, 0.4, np.nan),
            "statistic": np.where(good, 1.0, np.nan),
        }
    )


def publish(results, folder, *formats, threads=1):
    files = run_files(str(folder / "run"), ["my trait"], formats=formats, index=True, plots=False)
    paths = {kind: path for kind, path in files.traits["my trait"].items() if kind != "table"}
    with Publication() as publication:
        publish_exports(publication, Exported("my trait", results, FACTS, ABOUT, threads), paths)
    return paths


def test_ssf__has_what_can_be_represented_and_says_what_cannot(results, tmp_path):
    paths = publish(results, tmp_path, "gwas-ssf")
    text = gzip.decompress(paths["gwas-ssf"].read_bytes()).decode()
    rows = [line.split("\t") for line in text.splitlines()]
    assert [row[0] for row in rows[1:]] == ["1", "1", "2", "23"]
    assert [row[8] for row in rows[1:]] == ["1_100_G_A", "1_20000000_TA_C", "2_5_A_G", "23_7_C_T"]
    assert [row[9] for row in rows[1:]] == ["rs12", "#NA", "#NA", "rs4"]
    assert rows[4][7] == "400.5"
    metadata = paths["gwas-ssf_metadata"]
    assert metadata.name == paths["gwas-ssf"].name + "-meta.yaml"
    found = metadata.read_text()
    digest = hashlib.md5(paths["gwas-ssf"].read_bytes()).hexdigest()
    for line in (
        "date_metadata_last_modified: 2026-01-31",
        'trait_description:\n  - "my trait"',
        'coordinate_system: "1-based"',
        "samples:\n  - sample_size: 500\n    case_control_study: false",
        'adjusted_covariates:\n  - "age: in years"\n  - "sex"',
        f'data_file_md5sum: "{digest}"',
        'analysis_software: "nextlmm 1.2.3"',
        "minor_allele_freq_lower_limit: 0.01",
        "is_sorted: true",
        'author_notes: "2 tested variants are not in this file',
    ):
        assert line in found


@pytest.mark.skipif(shutil.which("gwas-ssf") is None, reason="gwas-ssf is not installed")
def test_ssf__is_valid(results, tmp_path):
    autosomes = [
        results.slice(1, 2).with_columns(chromosome=pl.lit(str(number))) for number in range(1, 23)
    ]
    paths = publish(pl.concat([*autosomes, results.tail(5)]), tmp_path, "gwas-ssf")
    command = ["gwas-ssf", "validate", "-m", "1", str(paths["gwas-ssf"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Validation status: True" in done.stdout


def test_vcf__is_read_by_another_library(results, tmp_path):
    paths = publish(results, tmp_path, "gwas-vcf")
    with pysam.VariantFile(str(paths["gwas-vcf"])) as file:
        assert list(file.header.samples) == ["my_trait"]
        assert list(file.header.contigs) == ["1", "chr2", "X", "scaffold_7"]
        rows = list(file)
        (near,) = file.fetch("1", 19_999_000, 20_001_000)
    assert [(row.chrom, row.pos, row.ref, *row.alts) for row in rows] == [
        ("1", 100, "G", "A"),
        ("1", 20_000_000, "TA", "C"),
        ("chr2", 5, "A", "g"),
        ("X", 7, "C", "T"),
        ("scaffold_7", 9, "C", "A"),
    ]
    assert near.pos == 20_000_000
    cells = [row.samples["my_trait"] for row in rows]
    table = results.head(5)
    for name, column in (
        ("ES", "beta"),
        ("SE", "standard_error"),
        ("LP", "neg_log_10_p_value"),
        ("AF", "effect_allele_frequency"),
        ("SS", "n"),
        ("NS", "n"),
    ):
        values = [cell[name][0] for cell in cells]
        np.testing.assert_allclose(values, table[column].to_numpy(), rtol=1e-6)
    assert [row.filter.keys() for row in rows] == [["PASS"]] * 5


def test_vcf__says_how_many_variants_it_leaves_out(results, tmp_path):
    text = gzip.decompress(publish(results, tmp_path, "gwas-vcf")["gwas-vcf"].read_bytes()).decode()
    assert "##nextlmm_variants_left_out=1\n" in text
    assert "##SAMPLE=<ID=my_trait,TotalVariants=6,TotalControls=500,StudyType=Continuous>" in text


def test_exports__the_same_bytes_on_any_number_of_threads(results, tmp_path):
    many = pl.concat([results.head(5)] * 3000)
    found = []
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        folder.mkdir()
        paths = publish(many, folder, "gwas-ssf", "gwas-vcf", threads=threads)
        found.append([paths[name].read_bytes() for name in ("gwas-ssf", "gwas-vcf")])
    assert found[0] == found[1]
