"""Many traits without a causal variant on one chromosome, tested there, and their heritabilities.

A trait is drawn of the model itself: y ~ N(0, h2 K + (1 - h2) I) with K of all other chromosomes.
One eigendecomposition serves all traits of a population, and `as_the_program_has_it` compares what
that short cut gives with what ``nextlmm.associate`` gives.
"""

from dataclasses import dataclass

import numpy as np

from nextlmm import Model, associate
from nextlmm.assoc.scan import residual_df, statistic, sums_of, usable_columns
from nextlmm.genotype.array import array_source
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.spectral import SpectralCovariance, spectral_covariance
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.likelihood import whiten_trait
from nextlmm.lmm.null import fit_null
from nextlmm.relatedness.grm import relationship_matrix, relationship_sum, variant_scaling

from .populations import NULL_CHROMOSOME, Population

H2 = (0.2, 0.5, 0.8)
"""Simulated heritabilities, of as many traits each."""
H2_FROM = ("per-chromosome", "shared")
"""``--loco-h2``: with K of the other chromosomes, for which the model is true, or of all."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What all traits of a population share.

    rest, whole : K without the null chromosome, and with it, by their eigenvectors.
    root : (n, n) a square root of the first.
    rotated : (n, b) the null variants in the coordinates of ``rest``; ``tested`` their positions.
    """

    population: Population
    design: Design
    rest: SpectralCovariance
    whole: SpectralCovariance
    root: np.ndarray
    rotated: np.ndarray
    tested: np.ndarray


@dataclass(frozen=True, eq=False)
class Nulls:
    """Results of t traits.

    simulated : (t,) heritabilities.
    h2, low, high : (t,) estimates with K of the other chromosomes, and ends of 95 % intervals.
    log_p : (t, b) -log10 p by where h2 is from.
    """

    simulated: np.ndarray
    h2: np.ndarray
    low: np.ndarray
    high: np.ndarray
    log_p: dict[str, np.ndarray]


def make_bench(population: Population) -> Bench:
    """Relationship matrices and their eigenvectors."""
    source = array_source(population.dosage)
    summary = summarise_variants(source)
    scaling, samples = variant_scaling(summary, "standardized"), np.arange(population.n)
    null = population.null_variants
    others = np.setdiff1d(np.arange(len(population.chromosome)), null)
    k = [
        relationship_matrix(relationship_sum(source, variants, scaling, samples))
        for variants in (others, np.arange(len(population.chromosome)))
    ]
    values, vectors = np.linalg.eigh(k[0])
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    rest, whole = (spectral_covariance(np.asfortranarray(each), overwrite=True) for each in k)
    design = make_design(np.ones((population.n, 1)))
    columns, status = usable_columns(source.dosages(null).astype(float), design)
    rotated = rest.vectors.T @ columns
    return Bench(population, design, rest, whole, root, rotated, null[status == "ok"])


def draw_traits(bench: Bench, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Traits (n, count) of the model, and their heritabilities (count,)."""
    rng = np.random.default_rng([seed, 1])
    h2 = np.resize(H2, count)
    genetic = bench.root @ rng.normal(size=(bench.population.n, count))
    noise = rng.normal(size=(bench.population.n, count))
    return np.sqrt(h2) * genetic + np.sqrt(1.0 - h2) * noise, h2


def analyse_nulls(bench: Bench, count: int, seed: int) -> Nulls:
    """Estimate and test ``count`` traits."""
    traits, simulated = draw_traits(bench, count, seed)
    ones = bench.design.covariates
    h2, low, high = (np.empty(count) for _ in range(3))
    log_p = {name: np.empty((count, len(bench.tested))) for name in H2_FROM}
    for t, y in enumerate(traits.T):
        null = fit_null(y, ones, bench.rest)
        h2[t] = null.h2
        assert null.h2_interval is not None
        low[t], high[t] = null.h2_interval
        log_p["per-chromosome"][t] = scan(bench, y, null.h2)
        log_p["shared"][t] = scan(bench, y, fit_null(y, ones, bench.whole).h2)
    return Nulls(simulated, h2, low, high, log_p)


def scan(bench: Bench, y: np.ndarray, h2: float) -> np.ndarray:
    """-log10 p of Wald's test, (b,), with the rotation of the variants done once."""
    factor = bench.rest.factor(h2)
    trait = whiten_trait(factor, y, bench.design, h2=h2)
    sums = sums_of(trait, bench.rotated / factor.scale[:, None])
    return statistic("wald", sums, bench.design.n, residual_df(bench.design))[1]


def as_the_program_has_it(bench: Bench, y: np.ndarray, loco_h2: str) -> float:
    """The largest relative difference of -log10 p from what ``nextlmm.associate`` gives."""
    population = bench.population
    result = associate(
        y,
        population.dosage,
        chromosome=population.chromosome.tolist(),
        model=Model(loco_h2=loco_h2),
    )
    h2 = result.h2_by_chromosome[NULL_CHROMOSOME] if result.h2_by_chromosome else result.null.h2
    theirs = result.table["neg_log_10_p_value"].to_numpy()[bench.tested]
    own = scan(bench, y, h2)
    return float(np.max(np.abs(own - theirs) / (1.0 + own)))
