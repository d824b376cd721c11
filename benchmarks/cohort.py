"""Cohorts to run on: simulated ones of any size, and the mice of the shared data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.plink_tables import read_fam
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array

N_CHROMOSOMES = 20
POPULATIONS = 3
FST = 0.05
FAMILY = 5  # two parents and three children
SHARE_IN_FAMILIES = 0.4
HERITABILITY = 0.5
SHARE_CAUSAL = 0.05
MISSING_CALLS = 0.01
SPACING_BP = 50_000

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Cohort:
    """Files that every program reads: PLINK 1 with the trait in the .fam too, and a trait file."""

    bfile: Path
    pheno: Path
    trait: str


def simulate(n: int, m: int, folder: Path, *, seed: int) -> Cohort:
    """Write a cohort of n samples and m variants; the same arguments give the same files.

    Three populations (Balding and Nichols), two fifths of the samples in families whose children
    inherit with one crossover per chromosome on average, 1 % missing calls, and a trait with a
    heritability of one half from effects of unequal size. Founders' variants are independent.

    Memory: 4 n m bytes and a chromosome's share of temporaries.
    """
    rng = np.random.default_rng([seed, n, m])
    population, parents = _pedigree(rng, n)
    order = rng.permutation(n)  # so that neither families nor populations are contiguous
    chromosome = np.sort(np.arange(m) % N_CHROMOSOMES)
    dosages = np.empty((n, m), dtype=np.float32)
    for name in np.unique(chromosome):
        columns = np.flatnonzero(chromosome == name)
        dosages[:, columns] = _chromosome(rng, population, parents, len(columns))[order]
    trait = _trait(rng, dosages)
    dosages[rng.random(dosages.shape, dtype=np.float32) < MISSING_CALLS] = np.nan
    name = string_array(f"S{number + 1:05d}" for number in range(n))
    samples = SampleTable(name, name)
    write_plink(folder / "simulated", dosages, samples, _variant_table(chromosome))
    pheno = folder / "simulated.pheno.txt"
    lines = [f"{sample} {sample} {value:.6g}\n" for sample, value in zip(name, trait, strict=True)]
    pheno.write_text("FID IID trait\n" + "".join(lines), encoding="utf-8")
    return with_trait_in_fam(folder / "simulated", pheno, "trait", folder / "cohort")


def shared_mice() -> Path | None:
    """The outbred mice in a folder shared/data beside the checkout, or None without it."""
    for parent in Path(__file__).resolve().parents:
        root = parent / "shared" / "data" / "mouse_hs1940"
        if root.is_dir():
            return root
    return None


def mice(root: Path, folder: Path) -> Cohort:
    """CD8 of the outbred mice."""
    return with_trait_in_fam(root / "mouse_hs1940", root / "mouse.pheno", "CD8", folder / "cohort")


def with_trait_in_fam(bfile: Path, pheno: Path, trait: str, prefix: Path) -> Cohort:
    """Link the genotypes and write a .fam that holds the trait, which is where GEMMA reads it."""
    for extension in (".bed", ".bim"):
        Path(f"{prefix}{extension}").symlink_to(f"{bfile}{extension}")
    table = read_sample_table(pheno)
    value = dict(zip(table.sample_id, table.columns[trait], strict=True))
    samples = read_fam(Path(f"{bfile}.fam"))
    pairs = zip(samples.family_id, samples.sample_id, strict=True)
    lines = [f"{family} {sample} 0 0 0 {value.get(sample, 'NA')}\n" for family, sample in pairs]
    Path(f"{prefix}.fam").write_text("".join(lines), encoding="utf-8")
    return Cohort(prefix, pheno, trait)


def _pedigree(rng: np.random.Generator, n: int) -> tuple[IntArray, IntArray]:
    """Population of every sample, and rows of the parents (n, 2), -1 for a founder."""
    n_families = int(SHARE_IN_FAMILIES * n) // FAMILY
    parents = np.full((n, 2), -1)
    first = FAMILY * np.arange(n_families)
    for child in range(2, FAMILY):
        parents[first + child] = np.column_stack([first, first + 1])
    population = rng.integers(POPULATIONS, size=n)
    population[: FAMILY * n_families] = np.repeat(population[first], FAMILY)
    return population, parents


def _chromosome(
    rng: np.random.Generator, population: IntArray, parents: IntArray, m: int
) -> NDArray[np.int8]:
    """Copies of the effect allele at the m variants of a chromosome, (n, m)."""
    ancestral = rng.uniform(0.05, 0.95, size=m)
    spread = (1 - FST) / FST
    frequency = rng.beta(ancestral * spread, (1 - ancestral) * spread, size=(POPULATIONS, m))
    haplotypes = np.empty((len(population), 2, m), dtype=np.int8)
    founders = np.flatnonzero(parents[:, 0] < 0)
    drawn = rng.random((len(founders), 2, m), dtype=np.float32)
    haplotypes[founders] = drawn < frequency[population[founders], None]
    children = np.flatnonzero(parents[:, 0] >= 0)
    for side in range(2):
        crossover = rng.random((len(children), m), dtype=np.float32) < 1 / m
        crossover[:, 0] = rng.random(len(children)) < 0.5
        strand = np.logical_xor.accumulate(crossover, axis=1)
        of_parent = haplotypes[parents[children, side]]
        haplotypes[children, side] = np.where(strand, of_parent[:, 0], of_parent[:, 1])
    return haplotypes[:, 0] + haplotypes[:, 1]


def _trait(rng: np.random.Generator, dosages: NDArray[np.float32]) -> NDArray[np.float64]:
    n, m = dosages.shape
    causal = rng.choice(m, size=max(1, int(SHARE_CAUSAL * m)), replace=False)
    genetic = dosages[:, causal] @ rng.laplace(size=len(causal))
    genetic = (genetic - genetic.mean()) / genetic.std()
    residual = rng.normal(size=n)
    return np.asarray(np.sqrt(HERITABILITY) * genetic + np.sqrt(1 - HERITABILITY) * residual)


def _variant_table(chromosome: IntArray) -> VariantTable:
    m = len(chromosome)
    return VariantTable(
        string_array(str(number + 1) for number in chromosome),
        string_array(f"v{number + 1:06d}" for number in range(m)),
        SPACING_BP * (1 + np.arange(m, dtype=np.int64)),
        string_array(["A"] * m),
        string_array(["G"] * m),
    )
