"""Traits without a causal variant on chromosomes 21 and 22: is their p-value a p-value?

The exact LOCO model is fitted to traits simulated on ``sim2k_50k``, and 1,700 variants that are
null for all of them are tested.  Beside what 200 traits of a kind give stands what the model must
give: a score of variance v has chi-square v on average, and with the covariance V of a trait known,
v = x'P V P x / (x'P x sigma2).  That has no Monte-Carlo error, and tells a fault of the program
from a trait that is not of the model: stratification that no relationship carries, an environment
that families share, large effects of common variants only.  Traits that are of the model must be
right as they are.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import optimize, special, stats

from nextlmm.assoc import scan as package_scan
from nextlmm.assoc.scan import (
    residual_df,
    scan_model,
    statistic,
    sums_of,
    usable_columns,
)
from nextlmm.assoc.summary import MEDIAN_CHI2, lambda_gc
from nextlmm.linalg.spectral import SpectralCovariance, spectral_covariance
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.likelihood import whiten_trait
from nextlmm.lmm.null import fit_null
from nextlmm.relatedness.grm import (
    RelationshipSum,
    relationship_matrix,
    relationship_sum,
    variant_scaling,
)

from .cohorts import shared_data
from .null_traits import (
    NULL_CHROMOSOMES,
    NullCohort,
    open_null_cohort,
    simulate_traits,
    trait_covariance,
)

KINDS = ("polygenic", "Y1", "Y2", "Y0")
N_TRAITS = 200
SEED = 1
BEYOND_THE_MODEL = {
    "Y2": "stratification, and an environment that families share, are in no relationship matrix",
    "Y0": "stratification beyond what relationships say is in no relationship matrix",
}
LEVELS = (1e-2, 1e-3)
MAF_EDGES = (0.02, 0.05, 0.1, 0.2)
N_COMPONENTS = 10
WANTED = 0.01  # of lambda around 1
STANDARD_ERRORS = 3.0
FAMILY_WISE = 0.05  # probability that any interval of a table misses a true rate


@dataclass(frozen=True, eq=False)
class Chromosome:
    """K without a chromosome, and the chromosome's variants centred, (n, b), and rotated by U'."""

    covariance: SpectralCovariance
    centred: np.ndarray
    rotated: np.ndarray


@dataclass(frozen=True, eq=False)
class Bench:
    """All that the traits share; bins (m,) of the null variants by frequency and by loading."""

    cohort: NullCohort
    design: Design
    whole: SpectralCovariance
    chromosomes: list[Chromosome]
    maf_bin: np.ndarray
    loading_bin: np.ndarray


@dataclass(frozen=True, eq=False)
class Outcome:
    """Heritabilities (t,), -log10 p (t, m), and expected chi-square of each variant (m,)."""

    kind: str
    h2: np.ndarray
    log_p: np.ndarray
    expected: np.ndarray

    @property
    def inflation(self) -> np.ndarray:
        """Lambda of each trait."""
        return np.array([lambda_gc(row) for row in self.log_p])

    @property
    def expected_inflation(self) -> float:
        """The median of a mixture of chi-squares scaled by their expectations, over MEDIAN_CHI2."""

        def excess(median: float) -> float:
            return float(np.mean(stats.chi2.cdf(median / self.expected, 1))) - 0.5

        return float(optimize.brentq(excess, 0.01, 20.0)) / MEDIAN_CHI2


@pytest.fixture(scope="module")
def bench():
    cohort = open_null_cohort(shared_data() / "sim2k_50k")
    scaling = variant_scaling(cohort.summary, "standardized")
    samples, every = np.arange(cohort.n), np.arange(len(cohort.source.variants))
    total = relationship_sum(cohort.source, every, scaling, samples)
    design = make_design(cohort.covariates)
    chromosomes = []
    for name in NULL_CHROMOSOMES:
        own = cohort.on(name)
        part = relationship_sum(cohort.source, own, scaling, samples)
        n_rest = total.n_variants - part.n_variants
        rest = RelationshipSum(total.values - part.values, n_rest)
        covariance = spectral_covariance(relationship_matrix(rest), overwrite=True)
        columns, status = usable_columns(cohort.dosages(own), design)
        assert (status == "ok").all()
        chromosomes.append(Chromosome(covariance, columns, covariance.vectors.T @ columns))
    whole = spectral_covariance(relationship_matrix(total), overwrite=True)
    frequency = cohort.summary.effect_allele_frequency
    frequency = frequency[np.concatenate([cohort.on(name) for name in NULL_CHROMOSOMES])]
    x = design.project(np.concatenate([part.centred for part in chromosomes], axis=1))
    top = whole.vectors[:, -N_COMPONENTS:].T @ x
    loading = np.sum(top**2, axis=0) / np.sum(x**2, axis=0)
    deciles = np.quantile(loading, np.linspace(0.1, 0.9, 9))
    return Bench(
        cohort=cohort,
        design=design,
        whole=whole,
        chromosomes=chromosomes,
        maf_bin=np.digitize(np.minimum(frequency, 1.0 - frequency), MAF_EDGES),
        loading_bin=np.digitize(loading, deciles),
    )


@pytest.fixture(scope="module", params=KINDS)
def outcome(request, bench):
    traits = simulate_traits(bench.cohort, request.param, N_TRAITS, SEED)
    h2 = np.array([fit_null(y, bench.cohort.covariates, bench.whole).h2 for y in traits.T])
    log_p = np.array([scan(bench, y, weight) for y, weight in zip(traits.T, h2, strict=True)])
    covariance = trait_covariance(bench.cohort, request.param)
    return Outcome(request.param, h2, log_p, expected_chi2(bench, covariance, float(h2.mean())))


def scan(bench: Bench, y: np.ndarray, h2: float) -> np.ndarray:
    """-log10 p, (m,): what ``test_block`` does, with the rotation of the variants done once."""
    parts = []
    for part in bench.chromosomes:
        factor = part.covariance.factor(h2)
        trait = whiten_trait(factor, y, bench.design, h2=h2)
        sums = sums_of(trait, part.rotated / factor.scale[:, None])
        parts.append(statistic("wald", sums, bench.design.n, residual_df(bench.design))[1])
    return np.concatenate(parts)


def expected_chi2(bench: Bench, v: np.ndarray, h2: float) -> np.ndarray:
    """Expected chi-square of the null variants, (m,), at h2 for traits of covariance ``v``."""
    df = bench.design.n - bench.design.n_covariates
    parts = []
    for part in bench.chromosomes:
        factor = part.covariance.factor(h2)
        basis = np.linalg.qr(factor.whiten(bench.design.basis))[0]

        def projected(x, factor=factor, basis=basis):
            whitened = factor.whiten(x)
            return factor.whiten_transposed(whitened - basis @ (basis.T @ whitened))

        px = projected(part.centred)
        sigma2 = np.trace(projected(v)) / df
        variance = np.einsum("ij,ij->j", px, v @ px)
        parts.append(variance / np.einsum("ij,ij->j", px, part.centred) / sigma2)
    return np.concatenate(parts)


def test_scan_is_that_of_the_package(bench):
    """The short cut of this file gives the p-values of ``test_block``, to rounding."""
    y = simulate_traits(bench.cohort, "Y2", 1, SEED)[:, 0]
    blocks = [
        package_scan.test_block(
            scan_model(y, bench.cohort.covariates, part.covariance, h2=0.6),
            bench.cohort.dosages(bench.cohort.on(name)),
        )
        for name, part in zip(NULL_CHROMOSOMES, bench.chromosomes, strict=True)
    ]
    expected = np.concatenate([block.neg_log_10_p_value for block in blocks])
    np.testing.assert_allclose(scan(bench, y, 0.6), expected, rtol=1e-8, atol=1e-9)


def test_mean_inflation_is_what_the_model_gives(outcome):
    """Mean lambda and mean chi-square are within 3 standard errors of theory."""
    inflation = outcome.inflation
    error = inflation.std(ddof=1) / np.sqrt(N_TRAITS)
    chi2 = special.ndtri_exp(-outcome.log_p * np.log(10.0) - np.log(2.0)) ** 2
    chi2_error = chi2.mean(axis=1).std(ddof=1) / np.sqrt(N_TRAITS)
    theory = outcome.expected_inflation
    first = inflation[:100]
    print(
        f"\n{outcome.kind}: h2 {outcome.h2.mean():.3f}; mean lambda {inflation.mean():.4f} (se "
        f"{error:.4f}) over {N_TRAITS} traits, {first.mean():.4f} (se {first.std() / 10.0:.4f}) "
        f"over the first 100; one trait's deviation {inflation.std():.3f}, and "
        f"{np.mean(np.abs(inflation - 1.0) > 0.1):.0%} of traits outside 0.9-1.1; all p-values "
        f"together {lambda_gc(outcome.log_p.ravel()):.4f}; expected of the model {theory:.4f}; "
        f"mean chi-square {chi2.mean():.4f} (se {chi2_error:.4f}), expected "
        f"{outcome.expected.mean():.4f}, by variant {outcome.expected.min():.2f} to "
        f"{outcome.expected.max():.2f}"
    )
    # a median of few independent values is biased upwards: for a chi-square by 0.36 of its variance
    bias = 0.364 * inflation.var()
    assert abs(inflation.mean() - bias - theory) <= STANDARD_ERRORS * error
    assert abs(chi2.mean() - outcome.expected.mean()) <= STANDARD_ERRORS * chi2_error


def test_mean_inflation_is_within_one_per_cent(outcome):
    """Expected to hold of traits of the model, and of none whose own expectation is outside."""
    if outcome.kind in BEYOND_THE_MODEL and abs(outcome.expected_inflation - 1.0) > WANTED:
        pytest.xfail(
            f"lambda {outcome.inflation.mean():.4f}, and exact algebra with the true covariance of "
            f"the traits expects {outcome.expected_inflation:.4f}: {BEYOND_THE_MODEL[outcome.kind]}"
        )
    assert abs(outcome.inflation.mean() - 1.0) <= WANTED


@pytest.mark.parametrize("by", ["maf", "loading"])
def test_type_one_error_is_inside_its_interval(bench, outcome, by):
    """Inside in every bin for traits of the model; printed for the other kinds.

    Neighbouring variants are no independent trials.  The variance of the number of rejections
    over traits, which are independent, against the binomial one gives how many trials they are
    worth.  Intervals hold together at 95 % for the bins and levels of one table (Bonferroni).
    """
    bins = bench.maf_bin if by == "maf" else bench.loading_bin
    count = bins.max() + 1
    miss = FAMILY_WISE / (count * len(LEVELS))
    outside = []
    print(f"\n{outcome.kind} by {by}: rate / level (interval), expected mean chi-square")
    for bin_ in range(count):
        own = outcome.log_p[:, bins == bin_]
        line = [
            f"  bin {bin_} of {own.shape[1]} variants, {outcome.expected[bins == bin_].mean():.3f}"
        ]
        for level in LEVELS:
            rate, low, high = rejection(own, level, miss)
            line.append(f"{level:g}: {rate / level:.3f} ({low / level:.3f} to {high / level:.3f})")
            if not low <= rate <= high:
                outside.append((bin_, level, rate))
        print("; ".join(line))
    if outcome.kind == "polygenic":
        assert not outside


def rejection(log_p: np.ndarray, level: float, miss: float) -> tuple[float, float, float]:
    """Rejection rate over traits and variants, (t, m), and where it should lie."""
    hits = np.count_nonzero(log_p > -np.log10(level), axis=1)
    n_traits, m = log_p.shape
    binomial = m * level * (1.0 - level)
    worth = max(1.0, float(np.mean((hits - m * level) ** 2)) / binomial)
    trials = round(n_traits * m / worth)
    low, high = stats.binom.interval(1.0 - miss, trials, level)
    return float(hits.mean()) / m, float(low) / trials, float(high) / trials
