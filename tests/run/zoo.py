"""Cohorts at the edges of what a mixed model can be asked, and the textbook's answer for each."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from nextlmm.testing import reference

M = 30
CHROMOSOMES = 3


@dataclass(frozen=True, eq=False)
class Animal:
    """A cohort, all of its samples kept: y (n,), dosage (n, m), chromosome (m,).

    k : a matrix to give, where it is not made of the genotypes.
    refusal : what a refusal says, as a pattern, where every way must refuse; None where none may.
    warnings : patterns of sentences that a run must give.
    """

    y: np.ndarray
    dosage: np.ndarray
    chromosome: np.ndarray
    covariates: np.ndarray | None = None
    k: np.ndarray | None = None
    refusal: str | None = None
    warnings: tuple[str, ...] = ()
    choices: dict[str, object] = field(default_factory=dict)

    @property
    def analysed(self) -> np.ndarray:
        return np.flatnonzero(~np.isnan(self.y))

    @property
    def design(self) -> np.ndarray:
        """Covariates with the intercept, (n, c)."""
        columns = [np.ones(len(self.y))]
        if self.covariates is not None:
            columns.append(self.covariates)
        return np.column_stack(columns)[self.analysed]


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in name])


def _dosage(rng: np.random.Generator, n: int, m: int = M) -> np.ndarray:
    return rng.binomial(2, rng.uniform(0.2, 0.8, m), (n, m)).astype(float)


def _chromosomes(m: int) -> np.ndarray:
    return np.array([str(1 + j * CHROMOSOMES // m) for j in range(m)])


def _polygenic(rng: np.random.Generator, dosage: np.ndarray, h2: float) -> np.ndarray:
    z = np.nan_to_num(dosage - np.nanmean(dosage, axis=0))
    genetic = z @ rng.normal(size=dosage.shape[1])
    genetic /= genetic.std() or 1.0
    return np.sqrt(h2) * genetic + np.sqrt(1.0 - h2) * rng.normal(size=len(dosage))


def _animal(
    rng: np.random.Generator, dosage: np.ndarray, h2: float = 0.5, **more: object
) -> Animal:
    y = _polygenic(rng, dosage, h2)
    return replace(Animal(y, dosage, _chromosomes(dosage.shape[1])), **more)


def twins() -> Animal:
    rng = _rng("twins")
    dosage = np.repeat(_dosage(rng, 20), 2, axis=0)
    return _animal(rng, dosage)


def duplicated_samples() -> Animal:
    """Every sample four times, with its trait."""
    rng = _rng("duplicates")
    one = _animal(rng, _dosage(rng, 9))
    return replace(one, y=np.repeat(one.y, 4), dosage=np.repeat(one.dosage, 4, axis=0))


def one_family() -> Animal:
    """Two parents and 28 children, each chromosome of a child from one strand of either parent."""
    rng = _rng("family")
    strands = rng.binomial(1, 0.5, (2, 2, M)).astype(float)
    chromosome = _chromosomes(M).astype(int) - 1
    pick = rng.integers(0, 2, (28, 2, CHROMOSOMES))[:, :, chromosome]
    children = np.where(pick == 0, strands[:, 0], strands[:, 1]).sum(axis=1)
    return _animal(rng, np.vstack([strands.sum(axis=1), children]))


def few_samples() -> Animal:
    rng = _rng("few")
    return _animal(rng, _dosage(rng, 11))


def three_samples() -> Animal:
    rng = _rng("three")
    return _animal(rng, _dosage(rng, 3))


def two_samples() -> Animal:
    rng = _rng("two")
    refusal = r"too few samples: 2 analysed.*expected at least 3"
    return _animal(rng, _dosage(rng, 2), refusal=refusal)


def one_variant_many_times() -> Animal:
    """All variants in perfect LD, every other one with its alleles exchanged: K of rank 1."""
    rng = _rng("ld")
    x = rng.binomial(2, 0.4, 40).astype(float)
    dosage = np.column_stack([x if j % 2 else 2.0 - x for j in range(M)])
    return _animal(rng, dosage)


def identity() -> Animal:
    rng = _rng("identity")
    refusal = "same likelihood at every heritability.*expected a relationship matrix that differs"
    return _animal(rng, _dosage(rng, 30), k=np.eye(30), refusal=refusal)


def rank_one() -> Animal:
    rng = _rng("rank")
    v = rng.normal(size=30)
    return _animal(rng, _dosage(rng, 30), k=np.outer(v, v))


def negative_matrix() -> Animal:
    rng = _rng("negative")
    k = np.eye(30)
    k[0, 1] = k[1, 0] = 3.0
    refusal = "not positive semidefinite.*smallest eigenvalue.*use a matrix made of genotypes"
    return _animal(rng, _dosage(rng, 30), k=k, refusal=refusal)


def nothing_inherited() -> Animal:
    rng = _rng("h0")
    dosage = _dosage(rng, 60)
    z = (dosage - dosage.mean(axis=0)) / dosage.std(axis=0)
    noise = rng.normal(size=60)
    inside = np.linalg.svd(z, full_matrices=False)[0][:, :30]
    y = noise - inside @ (inside.T @ noise)  # less alike than strangers are
    warning = "highest at the lower end of its range"
    return Animal(y, dosage, _chromosomes(M), warnings=(warning,))


def all_inherited() -> Animal:
    rng = _rng("h1")
    dosage = _dosage(rng, 60)
    return _animal(rng, dosage, 1.0, warnings=("highest at the upper end of its range",))


def huge_unit() -> Animal:
    return replace(twins(), y=1e12 * twins().y + 1e13)


def tiny_unit() -> Animal:
    return replace(twins(), y=1e-12 * twins().y)


def unit_beyond_doubles() -> Animal:
    return replace(twins(), y=1e120 * twins().y, refusal="spans .*e\\+12.*give it in another unit")


def outliers() -> Animal:
    rng = _rng("outliers")
    one = _animal(rng, _dosage(rng, 50))
    y = one.y.copy()
    y[[3, 17]] = 1e9, -1e7
    return replace(one, y=y)


def one_case_in_a_hundred() -> Animal:
    rng = _rng("cases")
    dosage = _dosage(rng, 100)
    return Animal((np.arange(100) == 5).astype(float), dosage, _chromosomes(M))


def samples_without_calls() -> Animal:
    rng = _rng("uncalled")
    dosage = _dosage(rng, 40)
    dosage[[4, 21]] = np.nan
    return _animal(
        rng, dosage, warnings=("2 of the 40 analysed samples without a genotype at any variant",)
    )


def mostly_missing() -> Animal:
    rng = _rng("missing")
    dosage = _dosage(rng, 40)
    dosage[rng.random(dosage.shape) < 0.6] = np.nan
    return _animal(rng, dosage)


def missing_trait() -> Animal:
    """Half of the samples have no trait; their genotypes still scale the variants of K."""
    rng = _rng("untested")
    one = _animal(rng, _dosage(rng, 60))
    y = one.y.copy()
    y[rng.permutation(60)[:30]] = np.nan
    return replace(one, y=y)


def single_chromosome() -> Animal:
    rng = _rng("single")
    one = _animal(rng, _dosage(rng, 40))
    refusal = "needs varying variants on two or more chromosomes.*leave LOCO out"
    return replace(one, chromosome=np.full(M, "1"), refusal=refusal)


def single_chromosome_without_loco() -> Animal:
    return replace(single_chromosome(), refusal=None, choices={"loco": False})


def nothing_varies() -> Animal:
    rng = _rng("constant")
    refusal = "needs varying variants .* found them on no chromosome"
    return Animal(rng.normal(size=30), np.ones((30, M)), _chromosomes(M), refusal=refusal)


def nothing_varies_without_loco() -> Animal:
    refusal = "relationship matrix has no variation"
    return replace(nothing_varies(), refusal=refusal, choices={"loco": False})


def the_trait_is_a_variant() -> Animal:
    rng = _rng("perfect")
    dosage = _dosage(rng, 40)
    return Animal(3.0 - 2.0 * dosage[:, 20], dosage, _chromosomes(M))


def a_covariate_is_a_variant() -> Animal:
    rng = _rng("collinear")
    one = _animal(rng, _dosage(rng, 40))
    nearly = one.dosage[:, 9] + 1e-3 * rng.normal(size=40)
    return replace(one, covariates=np.column_stack([one.dosage[:, 5], nearly]))


def as_many_covariates_as_samples_allow() -> Animal:
    rng = _rng("covariates")
    one = _animal(rng, _dosage(rng, 14))
    return replace(one, covariates=rng.normal(size=(14, 11)))


def constant_trait() -> Animal:
    return replace(
        twins(), y=np.full(40, 7.0), refusal="trait array is constant over the 40 samples"
    )


def the_trait_is_a_covariate() -> Animal:
    one = twins()
    refusal = "constant or a linear combination of the covariates"
    return replace(one, covariates=1.0 - 2.0 * one.y[:, None], refusal=refusal)


ANIMALS: tuple[Callable[[], Animal], ...] = (
    twins,
    duplicated_samples,
    one_family,
    few_samples,
    three_samples,
    two_samples,
    one_variant_many_times,
    identity,
    rank_one,
    negative_matrix,
    nothing_inherited,
    all_inherited,
    huge_unit,
    tiny_unit,
    unit_beyond_doubles,
    outliers,
    one_case_in_a_hundred,
    samples_without_calls,
    mostly_missing,
    missing_trait,
    single_chromosome,
    single_chromosome_without_loco,
    nothing_varies,
    nothing_varies_without_loco,
    the_trait_is_a_variant,
    a_covariate_is_a_variant,
    as_many_covariates_as_samples_allow,
    constant_trait,
    the_trait_is_a_covariate,
)


def relationships(animal: Animal, left_out: str | None) -> np.ndarray:
    """K of the analysed samples without a chromosome, by the textbook."""
    if animal.k is not None:
        k = animal.k[np.ix_(animal.analysed, animal.analysed)]
    else:
        dosage = animal.dosage[:, animal.chromosome != left_out]
        called = ~np.isnan(dosage).all(axis=0)
        everyone = reference.relationship_matrix(dosage[:, called])
        k = everyone[np.ix_(animal.analysed, animal.analysed)]
    k = k - k.mean(axis=0) - k.mean(axis=1)[:, None] + k.mean()
    return np.asarray(k / np.mean(np.diag(k)))


def expected_status(animal: Animal) -> np.ndarray:
    """Of every variant, by least squares."""
    return np.array([_status(animal, j) for j in range(animal.dosage.shape[1])])


def _status(animal: Animal, variant: int) -> str:
    x = animal.dosage[animal.analysed, variant]
    called = x[~np.isnan(x)]
    if not called.size:
        return "all_missing"
    if np.ptp(called) == 0.0:
        return "monomorphic"
    x = np.where(np.isnan(x), called.mean(), x)
    c = animal.design
    left = x - c @ np.linalg.lstsq(c, x)[0]
    return "collinear" if left @ left <= 1e-10 * np.sum((x - x.mean()) ** 2) else "ok"


def exact_log_p(animal: Animal, test: str, h2: np.ndarray, *, loco: bool) -> np.ndarray:
    """-log10 p of every variant at its h2 (m,); NaN where that is."""
    log_p = np.full(len(h2), np.nan)
    y, c = animal.y[animal.analysed], animal.design
    n, df = len(y), len(y) - c.shape[1] - 1
    y = y - y.mean()
    for name in dict.fromkeys(animal.chromosome):
        own = (animal.chromosome == name) & np.isfinite(h2)
        k = relationships(animal, name if loco else None)
        for value in np.unique(h2[own]):
            at = np.flatnonzero(own & (h2 == value))
            p = reference.projection(c, value * k + (1.0 - value) * np.eye(n))
            x = animal.dosage[np.ix_(animal.analysed, at)]
            x = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
            x = x - x.mean(axis=0)
            x = x - c @ np.linalg.lstsq(c, x)[0]
            share = (x.T @ p @ y) ** 2 / np.einsum("ij,ij->j", x, p @ x) / (y @ p @ y)
            log_p[at] = -np.log10(_tail(test, np.minimum(share, 1.0 - 1e-16), n, df))
    return log_p


def _tail(test: str, share: np.ndarray, n: int, df: int) -> np.ndarray:
    if test == "lrt":
        p = stats.chi2.sf(-n * np.log1p(-share), 1)
    else:
        p = stats.f.sf(n * share if test == "score" else df * share / (1.0 - share), 1, df)
    return np.maximum(p, 1e-300)
