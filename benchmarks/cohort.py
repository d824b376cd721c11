"""Cohorts to run on: simulated ones of three kinds and any size, and mice of the shared data.

A simulated genome has 20 chromosomes of 100 million base pairs. Every population has a pool of
founder haplotypes, drawn with linkage disequilibrium that falls with distance; what a sample
carries is copied from one founder for a while, then from another, as populations that have mixed
for some time look. Genotypes are made in 2,000 pieces that are written as they come, so that the
memory is that of the pools of a chromosome and of a piece.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.bed_writer import MISSING_CALL, write_plink, write_plink_blocks
from nextlmm.genotype.plink_tables import read_fam
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array

N_CHROMOSOMES = 20
CHROMOSOME_BP = 100_000_000
PIECES = 100  # of a chromosome, between which a haplotype may pass to another founder
LD_BP = 50_000  # distance over which the correlation of the drawn founders falls by e
CAUSAL_FREE = ("19", "20")  # chromosomes without effects, on which every test is one of the null
LEAST_FREQUENCY = 0.05  # of the minor allele among the founders
FAMILY = 5  # two parents and three children
MISSING_BYTES = 2  # of 256: 0.8 % of the calls are missing
TRAITS = 5
HERITABILITY = 0.5
POLYGENIC_VARIANTS = 1_000
LARGER_EFFECTS = 10
LARGER = 6.0  # standard deviations of a polygenic effect
COVARIATES = ("sex", "age", "batch")
COVARIATE_EFFECTS = (0.5, 0.3, 0.2)  # standard deviations of the trait per standard deviation
SEED = 2
MISSING_TRAIT = "-9"  # in a .fam, where not every program reads NA
LEAST_MICE_FREQUENCY, MOST_MICE_MISSING = 0.01, 0.05
GENOTYPES, TRAIT_FILE, COVARIATE_FILE = "cohort", "traits.txt", "covariates.txt"

IntArray = NDArray[np.intp]
FloatArray = NDArray[np.float64]
Calls = NDArray[np.int8]
Generator = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """A kind of population.

    Attributes
    ----------
    populations, fst : populations, and how far their frequencies are apart (Balding and Nichols).
    founders : haplotypes in the pool of each population.
    admixed : share of the samples that descend from all populations.
    in_families : share of the samples in families of two parents and three children.
    switching : probability that a haplotype passes to another founder between two pieces.
    heterozygous : share of the genome on which the two haplotypes of a sample may differ.
    """

    populations: int
    fst: float
    founders: int
    admixed: float
    in_families: float
    switching: float
    heterozygous: float = 1.0


KINDS = {
    "mixture": Kind(5, 0.1, 1_000, admixed=0.3, in_families=0.05, switching=0.5),
    "families": Kind(3, 0.05, 1_000, admixed=0.0, in_families=0.95, switching=0.5),
    "inbred": Kind(8, 0.3, 25, admixed=0.3, in_families=0.0, switching=0.1, heterozygous=0.01),
}


@dataclass(frozen=True)
class Cohort:
    """Files that every program reads.

    Attributes
    ----------
    bfile : prefix of the PLINK 1 files; the .fam has the first trait in its last column.
    pheno : FID, IID and the traits, with a header.
    traits : their names.
    covar : FID, IID and the covariates, with a header; None without covariates.
    covariates : their names.
    """

    bfile: Path
    pheno: Path
    traits: tuple[str, ...]
    covar: Path | None = None
    covariates: tuple[str, ...] = ()

    @classmethod
    def at(cls, folder: Path) -> Self:
        """The cohort whose files are in a folder."""
        covar = folder / COVARIATE_FILE
        return cls(
            bfile=folder / GENOTYPES,
            pheno=folder / TRAIT_FILE,
            traits=_names(folder / TRAIT_FILE),
            covar=covar if covar.exists() else None,
            covariates=_names(covar) if covar.exists() else (),
        )

    @property
    def n(self) -> int:
        """Samples in the files."""
        return _lines(f"{self.bfile}.fam")


def simulate(kind: str, folder: Path, *, n: int, m: int) -> Cohort:
    """Write a cohort of n samples and m variants; the same arguments give the same files.

    Five traits, each with a heritability of one half beside three covariates, from 1,000 variants
    (a tenth of them if there are fewer than 10,000) with normal effects per standard deviation, ten
    of which are six times as large as the others; 0.8 % of the calls are missing.

    Cost: O(n m); in memory 5,000 bytes a variant of a chromosome and some bytes a genotype of a
    piece.
    """
    names = string_array(f"S{number + 1:06d}" for number in range(n))
    samples, variants = SampleTable(names, names), _variant_table(m)
    rng = np.random.default_rng([SEED, sorted(KINDS).index(kind), n, m])
    effects = _effects(rng, variants)
    genetic = np.zeros((n, TRAITS))
    blocks = _genotypes(rng, KINDS[kind], variants=variants, effects=effects, genetic=genetic)
    write_plink_blocks(folder / GENOTYPES, blocks, samples, variants)
    covariates = _covariates(rng, n)
    traits = [f"trait{number + 1}" for number in range(TRAITS)]
    values = _traits(rng, genetic=genetic, covariates=covariates)
    _write_table(folder / TRAIT_FILE, names, columns=traits, values=values)
    _write_table(folder / COVARIATE_FILE, names, columns=COVARIATES, values=covariates)
    return _with_trait_in_fam(Cohort.at(folder))


def shared_mice() -> Path | None:
    """The outbred mice in a folder shared/data beside the checkout, or None without it."""
    for parent in Path(__file__).resolve().parents:
        root = parent / "shared" / "data" / "mouse_hs1940"
        if root.is_dir():
            return root
    return None


def mice(root: Path, folder: Path) -> Cohort:
    """CD8 of the outbred mice, without covariates, at the variants that all programs may test.

    Those with a minor allele frequency of 1 % or more and at most 5 % missing, since some programs
    have no such filter, and others none that they apply before they fail.
    """
    source = open_genotypes(root / "mouse_hs1940")
    dosages = source.dosages(np.arange(len(source.variants)))
    frequency = np.nanmean(dosages, axis=0) / 2.0
    common = np.minimum(frequency, 1.0 - frequency) >= LEAST_MICE_FREQUENCY
    kept = np.flatnonzero(common & (np.isnan(dosages).mean(axis=0) <= MOST_MICE_MISSING))
    write_plink(folder / GENOTYPES, dosages[:, kept], source.samples, source.variants.take(kept))
    rows = [line.split()[:3] for line in (root / "mouse.pheno").read_text("utf-8").splitlines()]
    if rows[0] != ["FID", "IID", "CD8"]:
        raise ValueError(f"{root}/mouse.pheno begins with {rows[0]}, not with FID, IID and CD8")
    text = "".join(" ".join(row) + "\n" for row in rows)
    (folder / TRAIT_FILE).write_text(text, encoding="utf-8")
    return _with_trait_in_fam(Cohort.at(folder))


def _with_trait_in_fam(cohort: Cohort) -> Cohort:
    """The cohort, once its first trait is where GEMMA reads it."""
    table = read_sample_table(cohort.pheno)
    value = dict(zip(table.sample_id, table.columns[cohort.traits[0]], strict=True))
    value = {name: text for name, text in value.items() if text != "NA"}
    fam = Path(f"{cohort.bfile}.fam")
    samples = read_fam(fam)
    pairs = zip(samples.family_id, samples.sample_id, strict=True)
    lines = [
        f"{family} {sample} 0 0 0 {value.get(sample, MISSING_TRAIT)}\n" for family, sample in pairs
    ]
    fam.write_text("".join(lines), encoding="utf-8")
    return cohort


def _variant_table(m: int) -> VariantTable:
    chromosome = np.sort(np.arange(m) % N_CHROMOSOMES)
    within = np.arange(m) - np.searchsorted(chromosome, chromosome)
    return VariantTable(
        string_array(str(number + 1) for number in chromosome),
        string_array(f"v{number + 1:07d}" for number in range(m)),
        _spacing_bp(m) * (1 + within),
        string_array(["A"] * m),
        string_array(["G"] * m),
    )


def _spacing_bp(m: int) -> int:
    """Base pairs between neighbours, so that a chromosome's last position is within its length."""
    return max(1, CHROMOSOME_BP // (-(-m // N_CHROMOSOMES) + 1))


def _effects(rng: Generator, variants: VariantTable) -> FloatArray:
    """Effects per standard deviation of a dosage, (m, traits), most of them zero."""
    effects = np.zeros((len(variants), TRAITS))
    allowed = np.flatnonzero(~np.isin(variants.chromosome, CAUSAL_FREE))
    count = min(POLYGENIC_VARIANTS, max(1, len(allowed) // 10))
    for trait in range(TRAITS):
        causal = rng.choice(allowed, size=count, replace=False)
        effects[causal, trait] = rng.normal(size=count)
        effects[causal[:LARGER_EFFECTS], trait] *= LARGER
    return effects


def _genotypes(
    rng: Generator, kind: Kind, *, variants: VariantTable, effects: FloatArray, genetic: FloatArray
) -> Iterator[Calls]:
    """Blocks of calls (n, b); the genetic values of the samples are added up in ``genetic``."""
    n = len(genetic)
    parents = _parents(kind, n)
    founder = parents[:, 0] < 0
    ancestry = _ancestry(rng, kind, n=n)[founder]
    order = rng.permutation(n)  # so that neither families nor populations are contiguous
    for name in dict.fromkeys(variants.chromosome):
        columns = np.flatnonzero(variants.chromosome == name)
        pool = _pool(rng, kind, m=len(columns), spacing_bp=_spacing_bp(len(variants)))
        pieces = np.array_split(np.arange(len(columns)), min(PIECES, len(columns)))
        carried = _carried(rng, kind, ancestry=ancestry, pieces=len(pieces))
        strands = _strands(rng, children=n - len(ancestry), pieces=len(pieces))
        for piece, (source, strand) in zip(pieces, zip(carried, strands, strict=True), strict=True):
            haplotypes = np.empty((n, 2, len(piece)), dtype=np.int8)
            haplotypes[founder] = np.ascontiguousarray(pool[piece].T)[source]
            for side in range(2):
                haplotypes[~founder, side] = haplotypes[parents[~founder, side], strand[:, side]]
            calls = (haplotypes[:, 0] + haplotypes[:, 1])[order]
            _add_genetic(genetic, calls, effects=effects[columns[piece]])
            missing = rng.integers(256, size=calls.shape, dtype=np.uint8) < MISSING_BYTES
            calls[missing] = MISSING_CALL
            yield calls


def _add_genetic(genetic: FloatArray, calls: Calls, *, effects: FloatArray) -> None:
    causal = np.flatnonzero(effects.any(axis=1))
    dosages = calls[:, causal].astype(np.float64)
    spread = dosages.std(axis=0)
    varying = spread > 0
    standardized = (dosages - dosages.mean(axis=0))[:, varying] / spread[varying]
    genetic += standardized @ effects[causal[varying]]


def _parents(kind: Kind, n: int) -> IntArray:
    """Rows of the parents of every sample (n, 2), -1 for a founder."""
    parents = np.full((n, 2), -1)
    first = FAMILY * np.arange(int(kind.in_families * n) // FAMILY)
    for child in range(2, FAMILY):
        parents[first + child] = np.column_stack([first, first + 1])
    return parents


def _ancestry(rng: Generator, kind: Kind, *, n: int) -> FloatArray:
    """Shares of the populations in every sample, (n, populations); those of a family are alike."""
    population = rng.integers(kind.populations, size=n)
    in_family = np.arange(n) < FAMILY * (int(kind.in_families * n) // FAMILY)
    population[in_family] = population[FAMILY * (np.flatnonzero(in_family) // FAMILY)]
    shares = np.eye(kind.populations)[population]
    admixed = (rng.random(n) < kind.admixed) & ~in_family
    shares[admixed] = rng.dirichlet(np.ones(kind.populations), size=int(admixed.sum()))
    return shares


def _pool(rng: Generator, kind: Kind, *, m: int, spacing_bp: int) -> Calls:
    """Alleles of the founders at the variants of a chromosome, (m, populations * founders).

    An allele is there where a normal variate is below the quantile of the population's frequency;
    the variates of neighbouring variants are correlated.
    """
    correlation = np.exp(-spacing_bp / LD_BP)
    spread = (1 - kind.fst) / kind.fst
    shape = (kind.populations, kind.founders)
    alleles = np.empty((m, kind.populations * kind.founders), dtype=np.int8)
    level = rng.standard_normal(shape, dtype=np.float32)
    made = 0
    while made < m:
        fresh = rng.standard_normal(shape, dtype=np.float32)
        level = correlation * level + np.sqrt(1 - correlation**2) * fresh
        ancestral = rng.uniform(LEAST_FREQUENCY, 1 - LEAST_FREQUENCY)
        frequency = rng.beta(ancestral * spread, (1 - ancestral) * spread, size=kind.populations)
        drawn = level < ndtri(frequency)[:, None]
        if LEAST_FREQUENCY <= drawn.mean() <= 1 - LEAST_FREQUENCY:
            alleles[made] = drawn.ravel()
            made += 1
    return alleles


def _carried(
    rng: Generator, kind: Kind, *, ancestry: FloatArray, pieces: int
) -> Iterator[IntArray]:
    """For every piece the founder that each haplotype is copied from, (samples, 2)."""
    bounds = np.cumsum(ancestry, axis=1)[:, :-1]
    source = np.zeros((len(ancestry), 2), dtype=np.intp)
    for piece in range(pieces):
        passes = rng.random(source.shape) < (kind.switching if piece else 1.0)
        sample = np.nonzero(passes)[0]
        population = (rng.random((len(sample), 1)) > bounds[sample]).sum(axis=1)
        source[passes] = population * kind.founders + rng.integers(kind.founders, size=len(sample))
        alike = rng.random(len(source)) >= kind.heterozygous
        yield np.where(alike[:, None], source[:, :1], source)


def _strands(rng: Generator, *, children: int, pieces: int) -> Iterator[IntArray]:
    """For every piece which strand of either parent a child has; a crossover each on average."""
    strand = rng.integers(2, size=(children, 2))
    for piece in range(pieces):
        if piece:
            strand = strand ^ (rng.random(strand.shape) < 1 / pieces)
        yield strand


def _covariates(rng: Generator, n: int) -> FloatArray:
    """Sex (1 or 2), age in years and the temperature of a batch, (n, 3)."""
    sex = rng.integers(1, 3, size=n)
    age = rng.integers(20, 80, size=n)
    batch = rng.normal(20.0, 2.0, size=n).round(2)
    return np.column_stack([sex, age, batch]).astype(np.float64)


def _traits(rng: Generator, *, genetic: FloatArray, covariates: FloatArray) -> FloatArray:
    standardized = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    genetic = (genetic - genetic.mean(axis=0)) / genetic.std(axis=0)
    residual = rng.normal(size=genetic.shape)
    beside = np.sqrt(HERITABILITY) * genetic + np.sqrt(1 - HERITABILITY) * residual
    return np.asarray(beside + (standardized @ COVARIATE_EFFECTS)[:, None])


def _write_table(
    path: Path, names: NDArray[np.object_], *, columns: Sequence[str], values: FloatArray
) -> None:
    rows = zip(names, values, strict=True)
    lines = [f"{name} {name} {' '.join(f'{value:.6g}' for value in row)}\n" for name, row in rows]
    path.write_text(f"FID IID {' '.join(columns)}\n{''.join(lines)}", encoding="utf-8")


def _names(table: Path) -> tuple[str, ...]:
    """The columns after FID and IID."""
    with table.open(encoding="utf-8") as lines:
        return tuple(lines.readline().split()[2:])


def _lines(path: str) -> int:
    with Path(path).open("rb") as lines:
        return sum(1 for _ in lines)
