"""Genotypes of five kinds of populations, in memory."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from nextlmm.simulation.population import KINDS, genotype_blocks, seeded, variant_table
from nextlmm.simulation.structure import Structure

POPULATIONS = ("mixture", "families", "inbred", "unrelated", "livestock")
CHROMOSOMES = 10
NULL_CHROMOSOME = "10"
"""On which no trait has a causal variant but those that are put there to be found."""

_FOUNDERS, _SIRES, _DAMS, _GENERATIONS = 60, 8, 60, 5
_LD = 0.9  # correlation of neighbouring founder alleles' variates


@dataclass(frozen=True, eq=False)
class Population:
    """Copies of the effect allele (n, m), and the chromosome of each variant (m,)."""

    name: str
    dosage: np.ndarray
    chromosome: np.ndarray

    @property
    def n(self) -> int:
        return len(self.dosage)

    @property
    def null_variants(self) -> np.ndarray:
        """Positions of the variants that are null for every trait."""
        return np.flatnonzero(self.chromosome == NULL_CHROMOSOME)


def make_population(name: str, n: int, m: int, seed: int) -> Population:
    """N samples and at most m variants, all of which vary."""
    variants = variant_table(m, CHROMOSOMES)
    chromosome = variants.chromosome.astype(str)
    if name == "livestock":
        dosage = _livestock(np.random.default_rng([seed, n, m]), n, chromosome)
    else:
        kind = cast("Structure", name)
        rng = seeded(seed, kind, n, m)
        dosage = np.empty((n, m), dtype=np.int8)
        for columns, calls in genotype_blocks(rng, KINDS[kind], n=n, variants=variants):
            dosage[:, columns] = calls
    frequency = dosage.mean(axis=0) / 2.0
    common = np.minimum(frequency, 1.0 - frequency) >= 0.01
    return Population(name, dosage[:, common], chromosome[common])


def _livestock(rng: np.random.Generator, n: int, chromosome: np.ndarray) -> np.ndarray:
    """The last of five generations, each of which has eight sires and sixty dams at most."""
    m = len(chromosome)
    starts = np.append(True, chromosome[1:] != chromosome[:-1])
    level = rng.normal(size=(_FOUNDERS, m))
    for j in np.flatnonzero(~starts):
        level[:, j] = _LD * level[:, j - 1] + np.sqrt(1.0 - _LD**2) * level[:, j]
    alleles = level < rng.normal(0.0, 0.7, m)
    crossover = np.where(starts, 0.5, CHROMOSOMES / m)  # one Morgan a chromosome
    strands = np.stack((alleles[::2], alleles[1::2]), axis=1)  # (animals, 2, m)
    for _ in range(_GENERATIONS):
        animals = len(strands)
        sires = rng.permutation(animals)[: min(_SIRES, animals // 2)]
        dams = np.setdiff1d(np.arange(animals), sires)
        dams = rng.permutation(dams)[:_DAMS]
        parents = np.column_stack([rng.choice(sires, n), rng.choice(dams, n)])
        following = np.empty((n, 2, m), dtype=bool)
        for side in range(2):
            from_second = np.cumsum(rng.random((n, m)) < crossover, axis=1) % 2 == 1
            own = strands[parents[:, side]]
            following[:, side] = np.where(from_second, own[:, 1], own[:, 0])
        strands = following
    return np.asarray(strands.sum(axis=1, dtype=np.int8))
