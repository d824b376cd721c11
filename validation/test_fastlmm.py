"""Every p-value and heritability of FaST-LMM's leave-one-chromosome-out analysis.

The reference is the output of FaST-LMM's own test: the matrix of the other chromosomes, REML h2 for
each left-out chromosome, held fixed for the variants on it, F test on (1, n - q - 1).
"""

import numpy as np
import polars as pl
import pytest

from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .cohorts import COHORTS

H2 = {"1": 0.6149634, "2": 0.5342624, "3": 0.2797105, "4": 0.5420460, "5": 0.4511166}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    cohort = COHORTS["synth500"]
    result = gwas(
        GwasOptions(
            bfile=cohort.bfile,
            pheno=str(cohort.root / cohort.pheno),
            covar=str(cohort.root / cohort.covar),
            trait=(cohort.trait,),
            out=str(tmp_path_factory.mktemp("fastlmm") / "out"),
            mode="dense",
            loco_h2="per-chromosome",
            plots=False,
        )
    )
    expected = pl.read_csv(cohort.root / "expected_loco.txt.gz", separator="\t")
    table = result.tables[cohort.trait]
    joined = table.join(expected, left_on="variant_id", right_on="SNP", how="inner")
    assert len(joined) == len(table) == len(expected) == 5000
    return joined, result.document["traits"][cohort.trait]


def test_every_p_value_agrees(results):
    joined, _ = results
    expected = -np.log10(joined["PValue"].to_numpy())
    error = np.abs(joined["neg_log_10_p_value"].to_numpy() - expected)
    assert error.max() <= 1e-4
    print(f"5000 variants, largest difference of -log10 p {error.max():.2g}")


def test_heritabilities_agree(results):
    joined, facts = results
    assert facts["h2_by_chromosome"] == pytest.approx(H2, abs=5e-6)
    np.testing.assert_allclose(joined["h2"].to_numpy(), joined["Nullh2"].to_numpy(), atol=5e-6)
