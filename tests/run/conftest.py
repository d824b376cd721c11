"""A small structured cohort as files and as arrays."""

from dataclasses import dataclass

import numpy as np
import pytest

from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array


@dataclass(frozen=True)
class Cohort:
    """Arrays of a cohort, samples in the order of its files."""

    dosage: np.ndarray
    y: np.ndarray
    covariate: np.ndarray
    chromosome: np.ndarray
    ids: list


def make_cohort(n=96, m=240, seed=0, *, missing=0.02):
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.15, 0.85, (2, m))
    parents = rng.binomial(1, frequency[:, None, :].repeat(n, axis=1)).astype(float)
    population = np.arange(n) % 2
    dosage = np.where(population[:, None] == 0, parents[0], parents[1])
    dosage += rng.binomial(1, frequency[population])
    dosage[: n // 3 : 2] = dosage[1 : n // 3 + 1 : 2]  # close relatives
    flip = rng.random(dosage.shape) < 0.1
    dosage[flip] = rng.integers(0, 3, np.count_nonzero(flip))
    centred = dosage - dosage.mean(axis=0)
    effect = rng.normal(size=m) * (rng.random(m) < 0.3)
    genetic = centred @ effect
    y = genetic / genetic.std() + rng.normal(0.0, 0.8, n) + centred[:, 5]
    covariate = rng.normal(size=n)
    dosage[rng.random(dosage.shape) < missing] = np.nan
    dosage[:, 11] = 2.0
    dosage[:, 12] = np.nan
    chromosome = np.array(["1", "2", "X"])[np.arange(m) * 3 // m]
    return Cohort(dosage, y + covariate, covariate, chromosome, [f"s{i}" for i in range(n)])


def write_cohort(folder, cohort, order=None, *, missing_traits=()):
    """PLINK, trait and covariate files; the genotypes' samples in ``order``."""
    order = np.arange(len(cohort.y)) if order is None else order
    ids = string_array([cohort.ids[i] for i in order])
    m = cohort.dosage.shape[1]
    variants = VariantTable(
        chromosome=string_array(cohort.chromosome.tolist()),
        variant_id=string_array(f"v{j}" for j in range(m)),
        position_bp=np.arange(1, m + 1) * 1000,
        effect_allele=string_array(["A"] * m),
        other_allele=string_array(["G"] * m),
    )
    write_plink(folder / "geno", cohort.dosage[order], SampleTable(ids, ids), variants)
    lines = ["IID y"] + [
        f"{name} {'NA' if i in missing_traits else repr(float(value))}"
        for i, (name, value) in enumerate(zip(cohort.ids, cohort.y, strict=True))
    ]
    (folder / "traits.txt").write_text("\n".join(lines) + "\n")
    lines = ["IID age"] + [
        f"{name} {float(value)!r}" for name, value in zip(cohort.ids, cohort.covariate, strict=True)
    ]
    (folder / "covariates.txt").write_text("\n".join(lines) + "\n")
    return {
        "bfile": str(folder / "geno"),
        "pheno": str(folder / "traits.txt"),
        "covar": str(folder / "covariates.txt"),
        "out": str(folder / "result"),
        "plots": False,
        "report": False,
    }


@pytest.fixture(scope="session")
def cohort():
    return make_cohort()


@pytest.fixture
def files(cohort, tmp_path):
    return write_cohort(tmp_path, cohort)
