"""A small part of `validation`: two other programs' results, digit by digit, in seconds."""

import numpy as np
import polars as pl

from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas


def test_gwas__is_gemma_on_the_rice_panel(shared_data, tmp_path):
    folder = shared_data / "rice374_44k"
    trait = "Amylose.content"
    run = gwas(
        GwasOptions(
            bfile=str(folder / "geno"),
            pheno=str(folder / "pheno.txt"),
            trait=trait,
            out=str(tmp_path / "rice"),
            mode="dense",
            loco=False,
            per_variant_h2="always",
            maf=0.01,
            max_missing=0.05,
            plots=False,
        )
    )
    table = run.tables[trait]
    gemma = pl.read_csv(
        folder / "reference" / f"gemma_{trait}.standardized.assoc.txt.gz", separator="\t"
    )
    assert table["variant_id"].to_list() == gemma["rs"].to_list()
    assert table["effect_allele"].to_list() == gemma["allele1"].to_list()
    expected = -np.log10(gemma["p_wald"].to_numpy())
    error = np.abs(table["neg_log_10_p_value"].to_numpy() - expected)
    assert (error <= 0.002 + 0.0005 * expected).all()
    digits = 1e-5 * gemma["se"].to_numpy()  # GEMMA stops its search for h2 at 1e-5
    assert (np.abs(table["beta"].to_numpy() - gemma["beta"].to_numpy()) <= 10 * digits).all()
    assert (np.abs(table["standard_error"].to_numpy() - gemma["se"].to_numpy()) <= digits).all()
    facts = run.document["traits"][trait]
    assert round(facts["h2"], 4) == 0.9049  # gemma_Amylose.content.log.txt
    assert round(facts["h2_se"], 4) == 0.0286


def test_gwas__is_fastlmm_with_a_heritability_per_chromosome(shared_data, tmp_path):
    folder = shared_data / "fastlmm_synth500"
    run = gwas(
        GwasOptions(
            bfile=str(folder / "geno"),
            pheno=str(folder / "pheno.txt"),
            covar=str(folder / "covar.txt"),
            out=str(tmp_path / "synth"),
            mode="dense",
            loco_h2="per-chromosome",
            plots=False,
        )
    )
    (table,) = run.tables.values()
    expected = pl.read_csv(folder / "expected_loco.txt.gz", separator="\t")
    both = table.join(expected, left_on="variant_id", right_on="SNP", how="inner")
    assert both.height == expected.height == 5000
    error = both["neg_log_10_p_value"] + both["PValue"].log10()
    assert error.abs().max() < 1e-4
    assert (both["h2"] - both["Nullh2"]).abs().max() < 5e-6
