"""The calibration suite works, and can fail."""

import importlib
import json

import numpy as np
import pytest
from scipy import stats


@pytest.fixture(scope="module")
def judge():
    return importlib.import_module("validation.calibration.judge")


@pytest.fixture(scope="module")
def suite():
    return importlib.import_module("validation.calibration.__main__")


def p_values(seed, shape=(400, 200), factor=1.0):
    """-log10 p of independent tests, chi-squares too large by a factor."""
    chi2 = factor * np.random.default_rng(seed).chisquare(1, shape)
    return -stats.chi2.logsf(chi2, 1) / np.log(10.0)


def test_rejections__right_p_values_stand_and_inflated_ones_do_not(judge):
    assert judge.rejections("x", p_values(1), 1e-2, 1e-3).stands
    wrong = judge.rejections("x", p_values(1, factor=1.3), 1e-2, 1e-3)
    assert not wrong.stands
    assert wrong.low > 1.05 * wrong.expected
    assert not judge.rejections("x", p_values(1, factor=0.7), 1e-2, 1e-3).stands


def test_rejections__variants_in_perfect_ld_count_once(judge):
    one = p_values(2, (400, 10))
    alone = judge.rejections("x", one, 1e-2, 1e-3)
    copied = judge.rejections("x", np.repeat(one, 20, axis=1), 1e-2, 1e-3)
    assert copied.found == pytest.approx(alone.found)
    assert copied.high - copied.low > 0.9 * (alone.high - alone.low)


def test_bias_and_coverage__can_fail(judge):
    h2 = 0.5 + 0.1 * np.random.default_rng(3).normal(size=2000)
    assert judge.bias("x", h2, 0.5, 1e-3).stands
    assert not judge.bias("x", h2 + 0.05, 0.5, 1e-3).stands
    inside = np.random.default_rng(4).random(2000)
    assert judge.coverage("x", inside < 0.95, 1e-3).stands
    assert not judge.coverage("x", inside < 0.88, 1e-3).stands


def test_power__can_fail(judge):
    dense = np.arange(200) % 2 == 0
    assert judge.power("x", dense, dense, 1e-3).stands
    other = dense.copy()
    other[:40] = False
    assert not judge.power("x", dense, other, 1e-3).stands


def test_interval__is_that_of_scipy(judge):
    exact = stats.binomtest(7, 100).proportion_ci(0.99, method="exact")
    assert judge.interval(7.0, 100.0, 0.01) == pytest.approx((exact.low, exact.high))
    assert judge.interval(0.0, 100.0, 0.01)[0] == 0.0


def test_the_suite_runs_and_fails_on_inflated_p_values(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "QUICK", suite.Effort(90, 300, 30, 1))
    monkeypatch.setattr(suite, "POPULATIONS", ("mixture", "livestock"))
    assert suite.main(["--quick", "--out", str(tmp_path)]) == 0
    written = (tmp_path / "calibration.quick.md").read_text()
    assert "Verdict: **stands**" in written
    for figure in ("rates", "quantiles", "h2", "power"):
        assert (tmp_path / f"calibration.quick.{figure}.png").stat().st_size > 5_000
    assert suite.main(["--quick", "--out", str(tmp_path), "--inflate", "2"]) == 1
    good, bad = map(json.loads, (tmp_path / "calibration.quick.jsonl").read_text().splitlines())
    assert good["stands"]
    assert not bad["stands"]
    wrong = [row for row in bad["tables"]["False positives"] if not row["stands"]]
    assert any(row["expected"] == 0.01 for row in wrong)
