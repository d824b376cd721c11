"""The same study on the same genotypes in every format."""

import numpy as np
import pytest

from nextlmm.errors import UsageError
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from ..genotype.examples import random_calls, sample_table, write_bed
from ..genotype.formats import (
    call_records,
    dosage_records,
    write_bgen,
    write_pgen,
    write_vcf,
)

N, M = 90, 60
NAMES = ["beta", "standard_error", "neg_log_10_p_value", "effect_allele_frequency"]


@pytest.fixture
def calls(rng):
    return random_calls(rng, N, M)


@pytest.fixture
def study(tmp_path, rng, calls):
    """Options but for the genotypes; the rows of the tables in orders of their own."""
    y = np.nan_to_num(calls[:, :9]).sum(axis=1) + rng.normal(size=N)
    ids = sample_table(N).sample_id
    lines = [f"{ids[i]} {y[i]:.6f}" for i in rng.permutation(N)]
    (tmp_path / "traits.txt").write_text("\n".join(["IID y", *lines]) + "\n")
    lines = [f"{ids[i]} {value:.6f}" for i, value in zip(rng.permutation(N), y[::-1], strict=True)]
    (tmp_path / "covariates.txt").write_text("\n".join(["IID c", *lines]) + "\n")
    return {
        "pheno": str(tmp_path / "traits.txt"),
        "covar": str(tmp_path / "covariates.txt"),
        "out": str(tmp_path / "result"),
        "plots": False,
    }


def results(study, **genotypes):
    return gwas(GwasOptions(**study, **genotypes))


@pytest.mark.parametrize("route", ["dense", "hodlr"])
@pytest.mark.parametrize("kind", ["pfile", "bgen", "vcf", "bfile"])
def test_calls_give_the_same_bytes_in_every_format(tmp_path, study, calls, kind, route):
    expected = results(study, bfile=str(write_bed(tmp_path, calls)), route=route)
    if kind == "pfile":
        path = write_pgen(tmp_path, calls)
    elif kind == "bgen":
        path = write_bgen(tmp_path, calls)
    else:  # a file of another format is known by its name
        path = write_vcf(tmp_path, call_records(calls), N)
    found = results(study, **{kind: str(path)}, route=route)
    columns = [name for name in expected.tables["y"].columns if name != "base_pair_location"]
    assert found.tables["y"].select(columns).equals(expected.tables["y"].select(columns))


@pytest.mark.parametrize("route", ["dense", "hodlr"])
def test_dosages_are_dosages_in_tests_and_in_the_matrix(tmp_path, study, rng, calls, route):
    """Expected copies of 0 to 2, not calls: the results of three formats agree to their steps."""
    dosages = np.clip(calls + rng.uniform(-0.4, 0.4, calls.shape), 0.0, 2.0)
    exact = results(
        study,
        vcf=str(write_vcf(tmp_path, dosage_records(dosages), N, fields=("DS",))),
        route=route,
    )
    called = results(study, bfile=str(write_bed(tmp_path, calls)), route=route)
    others = [
        results(study, pfile=str(write_pgen(tmp_path, dosages)), route=route),
        results(study, bgen=str(write_bgen(tmp_path, dosages)), route=route),
    ]
    expected = exact.tables["y"].select(NAMES).to_numpy()
    for found in others:
        np.testing.assert_allclose(
            found.tables["y"].select(NAMES).to_numpy(), expected, rtol=0.02, atol=2e-3
        )
    h2 = [run.document["traits"]["y"]["h2"] for run in (exact, *others, called)]
    np.testing.assert_allclose(h2[1:3], h2[0], atol=2e-3)
    difference = called.tables["y"].select(NAMES).to_numpy() - expected
    assert np.nanmax(np.abs(difference)) > 0.05


@pytest.mark.parametrize(
    ("genotypes", "message"),
    [
        ({}, "No genotypes were named"),
        ({"bfile": "a", "vcf": "b.vcf"}, "Options bfile and vcf both name genotypes"),
        ({"pfile": "a", "sample": "b"}, "Option sample names the samples of a BGEN or BIMBAM file"),
        ({"vcf": "a", "vcf_field": "PL"}, "Option vcf-field is 'PL'"),
    ],
)
def test_options_that_contradict_each_other(study, genotypes, message):
    with pytest.raises(UsageError, match=message):
        GwasOptions(**study, **genotypes)


def test_the_record_names_every_file(tmp_path, study, calls):
    run = results(study, bgen=str(write_bgen(tmp_path, calls)))
    assert set(run.document["inputs"]) >= {"bgen", "pheno", "covar"}
    assert run.document["inputs"]["bgen"]["path"].endswith("b.bgen")
    assert "--bgen" in run.document["command"]
