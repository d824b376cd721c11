"""Random small cohorts and ways to analyse them: every seed is a problem of its own.

What can be odd is odd at times: twins, families, inbred lines, populations, variants in perfect LD,
missing calls and whole samples without any, covariates that nearly explain each other or a variant,
heritabilities of 0 and 1, outliers, cases and controls, units of 1e-6 and 1e6.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Generator = np.random.Generator
MODES = ("dense", "exact", "hodlr")
ROUTES = ("dense", "single", "hodlr", "components", "plain")


@dataclass(frozen=True, eq=False)
class Small:
    """A cohort as ``nextlmm.associate`` takes it, and how it is to be analysed.

    y (n,), dosage (n, m), covariates (n, c) or None, chromosome (m,).
    model : choices of ``nextlmm.Model``.
    limits : sizes from which on the program leaves dense algebra, where they are not its own:
        "square" in double precision, "measured" for the compressed matrix, "spectrum" for the
        likelihood.
    """

    seed: int
    y: np.ndarray
    dosage: np.ndarray
    covariates: np.ndarray | None
    chromosome: np.ndarray
    model: dict[str, Any]
    limits: frozenset[str] = field(default_factory=frozenset)

    def __repr__(self) -> str:
        n, m = self.dosage.shape
        return f"<problem {self.seed}: {n} samples, {m} variants, {self.model}, {set(self.limits)}>"


def draw(seed: int) -> Small:
    """The problem of a seed."""
    rng = np.random.default_rng([seed, 20_261])
    n = int(np.exp(rng.uniform(np.log(15), np.log(120))))
    m = int(np.exp(rng.uniform(np.log(30), np.log(400))))
    chromosome = np.sort(rng.integers(1, rng.integers(2, 6), size=m, endpoint=True)).astype(str)
    dosage = _genotypes(rng, n, m)
    covariates = _covariates(rng, dosage)
    y = _trait(rng, dosage, covariates)
    dosage = _with_missing(rng, dosage)
    model, limits = _choices(rng)
    return Small(seed, y, dosage, covariates, chromosome, model, limits)


def _genotypes(rng: Generator, n: int, m: int) -> np.ndarray:
    populations = int(rng.integers(1, 5))
    population = rng.integers(populations, size=n)
    fst = float(rng.choice([0.01, 0.1, 0.4]))
    base = rng.uniform(0.02, 0.98, m)
    spread = (1.0 - fst) / fst
    frequency = rng.beta(base * spread, (1.0 - base) * spread, size=(populations, m))
    one = rng.random((n, m)) < frequency[population]
    other = rng.random((n, m)) < frequency[population]
    if rng.random() < 0.5:
        one, other = _with_families(rng, one, other)
    if rng.random() < 0.2:
        other = one.copy()  # inbred lines
    dosage = one.astype(float) + other
    if rng.random() < 0.3:
        _copy_samples(rng, dosage)
    if rng.random() < 0.4:
        _copy_variants(rng, dosage)
    if rng.random() < 0.15:
        dosage = np.clip(dosage + rng.normal(0.0, 0.1, dosage.shape), 0.0, 2.0)
    return dosage


def _with_families(
    rng: Generator, one: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two parents and some children each; strands are whole chromosomes with few crossovers."""
    one, other = one.copy(), other.copy()
    n, m = one.shape
    size = int(rng.integers(3, 9))
    for start in range(0, n - size + 1, size):
        if rng.random() < 0.3:
            continue
        for child in range(start + 2, start + size):
            for parent, into in ((start, one), (start + 1, other)):
                strand = np.cumsum(rng.random(m) < 3.0 / m) % 2 == rng.integers(2)
                into[child] = np.where(strand, one[parent], other[parent])
    return one, other


