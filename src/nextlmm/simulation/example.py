"""A small cohort with everything that makes a mixed model necessary, from one seed.

Three populations and people of mixed ancestry, two fifths of the samples in families, variants in
linkage disequilibrium, a trait with known loci and one without any genetics. It is what
``nextlmm example`` analyses and what tests use when they need data whose truth is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array

FloatArray = NDArray[np.float64]
AlleleArray = NDArray[np.int8]
Generator = np.random.Generator

DEFAULT_SEED = 6  # a cohort whose four planted loci are all strong enough to be found
N_CHROMOSOMES = 10
VARIANTS_PER_CHROMOSOME = 500
CHROMOSOME_BP = 30_000_000
N_UNRELATED = 300
N_NUCLEAR_FAMILIES = 35
N_LARGE_FAMILIES = 5

_POPULATIONS = 3
_ADMIXED = 3  # label after the three populations
_FST = 0.06
_LD_BP = 600_000  # distance over which the correlation of neighbouring variants falls by e
_CLUSTER = 5
_CLUSTER_BP = 60_000
_MORGAN_BP = 50_000_000
_MIXING_GENERATIONS = 8
_MISSING_CALLS = 0.01
_MISSING_TRAITS = 6

_LOCUS_SHARES = (0.10, 0.08, 0.07, 0.06)  # of the variance left after the covariates
_POLYGENIC_SHARE = 0.19
_POLYGENIC_VARIANTS = 300


@dataclass(frozen=True, eq=False)
class Example:
    """A simulated cohort and its truth.

    Attributes
    ----------
    samples, variants
        The two axes.
    dosages
        Copies of the effect allele, (samples, variants), NaN where missing.
    population
        Population of each sample: 0, 1, 2, or 3 for mixed ancestry.
    parents
        Row of the father and of the mother of each sample, (samples, 2); -1 for a founder.
    traits
        ``height`` in cm (heritability 0.5 beside the covariates) and ``noise`` (no genetics), NaN
        where missing.
    covariates
        ``sex`` (1 male, 2 female) and ``age`` in years.
    causal, effects
        Columns of the variants with a planted effect on height, and the effects in cm per copy.
    """

    samples: SampleTable
    variants: VariantTable
    dosages: NDArray[np.float32]
    population: NDArray[np.intp]
    parents: NDArray[np.intp]
    traits: dict[str, FloatArray]
    covariates: dict[str, FloatArray]
    causal: NDArray[np.intp]
    effects: FloatArray


@dataclass(frozen=True)
class PlantedLocus:
    """A variant that was given an effect."""

    variant_id: str
    chromosome: str
    position_bp: int
    effect_allele: str
    effect: float


@dataclass(frozen=True)
class ExampleFiles:
    """Where `write_example` put a cohort, and what it planted (effects in cm per copy)."""

    prefix: Path
    traits: Path
    covariates: Path
    truth: Path
    planted: tuple[PlantedLocus, ...]


def simulate_example(seed: int = DEFAULT_SEED) -> Example:
    """Simulate about 500 samples and 5,000 variants; the same seed gives the same cohort.

    Cost: less than a second, 50 MB.
    """
    rng = np.random.default_rng(seed)
    family, population, parents = _pedigree(rng)
    variants, frequency = _variants(rng)
    haplotypes = _drop_genes(rng, population, parents, variants.position_bp, frequency)
    copies = haplotypes.sum(axis=1, dtype=np.int8)
    copies[:, rng.integers(copies.shape[1])] = 0  # real files hold monomorphic variants
    height, covariates, causal, effects = _height(rng, copies, variants)
    order = rng.permutation(len(copies))  # so that neither families nor populations are contiguous
    place = np.argsort(order)
    dosages = copies[order].astype(np.float32)
    dosages[rng.random(dosages.shape) < _MISSING_CALLS] = np.nan
    noise = rng.normal(size=len(order))
    for trait in (height, noise):
        trait[rng.choice(len(order), _MISSING_TRAITS, replace=False)] = np.nan
    parents = np.where(parents < 0, -1, place[parents])[order]
    return Example(
        samples=SampleTable(
            string_array(f"F{number + 1:03d}" for number in family[order]),
            string_array(f"S{number + 1:03d}" for number in range(len(order))),
        ),
        variants=variants,
        dosages=dosages,
        population=population[order],
        parents=parents,
        traits={"height": height[order], "noise": noise},
        covariates={name: values[order] for name, values in covariates.items()},
        causal=causal,
        effects=effects,
    )


def write_example(folder: Path, seed: int = DEFAULT_SEED) -> ExampleFiles:
    """Write a simulated cohort as PLINK 1 files and text tables, 1 MB in all.

    Raises
    ------
    OutputError
        If ``folder`` cannot be written.
    """
    example = simulate_example(seed)
    files = ExampleFiles(
        prefix=folder / "cohort",
        traits=folder / "traits.txt",
        covariates=folder / "covariates.txt",
        truth=folder / "truth.txt",
        planted=tuple(_planted(example)),
    )
    write_plink(files.prefix, example.dosages, example.samples, example.variants)
    _write_columns(files.traits, example.samples, example.traits, "{:.2f}")
    _write_columns(files.covariates, example.samples, example.covariates, "{:.0f}")
    rows = [
        f"{locus.variant_id}\t{locus.effect_allele}\t{locus.effect:.3f}" for locus in files.planted
    ]
    _write_text(files.truth, ["variant_id\teffect_allele\tbeta_cm", *rows])
    return files


def _planted(example: Example) -> Iterator[PlantedLocus]:
    table = example.variants
    for column, effect in zip(example.causal, example.effects, strict=True):
        yield PlantedLocus(
            table.variant_id[column],
            table.chromosome[column],
            int(table.position_bp[column]),
            table.effect_allele[column],
            float(effect),
        )


def _pedigree(
    rng: Generator,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Family, population and parents of every sample; parents come before their children."""
    rows: list[tuple[int, int, int, int]] = []

    def add(family: int, population: int, father: int = -1, mother: int = -1) -> int:
        rows.append((family, population, father, mother))
        return len(rows) - 1

    for number in range(N_UNRELATED):
        add(number, int(rng.choice(4, p=(0.3, 0.3, 0.2, 0.2))))
    for number in range(N_UNRELATED, N_UNRELATED + N_NUCLEAR_FAMILIES + N_LARGE_FAMILIES):
        home = int(rng.integers(_POPULATIONS))
        father, mother = add(number, home), add(number, home)
        children = [add(number, home, father, mother) for _ in range(2 + number % 2)]
        if number >= N_UNRELATED + N_NUCLEAR_FAMILIES:  # a third generation, cousins among it
            for child in children:
                spouse = add(number, home)
                for _ in range(2):
                    add(number, home, child, spouse)
    table = np.array(rows, dtype=np.intp)
    return table[:, 0], table[:, 1], table[:, 2:]


