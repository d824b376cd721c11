"""The exact answer of every model, in double precision by dense algebra, made once for a cohort.

The mixed models are nextlmm's dense mode, which `validation` compares with GEMMA, FaST-LMM and the
textbook; the plain regression is made here, since nextlmm has none.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import t as t_distribution

from cohort import Cohort
from measure import TimeLimitError, measure
from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.tables import SampleTable
from peers import nextlmm
from peers.contract import Job, find, thread_environment

CENTRED = ("--grm-weighting", "centered")
OWN_H2 = ("--per-variant-h2", "always")
EACH = ("--loco-h2", "per-chromosome")
REGRESSION = "regression"
MODELS: Mapping[str, tuple[str, ...]] = {
    "loco": (),
    "loco, h2 of each chromosome": EACH,
    "loco, own h2": (*CENTRED, *OWN_H2, *EACH),
    "one matrix": ("--no-loco",),
    "one matrix, own h2": ("--no-loco", *CENTRED, *OWN_H2),
}
MATRICES = 2.0  # of n by n in double precision
VARIANTS_PER_BLOCK = 1024

FloatArray = NDArray[np.float64]


def exact_answer(
    cohort: Cohort, model: str, *, threads: int, limit_s: float
) -> pl.DataFrame | None:
    """variant_id, neg_log_10_p_value and chi2; None if it takes too long or too much memory.

    Kept beside the cohort, so that it is made once; so is the limit at which it was given up.
    """
    kept = cohort.bfile.parent / f"exact {model}.parquet"
    given_up = kept.with_suffix(".given-up")
    if kept.exists():
        return pl.read_parquet(kept)
    if given_up.exists() and float(given_up.read_text(encoding="ascii")) >= limit_s:
        return None
    table = (
        regression(cohort)
        if model == REGRESSION
        else _dense(cohort, MODELS[model], threads=threads, limit_s=limit_s)
    )
    if table is None:
        given_up.write_text(str(limit_s), encoding="ascii")
        return None
    partial = kept.with_suffix(".partial")
    table.write_parquet(partial)
    partial.replace(kept)
    return table


def memory_bytes() -> int:
    """Memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _dense(
    cohort: Cohort, options: tuple[str, ...], *, threads: int, limit_s: float
) -> pl.DataFrame | None:
    if MATRICES * 8 * cohort.n**2 > memory_bytes():
        return None
    with TemporaryDirectory() as scratch:
        executable = find(nextlmm.EXECUTABLES) or nextlmm.EXECUTABLES[0]
        job = Job(executable, cohort, Path(scratch), threads)
        command = nextlmm.command(job, "--mode", "dense", *nextlmm.PLAIN, *options)
        try:
            measure(command, environment=thread_environment(threads), limit_s=limit_s)
        except TimeLimitError:
            return None
        return nextlmm.read(job)


def regression(cohort: Cohort) -> pl.DataFrame:
    """Regression of the first trait on each variant and the covariates, in the samples called.

    The t test with n - c - 1 degrees of freedom, n being the samples that have the call.
    """
    source = open_genotypes(cohort.bfile)
    traits = _in_order(cohort.pheno, source.samples)
    y = traits[:, 0]
    columns = [np.ones((len(y), 1))]
    if cohort.covar:
        columns.append(_in_order(cohort.covar, source.samples))
    c = np.concatenate(columns, axis=1)
    analysed = np.flatnonzero(~np.isnan(y))
    c, _ = np.linalg.qr(c[analysed])  # well conditioned in every subset that misses few
    parts = []
    m = len(source.variants)
    for start in range(0, m, VARIANTS_PER_BLOCK):
        block = np.arange(start, min(start + VARIANTS_PER_BLOCK, m))
        dosages = source.dosages(block, analysed).astype(np.float64)
        parts.append(_regress(y[analysed] - y[analysed].mean(), c, dosages=dosages))
    chi2, df = np.concatenate(parts, axis=1)
    log_p = -(np.log(2.0) + t_distribution.logsf(np.sqrt(chi2), df)) / np.log(10.0)
    table = {"variant_id": list(source.variants.variant_id), "neg_log_10_p_value": log_p}
    return pl.DataFrame(table | {"chi2": chi2}, nan_to_null=True)


def _in_order(path: Path, samples: SampleTable) -> FloatArray:
    """The columns of a sample table in the order of the genotypes, NaN where it has no sample."""
    table = read_sample_table(path)
    columns = table.columns.values()
    values = np.array([[np.nan if v == "NA" else float(v) for v in c] for c in columns]).T
    row = {sample: values[place] for place, sample in enumerate(table.sample_id)}
    missing = np.full(values.shape[1], np.nan)
    return np.array([row.get(sample, missing) for sample in samples.sample_id])


def _regress(y: FloatArray, c: FloatArray, *, dosages: FloatArray) -> FloatArray:
    """t^2 and degrees of freedom of every column, (2, m), from its normal equations."""
    called = ~np.isnan(dosages)
    x = np.where(called, dosages, 0.0)
    weight = called.astype(np.float64)
    k = c.shape[1]
    cc = (weight.T @ (c[:, :, None] * c[:, None, :]).reshape(len(c), -1)).reshape(-1, k, k)
    cx, cy = x.T @ c, weight.T @ (c * y[:, None])
    solved = np.linalg.solve(cc, np.stack([cx, cy], axis=2))
    xx = np.einsum("ij,ij->j", x, x) - np.einsum("jk,jk->j", cx, solved[:, :, 0])
    xy = x.T @ y - np.einsum("jk,jk->j", cx, solved[:, :, 1])
    yy = weight.T @ y**2 - np.einsum("jk,jk->j", cy, solved[:, :, 1])
    df = called.sum(axis=0) - k - 1
    with np.errstate(divide="ignore", invalid="ignore"):  # a variant that does not vary
        return np.stack([xy**2 / (xx * (yy - xy**2 / xx) / df), df.astype(np.float64)])
