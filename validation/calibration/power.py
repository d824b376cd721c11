"""Effects that are there to be found: what each mode finds of what the dense exact model finds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nextlmm import Model, associate

from .nulls import Bench
from .populations import CHROMOSOMES, POPULATIONS

MODES: dict[str, dict[str, Any]] = {
    "dense": {"mode": "dense"},
    "exact, by products": {"mode": "exact", "route": "hodlr"},
    "hodlr, rank 40": {"mode": "hodlr", "rank": 40},
}
"""The first is what the others are compared with."""
H2 = 0.4
EFFECTS = 10
NCP = (5.0, 30.0)
"""Non-centralities between which effects are drawn: chi-squares expected of unrelated samples."""
LEVEL = 1e-4


@dataclass(frozen=True, eq=False)
class Found:
    """Effects of some traits: non-centralities (e,), and -log10 p of each by mode."""

    ncp: np.ndarray
    log_p: dict[str, np.ndarray]


def find_effects(bench: Bench, traits: int, seed: int) -> Found:
    """Simulate traits of ten effects each, on all chromosomes, and analyse them by every mode."""
    parts = list(_of_each_trait(bench, traits, seed))
    return Found(
        np.concatenate([ncp for ncp, _ in parts]),
        {mode: np.concatenate([log_p[mode] for _, log_p in parts]) for mode in MODES},
    )


def _of_each_trait(
    bench: Bench, traits: int, seed: int
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    population = bench.population
    z = population.dosage - population.dosage.mean(axis=0)
    z = z / z.std(axis=0)
    for t in range(traits):
        rng = np.random.default_rng([seed, 2, t, POPULATIONS.index(population.name)])
        at = np.array(
            [
                rng.choice(np.flatnonzero(population.chromosome == str(1 + e % CHROMOSOMES)))
                for e in range(EFFECTS)
            ]
        )
        ncp = rng.uniform(*NCP, EFFECTS)
        effect = np.sqrt(ncp / population.n) * rng.choice([-1.0, 1.0], EFFECTS)
        genetic = bench.root @ rng.normal(size=population.n)
        noise = rng.normal(size=population.n)
        y = np.sqrt(H2) * genetic + np.sqrt(1.0 - H2) * noise + z[:, at] @ effect
        yield ncp, {mode: _log_p(population, y, at, choices) for mode, choices in MODES.items()}


def _log_p(population: Any, y: np.ndarray, at: np.ndarray, choices: dict[str, Any]) -> np.ndarray:
    result = associate(
        y,
        population.dosage,
        chromosome=population.chromosome.tolist(),
        model=Model(**choices),
    )
    return np.asarray(result.table["neg_log_10_p_value"].to_numpy()[at], dtype=float)