def _variants(rng: Generator) -> tuple[VariantTable, FloatArray]:
    """The variants, and their frequencies in the three populations (3, m) by Balding-Nichols."""
    m = N_CHROMOSOMES * VARIANTS_PER_CHROMOSOME
    chromosome = np.repeat(np.arange(1, N_CHROMOSOMES + 1), VARIANTS_PER_CHROMOSOME)
    position = [_positions(rng) for _ in range(N_CHROMOSOMES)]
    index = np.tile(np.arange(1, VARIANTS_PER_CHROMOSOME + 1), N_CHROMOSOMES)
    alleles = np.array(list("ACGT"), dtype=object)
    first = rng.integers(4, size=m)
    table = VariantTable(
        string_array(str(name) for name in chromosome),
        string_array(f"snp{c:02d}_{i:03d}" for c, i in zip(chromosome, index, strict=True)),
        np.concatenate(position).astype(np.int64),
        alleles[first],
        alleles[(first + rng.integers(1, 4, size=m)) % 4],
    )
    ancestral = rng.uniform(0.08, 0.92, size=m)
    spread = (1 - _FST) / _FST
    frequency = rng.beta(ancestral * spread, (1 - ancestral) * spread, size=(_POPULATIONS, m))
    return table, frequency


def _positions(rng: Generator) -> NDArray[np.int64]:
    """Clusters of variants, so that each has close neighbours and most have distant ones too."""
    n_clusters = VARIANTS_PER_CHROMOSOME // _CLUSTER
    centre = rng.choice(CHROMOSOME_BP // _CLUSTER_BP, n_clusters, replace=False) * _CLUSTER_BP
    inside = [1 + rng.choice(_CLUSTER_BP, _CLUSTER, replace=False) for _ in range(n_clusters)]
    return np.sort((centre[:, None] + np.array(inside)).ravel())


def _drop_genes(
    rng: Generator,
    population: NDArray[np.intp],
    parents: NDArray[np.intp],
    position: NDArray[np.int64],
    frequency: FloatArray,
) -> AlleleArray:
    """Haplotypes (samples, 2, variants): founders are drawn, children inherit with crossovers."""
    m = len(position)
    distance = np.diff(position, prepend=position[:1])
    distance[::VARIANTS_PER_CHROMOSOME] = np.iinfo(np.int64).max  # chromosomes are independent
    founders = np.flatnonzero(parents[:, 0] < 0)
    haplotypes = np.empty((len(population), 2, m), dtype=np.int8)
    uniform = ndtr(_correlated_normals(rng, 2 * len(founders), np.exp(-distance / _LD_BP)))
    ancestry = _ancestry(rng, np.repeat(population[founders], 2), distance)
    limit = np.take_along_axis(frequency, ancestry, axis=0)
    haplotypes[founders] = (uniform < limit).reshape(len(founders), 2, m)
    switch = _switch_probability(distance, 1.0)
    for child in np.flatnonzero(parents[:, 0] >= 0):
        for side, parent in enumerate(parents[child]):
            strand = (np.cumsum(rng.random(m) < switch) + rng.integers(2)) % 2
            haplotypes[child, side] = np.where(strand, *haplotypes[parent, ::-1])
    return haplotypes


def _correlated_normals(rng: Generator, n: int, correlation: FloatArray) -> FloatArray:
    """Rows of standard normals in which column j has the given correlation with column j - 1."""
    values = rng.normal(size=(len(correlation), n))
    for j in range(1, len(correlation)):
        rho = correlation[j]
        values[j] = rho * values[j - 1] + np.sqrt(1 - rho * rho) * values[j]
    return values.T


def _ancestry(
    rng: Generator, population: NDArray[np.intp], distance: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Population of origin at every variant of each haplotype; a mosaic where it is mixed."""
    ancestry = np.repeat(population[:, None], len(distance), axis=1)
    switch = _switch_probability(distance, _MIXING_GENERATIONS)
    for row in np.flatnonzero(population == _ADMIXED):
        segment = np.cumsum(rng.random(len(distance)) < switch)
        origin = rng.choice(_POPULATIONS, size=segment[-1] + 1, p=(0.5, 0.3, 0.2))
        ancestry[row] = origin[segment]
    return ancestry


def _switch_probability(distance: NDArray[np.int64], generations: float) -> FloatArray:
    """Probability of an odd number of crossovers (Haldane) since the previous variant."""
    return 0.5 * -np.expm1(-2 * generations * distance / _MORGAN_BP)


def _height(
    rng: Generator, copies: AlleleArray, variants: VariantTable
) -> tuple[FloatArray, dict[str, FloatArray], NDArray[np.intp], FloatArray]:
    """A trait in cm: planted loci, a polygenic background, sex, age and residual."""
    n, m = len(copies), len(variants)
    mean = copies.mean(axis=0) / 2
    common = np.minimum(mean, 1 - mean) > 0.25
    with_locus = rng.choice(N_CHROMOSOMES - 2, len(_LOCUS_SHARES), replace=False) + 1
    causal = np.array(
        [
            rng.choice(np.flatnonzero(common & (variants.chromosome == str(chromosome))))
            for chromosome in np.sort(with_locus)
        ]
    )
    scale = 7.0  # cm, the standard deviation beside the covariates
    effects = scale * np.sqrt(_LOCUS_SHARES) / copies[:, causal].std(axis=0)
    effects *= rng.choice((-1, 1), size=len(causal))
    background = rng.choice(m, _POLYGENIC_VARIANTS, replace=False)
    polygenic = _standardized(copies[:, background] @ rng.normal(size=len(background)))
    residual = _standardized(rng.normal(size=n))
    share = 1 - sum(_LOCUS_SHARES) - _POLYGENIC_SHARE
    sex = rng.integers(1, 3, size=n) * np.ones(n)
    age = rng.integers(20, 71, size=n) * np.ones(n)
    height = 178 - 13 * (sex - 1) - 0.08 * (age - 20)
    height += (copies[:, causal] - copies[:, causal].mean(axis=0)) @ effects
    height += scale * (np.sqrt(_POLYGENIC_SHARE) * polygenic + np.sqrt(share) * residual)
    return height, {"sex": sex, "age": age}, causal, effects


def _standardized(values: FloatArray) -> FloatArray:
    centred: FloatArray = values - np.mean(values)
    return centred / np.std(values)


def _write_columns(
    path: Path, samples: SampleTable, columns: dict[str, FloatArray], form: str
) -> None:
    cells = [
        ["NA" if np.isnan(value) else form.format(value) for value in values]
        for values in columns.values()
    ]
    rows = zip(samples.family_id, samples.sample_id, *cells, strict=True)
    _write_text(path, ["\t".join(("FID", "IID", *columns)), *("\t".join(row) for row in rows)])


def _write_text(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
