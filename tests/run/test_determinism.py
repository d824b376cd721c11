"""The same command gives the same bytes; threads, blocks and precision change what they may."""

import gzip
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.null import fit_null
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.relatedness import grm
from nextlmm.run import problem
from nextlmm.run.arrays import associate
from nextlmm.run.compressed import find
from nextlmm.run.exact import forms, plan
from nextlmm.run.model import Model

WAYS = {
    "exact": ["--test", "lrt"],
    "products": ["--route", "hodlr", "--leaf-size", "16"],
    "hodlr": ["--mode", "hodlr", "--leaf-size", "16", "--rank", "3"],
}
_RUNS = """
import sys
from nextlmm.cli.main import main
for way in {ways!r}.items():
    assert main([*{arguments!r}, "--out", way[0], *way[1]]) == 0
"""
OF_THE_RUN = {
    "machine",
    "peak_memory_bytes",
    "started",
    "finished",
    "seconds",
    "timings",
    "work",
    "run",
}
"""Entries of the document that say where, when and how fast."""


def in_another_process(folder, files, hash_seed):
    """All ways, run in ``folder`` by an interpreter that hashes in its own way."""
    arguments = ["gwas", "--bfile", files["bfile"], "--pheno", files["pheno"]]
    arguments += ["--covar", files["covar"], "--seed", "3", "--no-report", "--threads", "1"]
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-c", _RUNS.format(ways=WAYS, arguments=arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
    )
    return folder


def without_times(value):
    """A document without what no two runs share."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in OF_THE_RUN}
        return {key: without_times(item) for key, item in kept.items()}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def test_the_same_command_gives_the_same_bytes_in_every_process(files, tmp_path):
    one = in_another_process(tmp_path / "one", files, "1")
    other = in_another_process(tmp_path / "other", files, "2718")
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    tables = [name for name in names if name.endswith((".tsv.gz", ".tbi", ".png"))]
    assert len(tables) >= 3 * len(WAYS)
    for name in tables:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    for way in WAYS:
        documents = [json.loads((folder / f"{way}.json").read_text()) for folder in (one, other)]
        assert without_times(documents[0]) == without_times(documents[1])
        assert len(gzip.decompress((one / f"{way}.y.tsv.gz").read_bytes())) > 10_000


CHOICES = {
    "dense": {"mode": "dense"},
    "single": {"route": "dense"},
    "hodlr": {"route": "hodlr", "leaf_size": 16},
    "plain": {"route": "plain", "test": "score"},
    "measured": {"mode": "hodlr", "leaf_size": 16, "rank": 3},
    "by products": {"mode": "hodlr", "leaf_size": 16, "rank": 3},
}


def analyse(cohort, way, monkeypatch):
    monkeypatch.setattr(plan, "LARGEST_DOUBLE", 0 if way == "single" else 3_000)
    monkeypatch.setattr(find, "SMALLEST", 0 if way == "by products" else 2_000)
    return associate(
        cohort.y,
        cohort.dosage,
        covariates=cohort.covariate,
        chromosome=cohort.chromosome.tolist(),
        model=Model(**CHOICES[way]),
    )


def column(result, name):
    return result.table[name].cast(float).fill_null(np.nan).to_numpy()


def check_same(one, other):
    """Both are within their certificates of one truth, hence of each other."""
    # A coarse compression jumps between columns that are equally good, and says how far it is off.
    exact = [each.certificate.get("h2_exact", each.null.h2) for each in (one, other)]
    error = max(1e-7, one.certificate.get("h2_monte_carlo_error") or 0.0)
    assert exact[0] == pytest.approx(exact[1], abs=error)
    assert (one.table["status"] == other.table["status"]).all()
    p, q = column(one, "neg_log_10_p_value"), column(other, "neg_log_10_p_value")
    ok = np.isfinite(p)
    room = 1e-7 * (1.0 + p)
    if "neg_log_10_p_value_low" in one.table.columns:
        low, high = (
            [column(each, f"neg_log_10_p_value_{end}") for each in (one, other)]
            for end in ("low", "high")
        )
        assert np.all((np.maximum(*low) <= np.minimum(*high) + room)[ok])
        errors = [each.certificate.get("neg_log_10_p_error_max", 0.0) for each in (one, other)]
        room = room + sum(np.inf if error is None else error for error in errors)
    assert np.all((np.abs(p - q) <= room)[ok])


@pytest.mark.parametrize("way", CHOICES)
def test_threads_change_no_more_than_the_certificate_allows(cohort, way, monkeypatch):
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(analyse(cohort, way, monkeypatch))
    check_same(*found)


@pytest.mark.parametrize("way", CHOICES)
def test_blocks_change_no_more_than_the_certificate_allows(cohort, way, monkeypatch):
    whole = analyse(cohort, way, monkeypatch)
    monkeypatch.setattr(problem, "_BLOCK_ELEMENTS", 1)
    monkeypatch.setattr(problem, "_SMALLEST_BLOCK", 7)
    monkeypatch.setattr(problem, "_TILE", 11)
    monkeypatch.setattr(forms, "_SMALLEST_BLOCK", 5)
    monkeypatch.setattr(forms, "_SOLVED_ELEMENTS", 1)
    monkeypatch.setattr(grm, "_BLOCK", 13)
    check_same(whole, analyse(cohort, way, monkeypatch))


@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
def test_single_precision_is_within_its_certificate_of_double(cohort, test, monkeypatch):
    """At the same h2, and for each variant, not for the worst of them."""

    def given(y, covariates, operator, *, method, **_):
        null = fit_null(y, covariates, DenseCovariance(np.eye(len(y))), method=method, h2=0.6)
        return StochasticFit(null, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0)

    monkeypatch.setattr("nextlmm.run.exact.null.estimate_null_stochastic", given)
    monkeypatch.setattr(
        "nextlmm.run.solver.estimate_null_dense",
        lambda y, c, k, *, method: fit_null(y, c, DenseCovariance(k), method=method, h2=0.6),
    )
    found = {}
    for precision, largest in (("single", 0), ("double", 3_000)):
        monkeypatch.setattr(plan, "LARGEST_DOUBLE", largest)
        found[precision] = associate(
            cohort.y,
            cohort.dosage,
            covariates=cohort.covariate,
            chromosome=cohort.chromosome.tolist(),
            model=Model(route="dense", test=test),
        )
    single, double = found["single"], found["double"]
    assert single.certificate["z_error_max"] > 0.0
    assert double.certificate["kl_how"] == "exact matrix"
    p, q = (column(each, "neg_log_10_p_value") for each in (single, double))
    low, high = (column(single, f"neg_log_10_p_value_{end}") for end in ("low", "high"))
    ok = np.isfinite(q)
    assert np.all(((low <= q) & (q <= high))[ok])
    assert 0.0 < np.abs(p - q)[ok].max() <= single.certificate["neg_log_10_p_error_max"]
