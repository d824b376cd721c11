"""Tables for other programs: the same numbers under their names, p-values of any size."""

import gzip
import io
from decimal import Decimal
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.errors import UsageError
from nextlmm.output.export import EXPORTS, OutFormat, p_values
from nextlmm.output.schema import result_table
from nextlmm.output.table import write_plain_table
from nextlmm.run import options
from nextlmm.run.options import GwasOptions

LOG_P = [0.0, 0.3, 7.30103, 400.5, np.nan]
HEADERS = {
    "regenie": "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ N TEST BETA SE CHISQ LOG10P EXTRA",
    "plink2": "#CHROM POS ID REF ALT A1 OMITTED A1_FREQ TEST OBS_CT BETA SE T_STAT P ERRCODE",
    "gemma": "chr rs ps n_miss allele1 allele0 af beta se logl_H1 l_remle p_wald",
    "fastgwa": "CHR SNP POS A1 A2 N AF1 BETA SE P",
    "saige": "CHR POS MarkerID Allele1 Allele2 AC_Allele2 AF_Allele2 MissingRate BETA SE Tstat var "
    "p.value N",
    "cojo": "SNP A1 A2 freq b se p N",
    "ldsc": "SNP A1 A2 Z N",
    "pheweb": "chrom pos ref alt pval beta sebeta af",
    "gwas-ssf": "chromosome base_pair_location effect_allele other_allele beta standard_error "
    "effect_allele_frequency neg_log_10_p_value variant_id rsid n",
    "gwas-vcf": "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT trait",
}
EFFECT_ALLELE = {
    "regenie": "ALLELE1",
    "plink2": "A1",
    "gemma": "allele1",
    "fastgwa": "A1",
    "saige": "Allele2",
    "cojo": "A1",
    "ldsc": "A1",
    "pheweb": "alt",
    "gwas-ssf": "effect_allele",
    "gwas-vcf": "ALT",
}


@pytest.fixture
def results():
    m = len(LOG_P)
    good = ~np.isnan(LOG_P)
    return result_table(
        {
            "chromosome": ["1", "1", "2", "X", "X"],
            "base_pair_location": np.arange(1, m + 1) * 100,
            "effect_allele": ["A", "C", "AT", "G", "T"],
            "other_allele": ["G", "T", "A", "C", "C"],
            "beta": np.where(good, [0.5, -0.25, 1.0, 2.0, 0.0], np.nan),
            "standard_error": np.where(good, [0.1, 0.2, 0.3, 0.04, 1.0], np.nan),
            "effect_allele_frequency": [0.1, 0.9, 0.5, 0.25, 0.0],
            "neg_log_10_p_value": LOG_P,
            "variant_id": [f"v{j}" for j in range(m)],
            "n": [100, 99, 98, 100, 100],
            "status": ["ok"] * 4 + ["monomorphic"],
            "h2": np.where(good, 0.4, np.nan),
            "statistic": np.where(good, [0.0, 1.0, 30.0, 2500.0, 0.0], np.nan),
        }
    )


def test_formats__are_those_of_the_option():
    assert get_args(OutFormat) == get_args(options.OutFormat) == tuple(EXPORTS)


@pytest.mark.parametrize("name", HEADERS)
def test_table__has_the_columns_of_the_program(results, name):
    table = EXPORTS[name].table(results, samples=101)
    assert table.columns == HEADERS[name].split()
    assert table.height == (5 if name in ("regenie", "plink2") else 4)
    effect = results["effect_allele"].to_list()[: table.height]
    assert table[EFFECT_ALLELE[name]].to_list() == effect


def test_table__numbers(results):
    regenie = EXPORTS["regenie"].table(results, samples=101)
    assert regenie["EXTRA"].to_list() == [None] * 4 + ["TEST_FAIL"]
    assert regenie["LOG10P"].to_list()[3] == 400.5
    plink = EXPORTS["plink2"].table(results, samples=101)
    assert plink["ERRCODE"].to_list() == ["."] * 4 + ["CONST_ALLELE"]
    np.testing.assert_allclose(plink["T_STAT"][:4], [5.0, -1.25, 1 / 0.3, 50.0])
    assert plink["P"].to_list() == ["1", "0.501187", "5e-08", "3.16228e-401", None]
    saige = EXPORTS["saige"].table(results, samples=101)
    np.testing.assert_allclose(saige["Tstat"], saige["BETA"] * saige["var"])
    assert EXPORTS["gemma"].table(results, samples=101)["n_miss"].to_list() == [1, 2, 3, 1]
    ldsc = EXPORTS["ldsc"].table(results, samples=101)
    np.testing.assert_allclose(ldsc["Z"], plink["T_STAT"][:4])
    assert EXPORTS["parquet"].table(results, samples=101).equals(results)


def test_table__names_the_test_that_was_done(results):
    for test, names in (("score", ["l_mle", "p_score"]), ("lrt", ["l_mle", "p_lrt"])):
        table = EXPORTS["gemma"].table(results, samples=101, test=test)
        assert table.columns[-2:] == names
    np.testing.assert_allclose(table["l_mle"], 0.4 / 0.6)


@pytest.mark.parametrize("name", HEADERS)
def test_table__of_nothing_that_was_tested(results, name):
    """As of a chromosome on which nothing varies."""
    table = EXPORTS[name].table(results.tail(1), samples=101)
    assert table.columns == HEADERS[name].split()
    assert table.height == (1 if name in ("regenie", "plink2") else 0)


def test_text__missing_values_are_na(results):
    content = io.BytesIO()
    write_plain_table(EXPORTS["regenie"].table(results, samples=101), content, missing="NA")
    last = content.getvalue().decode().splitlines()[-1].split("\t")
    assert last[8:] == ["NA", "NA", "NA", "NA", "TEST_FAIL"]


@given(st.floats(0.0, 5000.0))
def test_p_values__six_digits_of_any_size_and_never_zero(log_p):
    (text,) = p_values(np.array([log_p]))
    value = Decimal(text)
    assert value > 0
    assert -float(value.log10()) == pytest.approx(log_p, abs=3e-6, rel=1e-12)


def test_p_values__at_powers_of_ten():
    assert p_values(np.array([0.0, 1.0, 2.0, 1e-9, 0.9999999])) == ["1", "0.1", "0.01", "1", "0.1"]
    assert p_values(np.array([])) == []


def test_gwas__writes_them_with_the_rest(tmp_path):
    from nextlmm.run.pipeline import gwas  # noqa: PLC0415

    from ..run.conftest import make_cohort, write_cohort  # noqa: PLC0415

    files = write_cohort(tmp_path, make_cohort())
    run = gwas(GwasOptions(**files, out_format=("regenie", "cojo,parquet")))
    listed = run.document["traits"]["y"]["files"]
    assert set(listed) == {"table", "index", "regenie", "cojo", "parquet"}
    lines = gzip.decompress((tmp_path / "result.y.regenie.gz").read_bytes()).decode().splitlines()
    assert lines[0] == HEADERS["regenie"]  # separated by spaces
    assert len(lines) == 241
    assert (tmp_path / "result.y.ma").read_text().startswith("SNP\tA1\tA2\tfreq\tb\tse\tp\tN\n")
    assert pl.read_parquet(tmp_path / "result.y.parquet").equals(run.tables["y"])
    assert "--out-format" in run.document["command"]


@pytest.mark.parametrize("given", [("nothing",), ("regenie", "regenie")])
def test_options__formats_that_are_not_there_or_twice(given):
    with pytest.raises(UsageError, match="out-format"):
        GwasOptions(bfile="a", pheno="b", out="c", out_format=given)
