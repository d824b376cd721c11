"""Every p-value, effect, standard error and null model against GEMMA 0.98.5.

GEMMA tests each variant at its own heritability with one matrix from all variants, which passed
minor allele frequency >= 1 % and missing rate <= 5 %; the reference files hold its ``-lmm 4``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .cohorts import COHORTS

GK_OPTION = {"centered": 1, "standardized": 2}


@dataclass(frozen=True)
class Case:
    """A cohort, one of its traits, and the weighting of the relationship matrix."""

    cohort: str
    trait: str
    weighting: str

    def __str__(self) -> str:
        return f"{self.cohort}-{self.trait}-{self.weighting}"

    @property
    def reference(self) -> Path:
        return COHORTS[self.cohort].root / "reference"


CASES = [
    Case(cohort, trait, weighting)
    for cohort, trait in (
        ("mouse", "CD8"),
        ("mouse", "MCH"),
        ("rice", "Amylose.content"),
        ("rice", "Seed.width"),
        ("1kg", "Y1"),
    )
    for weighting in GK_OPTION
]
CASES += [Case("soy", "R8", "standardized"), Case("sim2k", "Y2", "standardized")]


def run(case, folder, test):
    cohort = COHORTS[case.cohort]
    result = gwas(
        GwasOptions(
            bfile=cohort.bfile,
            pheno=str(cohort.root / cohort.pheno),
            covar=str(cohort.root / cohort.covar) if cohort.covar else None,
            trait=(case.trait,),
            out=str(folder / "out"),
            mode="dense",
            loco=False,
            grm_weighting=case.weighting,
            test=test,
            per_variant_h2="always",
            maf=0.01,
            max_missing=0.05,
            plots=False,
        )
    )
    return result.tables[case.trait], result.document["traits"][case.trait]


def gemma_table(case):
    path = case.reference / f"gemma_{case.trait}.{case.weighting}.assoc.txt.gz"
    return pl.read_csv(path, separator="\t", null_values=["nan", "-nan"], infer_schema_length=None)


def gemma_log(case):
    """Numbers of the log: name -> value, from the section of the weighting where there are two."""
    text = (case.reference / f"gemma_{case.trait}.log.txt").read_text()
    sections = re.split(r"kinship -gk ", text)
    own = [part for part in sections if part.startswith(str(GK_OPTION[case.weighting]))]
    part = own[0] if own else text
    return {name.strip(): value for name, value in re.findall(r"## (.*?)=\s*(\S+)\s*$", part, re.M)}


def last_digit(printed):
    """A unit in the last printed place, or what the search of GEMMA leaves if that is more."""
    digits = printed.split(".")[1] if "." in printed else ""
    return max(10.0 ** -len(digits), 1e-6)


def check_null_model(facts, case):
    log = gemma_log(case)
    assert facts["n"] == int(log["number of analyzed individuals"])
    assert facts["variants"]["tested"] == int(log["number of analyzed SNPs/var"])
    assert facts["h2"] == pytest.approx(float(log["pve estimate in the null model"]), abs=5e-5)
    assert facts["h2_se"] == pytest.approx(float(log["se(pve) in the null model"]), rel=5e-4)
    assert facts["sigma_e2"] == pytest.approx(float(log["ve estimate in the null model"]), rel=1e-4)
    printed = log["REMLE log-likelihood in the null model"]
    assert facts["log_likelihood_reml"] == pytest.approx(float(printed), abs=last_digit(printed))


@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_variant_and_the_null_model_agree(case, test, tmp_path):
    table, facts = run(case, tmp_path, test)
    check_null_model(facts, case)
    reference = gemma_table(case)
    assert table["variant_id"].to_list() == reference["rs"].to_list()
    assert table["effect_allele"].to_list() == reference["allele1"].cast(pl.String).to_list()
    frequency = table["effect_allele_frequency"].to_numpy()
    np.testing.assert_allclose(frequency, reference["af"].to_numpy(), atol=5.1e-4)
    expected = -np.log10(reference[f"p_{test}"].to_numpy())
    assert np.isfinite(expected).all()
    error = np.abs(table["neg_log_10_p_value"].to_numpy() - expected)
    assert (error <= 0.002 + 0.0005 * expected).all()
    # GEMMA stops its search at a relative change of 1e-5 of the variance ratio
    se = reference["se"].to_numpy()
    np.testing.assert_allclose(table["standard_error"].to_numpy(), se, rtol=2e-5)
    beta = reference["beta"].to_numpy()
    assert (np.abs(table["beta"].to_numpy() - beta) <= 1e-4 * se).all()
    print(
        f"{case} {test}: {len(table)} variants, largest difference of -log10 p {error.max():.2g} "
        f"(-log10 p up to {expected.max():.1f}), lambda {facts['lambda_gc']:.4f}, "
        f"h2 {facts['h2']:.6f} (se {facts['h2_se']:.6f})"
    )


def test_covariate_effects_agree(tmp_path):
    case = Case("sim2k", "Y2", "standardized")
    _, facts = run(case, tmp_path, "score")
    text = (case.reference / f"gemma_{case.trait}.log.txt").read_text()
    beta, error = (
        [float(x) for x in re.search(rf"## {name} =(.*)", text)[1].split()]
        for name in (r"beta estimate in the null model", r"se\(beta\)")
    )
    found = facts["covariate_effects"]
    assert [row["beta"] for row in found] == pytest.approx(beta, rel=1e-4)
    assert [row["standard_error"] for row in found] == pytest.approx(error, rel=1e-4)
