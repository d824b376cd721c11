"""Small cohorts with structure and families, for comparing fast code with the textbook."""

from dataclasses import dataclass

import numpy as np

from nextlmm.testing.reference import relationship_matrix


@dataclass(frozen=True, eq=False)
class SmallCohort:
    """Dosages (n, m) without missing values, trait, covariates with intercept, and K."""

    dosage: np.ndarray
    y: np.ndarray
    covariates: np.ndarray
    k: np.ndarray


def small_cohort(seed=0, n=60, m=90, h2=0.5, extra_covariates=1):
    """Three populations and sib pairs; the first variant has an effect."""
    rng = np.random.default_rng(seed)
    frequency = np.clip(0.4 + 0.15 * rng.standard_normal((3, m)), 0.1, 0.9)
    dosage = rng.binomial(2, frequency[rng.integers(0, 3, n)]).astype(float)
    pairs = n // 6
    same = rng.random((pairs, m)) < 0.6
    dosage[pairs : 2 * pairs][same] = dosage[:pairs][same]
    k = relationship_matrix(dosage)
    covariates = np.column_stack((np.ones(n), rng.normal(10.0, 3.0, (n, extra_covariates))))
    values, vectors = np.linalg.eigh(k)
    genetic = vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal(n))
    noise = rng.standard_normal(n)
    y = 100.0 + 0.3 * covariates[:, -1] + 0.6 * dosage[:, 0]
    y += np.sqrt(h2) * genetic + np.sqrt(1.0 - h2) * noise
    return SmallCohort(dosage, y, covariates, k)
