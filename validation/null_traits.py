"""Traits on a simulated cohort without a causal variant on its last two chromosomes.

The recipe is that of ../shared/data/simulate.py, with the genotypes of the file and no missing
value, so that all traits share their samples and one eigendecomposition serves them all::

    Y1  polygenic + eight large effects + stratification + covariates + noise
    Y2  polygenic + fifty causal variants + stratification + covariates + family environment + noise
    Y0  stratification + covariates + noise

and one that the recipe does not have, for which the mixed model is true::

    polygenic  polygenic + covariates + noise
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import linalg

from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.source import GenotypeSource, open_genotypes
from nextlmm.genotype.standardize import impute_mean
from nextlmm.genotype.summary import VariantSummary, summarise_variants

NULL_CHROMOSOMES = ("21", "22")
H2, STRATIFICATION, ENVIRONMENT = 0.5, 0.1, 0.1
N_POLYGENIC, N_SPARSE = 2000, 50
NCP = (20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 140.0)
CODES = {"Y0": 0, "Y1": 1, "Y2": 2, "polygenic": 3}
COMMON = 0.05  # large effects are those of variants above this minor allele frequency
BLOCK, N_DRAWS = 2000, 20_000


@dataclass(frozen=True, eq=False)
class NullCohort:
    """A cohort as simulate.py wrote it; every array in the order of its .fam file.

    covariates : (n, 4), intercept, sex, age, array.
    population, family : (n,) codes from 0.
    """

    source: GenotypeSource
    summary: VariantSummary
    covariates: np.ndarray
    population: np.ndarray
    family: np.ndarray

    @property
    def n(self) -> int:
        return len(self.population)

    def on(self, chromosome: str) -> np.ndarray:
        """Positions of the variants of a chromosome."""
        return np.flatnonzero(self.source.variants.chromosome == chromosome)

    def dosages(self, variants: np.ndarray) -> np.ndarray:
        """Mean-imputed dosages, (n, b)."""
        return impute_mean(self.source.dosages(variants), self.summary.mean[variants])


def open_null_cohort(folder: Path) -> NullCohort:
    """Read a folder written by simulate.py."""
    source = open_genotypes(folder / "geno")
    covar, pop = (read_sample_table(folder / name) for name in ("covar.txt", "pop.txt"))
    for table in (covar, pop):
        assert (table.sample_id == source.samples.sample_id).all()
    columns = [np.array(covar.columns[name], float) for name in ("sex", "age", "array")]
    return NullCohort(
        source=source,
        summary=summarise_variants(source),
        covariates=np.column_stack([np.ones(len(source.samples)), *columns]),
        population=np.unique(np.array(pop.columns["pop"]), return_inverse=True)[1],
        family=np.unique(source.samples.family_id.astype(str), return_inverse=True)[1],
    )


def simulate_traits(cohort: NullCohort, kind: str, count: int, seed: int) -> np.ndarray:
    """``count`` traits of one kind, (n, count); trait t is the same whatever the count."""
    rngs = [np.random.default_rng([seed, CODES[kind], t]) for t in range(count)]
    effects = np.zeros((3, len(cohort.source.variants), count))  # polygenic, sparse, large
    if kind != "Y0":
        for t, rng in enumerate(rngs):
            _draw_effects(cohort, effects[:, :, t], rng)
    polygenic, sparse, large = _genetic_values(cohort, effects)
    traits = np.empty((cohort.n, count))
    for t, rng in enumerate(rngs):
        means = rng.normal(size=cohort.population.max() + 1)
        y = np.zeros(cohort.n)
        if kind != "polygenic":
            y += np.sqrt(STRATIFICATION) * _z(means[cohort.population])
        for effect, column in zip((0.3, 0.3, 0.15), cohort.covariates.T[1:], strict=True):
            y += effect * _z(column)
        if kind == "Y1":
            y += np.sqrt(H2 - sum(NCP) / cohort.n) * _z(polygenic[:, t]) + large[:, t]
        if kind == "Y2":
            y += np.sqrt(H2 / 2.0) * (_z(polygenic[:, t]) + _z(sparse[:, t]))
            y += np.sqrt(ENVIRONMENT) * rng.normal(size=cohort.family.max() + 1)[cohort.family]
        if kind == "polygenic":
            y += np.sqrt(H2) * _z(polygenic[:, t])
        traits[:, t] = y + np.sqrt(_noise(kind)) * rng.normal(size=cohort.n)
    return traits


def trait_covariance(cohort: NullCohort, kind: str) -> np.ndarray:
    """Covariance (n, n) of the traits of a kind over draws of everything, without covariates.

    Parts that are scaled to variance 1 trait by trait (``_z``) have a covariance that is averaged
    over 20,000 draws, in the basis where it is diagonal or of rank 6.
    """
    rng = np.random.default_rng(2)
    v = _noise(kind) * np.eye(cohort.n)
    if kind != "polygenic":
        means = rng.normal(size=(cohort.population.max() + 1, N_DRAWS))
        strata = _z(means[cohort.population])
        v += STRATIFICATION / N_DRAWS * (strata @ strata.T)
    if kind == "Y2":
        v += ENVIRONMENT * (cohort.family[:, None] == cohort.family)
    if kind == "Y1":
        v += _large_covariance(cohort)
    weight = {"Y0": 0.0, "Y1": H2 - sum(NCP) / cohort.n}.get(kind, H2)
    return v + weight * _scaled_polygenic_covariance(cohort, rng) if weight else v


def _noise(kind: str) -> float:
    """Variance of what every sample has for itself."""
    shared = {"polygenic": 0.0, "Y2": STRATIFICATION + ENVIRONMENT}.get(kind, STRATIFICATION)
    return 1.0 - shared - (0.0 if kind == "Y0" else H2)


def _scaled_polygenic_covariance(cohort: NullCohort, rng: np.random.Generator) -> np.ndarray:
    """E z z' of a polygenic value that is scaled to variance 1; chromosomes weigh alike."""
    k = np.zeros((cohort.n, cohort.n))
    for name in _causal_chromosomes(cohort):
        own = cohort.on(name)
        x = cohort.dosages(own)
        x -= x.mean(axis=0)
        x /= _deviation(cohort.summary.effect_allele_frequency[own]) * np.sqrt(len(own))
        k += x @ x.T
    values, vectors = linalg.eigh(k, driver="evd", overwrite_a=True)
    values = np.maximum(values, 0.0)
    share, total = np.zeros(cohort.n), 0
    for _ in range(N_DRAWS // BLOCK):
        squares = rng.normal(size=(cohort.n, BLOCK)) ** 2 * values[:, None]
        share += (squares / squares.sum(axis=0)).sum(axis=1)
        total += BLOCK
    return np.asarray((vectors * (share * cohort.n / total)) @ vectors.T)


def _large_covariance(cohort: NullCohort) -> np.ndarray:
    """The same of the large effects, one for each of the first chromosomes."""
    k = np.zeros((cohort.n, cohort.n))
    frequency = cohort.summary.effect_allele_frequency
    for ncp, name in zip(NCP, _causal_chromosomes(cohort), strict=False):
        own = _common(cohort.on(name), frequency)
        x = cohort.dosages(own)
        within = np.array([_variance_within(column, cohort.population) for column in x.T])
        x -= x.mean(axis=0)
        x *= np.sqrt(ncp / cohort.n / within / len(own))
        k += x @ x.T
    return k


def _causal_chromosomes(cohort: NullCohort) -> list[str]:
    names = dict.fromkeys(cohort.source.variants.chromosome.tolist())
    return [name for name in names if name not in NULL_CHROMOSOMES]


def _common(variants: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    rare = np.minimum(frequency[variants], 1.0 - frequency[variants])
    return np.asarray(variants[rare > COMMON])


def _z(x: np.ndarray) -> np.ndarray:
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


def _draw_effects(cohort: NullCohort, effects: np.ndarray, rng: np.random.Generator) -> None:
    """Fill in effects per copy, (3, m), of one trait: polygenic, sparse, large."""
    frequency = cohort.summary.effect_allele_frequency
    causal = _causal_chromosomes(cohort)
    for i, name in enumerate(causal):
        own = cohort.on(name)
        share = [N_POLYGENIC // len(causal), N_SPARSE // len(causal)]
        share[1] += i < N_SPARSE % len(causal)
        for row, size in enumerate(share):
            at = rng.choice(own, size, replace=False)
            effects[row, at] = rng.normal(size=size) / _deviation(frequency[at])
            if row == 1:
                effects[row, at] *= np.exp(0.3 * rng.normal(size=size))
        if i < len(NCP):
            at = rng.choice(_common(own, frequency))
            x = cohort.dosages(np.array([at]))[:, 0]
            within = np.sqrt(NCP[i] / cohort.n / _variance_within(x, cohort.population))
            effects[2, at] = within * rng.choice([-1.0, 1.0])


def _deviation(frequency: np.ndarray) -> np.ndarray:
    return np.sqrt(2.0 * frequency * (1.0 - frequency))


def _variance_within(x: np.ndarray, group: np.ndarray) -> float:
    size = np.bincount(group)
    mean = np.bincount(group, x) / size
    return float(np.mean((x - mean[group]) ** 2))


def _genetic_values(cohort: NullCohort, effects: np.ndarray) -> np.ndarray:
    """Sum of dosages times effects, (3, n, count)."""
    values = np.zeros((3, cohort.n, effects.shape[2]))
    used = np.flatnonzero(effects.any(axis=(0, 2)))
    for at in range(0, len(used), BLOCK):
        block = used[at : at + BLOCK]
        values += cohort.dosages(block) @ effects[:, block]
    return values