def _copy_samples(rng: Generator, dosage: np.ndarray) -> None:
    """Twins and samples that were genotyped twice, in place."""
    n = len(dosage)
    for _ in range(int(rng.integers(1, max(2, n // 4)))):
        a, b = rng.integers(n, size=2)
        dosage[a] = dosage[b]


def _copy_variants(rng: Generator, dosage: np.ndarray) -> None:
    """Blocks of variants in LD, perfect at times, some with the alleles exchanged, in place."""
    m = dosage.shape[1]
    change = float(rng.choice([0.0, 0.02, 0.2]))
    width = int(rng.choice([2, 5, 30, m]))
    for start in range(0, m, width):
        block = slice(start + 1, min(start + width, m))
        copied = np.repeat(dosage[:, [start]], block.stop - block.start, axis=1)
        keep = rng.random(copied.shape) < change
        dosage[:, block] = np.where(keep, dosage[:, block], copied)
        flipped = np.arange(block.start, block.stop)[rng.random(copied.shape[1]) < 0.3]
        dosage[:, flipped] = 2.0 - dosage[:, flipped]


def _covariates(rng: Generator, dosage: np.ndarray) -> np.ndarray | None:
    n, m = dosage.shape
    count = int(rng.integers(0, 5))
    if count == 0:
        return None
    columns = rng.normal(size=(n, count)) * 10.0 ** rng.uniform(-3, 3, count)
    if rng.random() < 0.3:
        columns[:, 0] = rng.integers(0, 2, n)
    if count > 1 and rng.random() < 0.3:  # two that say nearly the same
        nearly = 10.0 ** -rng.uniform(1, 5)
        columns[:, 1] = columns[:, 0] + nearly * np.abs(columns[:, 0]).max() * rng.normal(size=n)
    if rng.random() < 0.2:  # one that says nearly, or exactly, what a variant says
        nearly = float(rng.choice([0.0, 1e-3, 1e-2, 0.1]))
        columns[:, -1] = dosage[:, rng.integers(m)] + nearly * rng.normal(size=n)
    if rng.random() < 0.2:
        columns += 10.0 ** rng.uniform(0, 4)
    return columns


def _trait(rng: Generator, dosage: np.ndarray, covariates: np.ndarray | None) -> np.ndarray:
    n, m = dosage.shape
    z = dosage - dosage.mean(axis=0)
    z = z / np.where(z.std(axis=0) > 0.0, z.std(axis=0), 1.0)
    h2 = float(rng.choice([0.0, rng.random(), rng.random(), 1.0]))
    causal = rng.random(m) < rng.choice([0.02, 0.3, 1.0])
    genetic = z @ (rng.normal(size=m) * causal)
    genetic /= genetic.std() if genetic.std() > 0.0 else 1.0
    y = np.sqrt(h2) * genetic + np.sqrt(1.0 - h2) * rng.normal(size=n)
    if rng.random() < 0.3:
        y += rng.uniform(0.5, 4.0) * z[:, rng.integers(m)]
    if covariates is not None:
        y += (covariates / np.abs(covariates).max(axis=0)) @ rng.normal(size=covariates.shape[1])
    kind = rng.random()
    if kind < 0.1:
        y[rng.integers(n, size=2)] *= 10.0 ** rng.uniform(1, 4)
    elif kind < 0.2:
        y = (y > np.quantile(y, rng.choice([0.5, 0.9]))).astype(float)
    elif kind < 0.3:
        y = y * 10.0 ** rng.uniform(-6, 6) + 10.0 ** rng.uniform(-3, 3)
    if rng.random() < 0.3:
        y[rng.random(n) < 0.1] = np.nan
    return y


def _with_missing(rng: Generator, dosage: np.ndarray) -> np.ndarray:
    dosage = dosage.copy()
    n, m = dosage.shape
    share = float(rng.choice([0.0, 0.0, 0.02, 0.3]))
    dosage[rng.random(dosage.shape) < share] = np.nan
    if rng.random() < 0.1:
        dosage[rng.integers(n, size=int(rng.integers(1, 3)))] = np.nan
    if rng.random() < 0.3:
        dosage[:, rng.integers(m)] = np.nan
    if rng.random() < 0.3:
        dosage[:, rng.integers(m)] = float(rng.integers(3))
    return dosage


def _choices(rng: Generator) -> tuple[dict[str, Any], frozenset[str]]:
    """A way to analyse: mode, route, test and whatever else changes a number."""
    limits: set[str] = set()
    model: dict[str, Any] = {
        "mode": str(rng.choice(MODES, p=(0.1, 0.55, 0.35))),
        "test": str(rng.choice(["wald", "score", "lrt"], p=(0.5, 0.25, 0.25))),
        "method": str(rng.choice(["reml", "ml", "he"], p=(0.7, 0.15, 0.15))),
        "loco": bool(rng.random() < 0.7),
        "grm_weighting": str(rng.choice(["standardized", "centered"], p=(0.7, 0.3))),
        "leaf_size": int(rng.choice([4, 8, 16, 32, 128])),
        "seed": int(rng.integers(3)),
    }
    if model["loco"] and rng.random() < 0.2:
        model["loco_h2"] = "per-chromosome"
    if model["mode"] == "exact":
        _choose_route(rng, model, limits)
    if model["mode"] == "hodlr":
        _choose_compression(rng, model, limits)
    own = rng.random()
    by_products = model["mode"] == "hodlr" and "measured" in limits
    if own < 0.1 and model["mode"] != "hodlr" and model.get("route", "dense") == "dense":
        model["per_variant_h2"] = "always"
    elif own < 0.2 and not by_products:
        model["per_variant_h2"] = "hits"
        model["hit_threshold"] = float(rng.choice([1e-2, 0.2]))
    if "per_variant_h2" in model and model["method"] == "he":
        model["method"] = "reml"  # each variant is estimated by likelihood
    if model["mode"] == "exact" and rng.random() < 0.2:
        limits.add("spectrum")
    return model, frozenset(limits)


def _choose_route(rng: Generator, model: dict[str, Any], limits: set[str]) -> None:
    route = str(rng.choice(ROUTES, p=(0.1, 0.25, 0.3, 0.15, 0.2)))
    model["route"] = "dense" if route == "single" else route
    if route == "single":
        limits.add("square")
    model["z_tolerance"] = float(rng.choice([1e-4, 1e-3, 0.1]))
    model["hit_threshold"] = float(rng.choice([1e-5, 1e-2, 0.2]))


def _choose_compression(rng: Generator, model: dict[str, Any], limits: set[str]) -> None:
    if rng.random() < 0.4:
        limits.add("measured")
    budget = rng.random()
    if budget < 0.4:
        model["rank"] = int(rng.choice([0, 1, 3, 10]))
    if budget > 0.3:
        model["kl_tolerance"] = float(10.0 ** rng.uniform(-4, 1))
