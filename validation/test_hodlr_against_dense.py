"""Compressed against exact, end to end: every difference is inside what the certificate says."""

import numpy as np
import pytest

from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .cohorts import COHORTS

KL_TOLERANCE = 0.1
DIGITS = 1e-6
"""Relative difference that nine printed digits and two searches for h2 may leave."""


def run(name, folder, **choices):
    cohort = COHORTS[name]
    options = GwasOptions(
        bfile=cohort.bfile,
        pheno=str(cohort.root / cohort.pheno),
        trait=(cohort.trait,),
        covar=str(cohort.root / cohort.covar) if cohort.covar else None,
        out=str(folder / "_".join(map(str, choices.values()))),
        maf=0.01,
        plots=False,
        **choices,
    )
    result = gwas(options)
    return result.tables[cohort.trait], result.document["traits"][cohort.trait]


@pytest.fixture(scope="module", params=COHORTS)
def dense(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, *run(request.param, folder, mode="dense")


@pytest.mark.parametrize("budget", [{}, {"kl_tolerance": 5.0}, {"rank": 32}], ids=str)
def test_exact_answer_is_within_the_bounds(dense, budget):
    name, folder, exact, exact_facts = dense
    table, facts = run(name, folder, mode="hodlr", **budget)
    certificate = facts["certificate"]
    if "rank" not in budget:
        assert certificate["kl"] < budget.get("kl_tolerance", KL_TOLERANCE)
        assert certificate["kl_scan_max"] < budget.get("kl_tolerance", KL_TOLERANCE)
    truth = exact["neg_log_10_p_value"].to_numpy()
    low = table["neg_log_10_p_value_low"].to_numpy()
    high = table["neg_log_10_p_value_high"].to_numpy()
    slack = 1e-6 + 1e-5 * np.abs(truth)
    tested = ~np.isnan(truth)
    assert (table["status"] == exact["status"]).all()
    assert (low[tested] - slack[tested] <= truth[tested]).all()
    assert (truth[tested] <= high[tested] + slack[tested]).all()
    assert facts["h2"] - certificate["h2_error"] == pytest.approx(exact_facts["h2"], abs=1e-4)
    error = np.nanmax(np.abs(table["neg_log_10_p_value"].to_numpy() - truth))
    if certificate["neg_log_10_p_error_max"] is not None:
        assert error <= certificate["neg_log_10_p_error_max"] + slack[tested].max()
    print(
        f"{name} {budget}: kl {certificate['kl']:.3g}, scan {certificate['kl_scan_max']:.3g}, "
        f"h2 {facts['h2']:.4f} against {exact_facts['h2']:.4f}, largest difference of -log10 p "
        f"{error:.3g}, certified {certificate['neg_log_10_p_error_max']}"
    )
