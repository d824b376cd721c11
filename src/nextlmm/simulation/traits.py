"""Traits of genetic values, covariates and chance: y = X b + g + e."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.tables import StringArray

COVARIATES = ("sex", "age", "batch")
_COVARIATE_EFFECTS = (0.5, 0.3, 0.2)  # standard deviations of the trait per standard deviation
_LARGER_EFFECTS = 10
_LARGER = 6.0  # standard deviations of the other effects

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


def draw_effects(
    rng: Generator,
    chromosome: StringArray,
    count: int,
    *,
    traits: int = 1,
    free: Collection[str] = (),
) -> FloatArray:
    """Effects per standard deviation of a dosage, (m, traits), most of them zero.

    ``count`` variants of each trait, on none of the chromosomes ``free`` (m,), have normal effects,
    and of these ten are six times as large as the others.
    """
    effects = np.zeros((len(chromosome), traits))
    allowed = np.flatnonzero(~np.isin(chromosome, list(free)))
    for trait in range(traits):
        causal = rng.choice(allowed, size=count, replace=False)
        effects[causal, trait] = rng.normal(size=count)
        effects[causal[:_LARGER_EFFECTS], trait] *= _LARGER
    return effects


def add_genetic(
    genetic: FloatArray, dosages: NDArray[np.generic], effects: FloatArray
) -> FloatArray:
    """Add what variants (n, b) give to genetic values (n, traits), in place.

    Returns
    -------
    The standard deviation of each dosage, (b,), 0 where it has no effect or does not vary.
    """
    causal = np.flatnonzero(effects.any(axis=1))
    own = dosages[:, causal].astype(np.float64)
    deviation = np.zeros(len(effects))
    deviation[causal] = own.std(axis=0)
    varying = deviation[causal] > 0
    used = causal[varying]
    genetic += ((own - own.mean(axis=0))[:, varying] / deviation[used]) @ effects[used]
    return deviation


def draw_covariates(rng: Generator, n: int) -> FloatArray:
    """Sex (1 or 2), age in years and the temperature of a batch, (n, 3)."""
    sex = rng.integers(1, 3, size=n)
    age = rng.integers(20, 80, size=n)
    batch = rng.normal(20.0, 2.0, size=n).round(2)
    return np.column_stack([sex, age, batch]).astype(np.float64)


def draw_traits(
    rng: Generator, genetic: FloatArray, covariates: FloatArray, h2: float
) -> FloatArray:
    """Traits (n, traits) whose variance beside the covariates is 1, and of which h2 is genetic.

    Genetic values are scaled to variance h2 among the samples, so that an effect per standard
    deviation becomes sqrt(h2) / sd(genetic) times itself; they must vary unless h2 is 0.
    """
    standardized = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    if h2 > 0.0:
        genetic = (genetic - genetic.mean(axis=0)) / genetic.std(axis=0)
    residual = rng.normal(size=genetic.shape)
    beside = np.sqrt(h2) * genetic + np.sqrt(1 - h2) * residual
    return np.asarray(beside + (standardized @ _COVARIATE_EFFECTS)[:, None])
