"""Compressed against exact, end to end: every difference is inside what the certificate says.

Where the certificate was measured without the matrix its bounds are those of the exact tests at the
h2 that it prints, and the Monte-Carlo error of that is judged apart.
"""

import numpy as np
import pytest

from nextlmm.report.summary import ESTIMATED
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .cohorts import COHORTS
from .dense_reference import references

KL_TOLERANCE = 0.1
DIGITS = 1e-6
"""Relative difference that nine printed digits and two searches for h2 may leave."""


MONTE_CARLO_DEVIATIONS = 5.0


def options_of(name, folder, **choices):
    cohort = COHORTS[name]
    return GwasOptions(
        bfile=cohort.bfile,
        pheno=str(cohort.root / cohort.pheno),
        trait=(cohort.trait,),
        covar=str(cohort.root / cohort.covar) if cohort.covar else None,
        out=str(folder / "_".join(map(str, choices.values()))),
        maf=0.01,
        plots=False,
        **choices,
    )


def run(name, folder, **choices):
    result = gwas(options_of(name, folder, **choices))
    trait = COHORTS[name].trait
    return result.tables[trait], result.document["traits"][trait]


@pytest.fixture(scope="module", params=COHORTS)
def dense(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, *run(request.param, folder, mode="dense")


@pytest.mark.parametrize("budget", [{}, {"kl_tolerance": 5.0}, {"rank": 32}], ids=str)
def test_exact_answer_is_within_the_bounds(dense, budget):
    name, folder, exact, exact_facts = dense
    table, facts = run(name, folder, mode="hodlr", **budget)
    certificate = facts["certificate"]
    estimated = certificate["kl_how"] == ESTIMATED
    if "rank" not in budget and not estimated:
        assert certificate["kl"] < budget.get("kl_tolerance", KL_TOLERANCE)
        assert certificate["kl_scan_max"] < budget.get("kl_tolerance", KL_TOLERANCE)
    truth = exact["neg_log_10_p_value"].to_numpy()
    low = table["neg_log_10_p_value_low"].to_numpy()
    high = table["neg_log_10_p_value_high"].to_numpy()
    tested = ~np.isnan(truth)
    h2_room = 1e-4
    if estimated:
        at = np.flatnonzero(tested)
        options = options_of(name, folder, mode="hodlr", **budget)
        truth = truth.copy()
        truth[at] = references(options, [certificate["h2_of_bounds"]], at)[0].log_p
        h2_room = MONTE_CARLO_DEVIATIONS * certificate.get("h2_monte_carlo_error", 0.0)
        h2_room += 0.25 * exact_facts["h2_se"]  # what the last step of Newton's method may leave
    slack = 1e-6 + 1e-5 * np.abs(truth)
    assert (table["status"] == exact["status"]).all()
    assert (low[tested] - slack[tested] <= truth[tested]).all()
    assert (truth[tested] <= high[tested] + slack[tested]).all()
    if "h2_error" in certificate:
        assert facts["h2"] - certificate["h2_error"] == pytest.approx(
            exact_facts["h2"], abs=h2_room
        )
    else:
        assert any("is not that of the exact model" in text for text in facts["warnings"])
    error = np.nanmax(np.abs(table["neg_log_10_p_value"].to_numpy() - truth))
    if certificate["neg_log_10_p_error_max"] is not None:
        assert error <= certificate["neg_log_10_p_error_max"] + slack[tested].max()
    print(
        f"{name} {budget}: kl {certificate['kl']:.3g}, "
        f"h2 {facts['h2']:.4f} against {exact_facts['h2']:.4f}, largest difference of -log10 p "
        f"{error:.3g}, certified {certificate['neg_log_10_p_error_max']}"
    )
