"""Genotypes of populations, families and inbred lines, of any size.

A simulated genome has chromosomes of 100 million base pairs. Every population has a pool of founder
haplotypes, drawn with linkage disequilibrium that falls with distance; what a sample carries is
copied from one founder for a while, then from another, as populations that have mixed for some time
look. Genotypes are made in pieces, a hundred of a chromosome, so that the memory is that of the
pools of a chromosome and of a piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from nextlmm.genotype.bed_writer import MISSING_CALL
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable, string_array
from nextlmm.simulation.structure import Structure

N_CHROMOSOMES = 20
CHROMOSOME_BP = 100_000_000
_PIECES = 100  # of a chromosome, between which a haplotype may pass to another founder
_LD_BP = 50_000  # distance over which the correlation of the drawn founders falls by e
_LEAST_FREQUENCY = 0.05  # of the minor allele among the founders
_FAMILY = 5  # two parents and three children
_MISSING_BYTES = 2  # of 256: 0.8 % of the calls are missing

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


KINDS: dict[Structure, Kind] = {
    "families": Kind(3, 0.05, 1_000, admixed=0.0, in_families=0.95, switching=0.5),
    "inbred": Kind(8, 0.3, 25, admixed=0.3, in_families=0.0, switching=0.1, heterozygous=0.01),
    "mixture": Kind(5, 0.1, 1_000, admixed=0.3, in_families=0.05, switching=0.5),
    "unrelated": Kind(1, 0.01, 1_000, admixed=0.0, in_families=0.0, switching=0.5),
}


def seeded(seed: int, kind: Structure, n: int, m: int) -> Generator:
    """Random numbers that no other kind or size of cohort has."""
    return np.random.default_rng([seed, list(KINDS).index(kind), n, m])


def sample_table(n: int) -> SampleTable:
    """Samples S000001, S000002 and so on, each a family of its own by name."""
    names = string_array(f"S{number + 1:06d}" for number in range(n))
    return SampleTable(names, names)


def variant_table(m: int, n_chromosomes: int = N_CHROMOSOMES) -> VariantTable:
    """Variants v0000001, v0000002 and so on, at equal distances, as many on each chromosome."""
    chromosome = np.sort(np.arange(m) % n_chromosomes)
    within = np.arange(m) - np.searchsorted(chromosome, chromosome)
    return VariantTable(
        string_array(str(number + 1) for number in chromosome),
        string_array(f"v{number + 1:07d}" for number in range(m)),
        _spacing_bp(m, n_chromosomes) * (1 + within),
        string_array(["A"] * m),
        string_array(["G"] * m),
    )


def genotype_blocks(
    rng: Generator, kind: Kind, *, n: int, variants: VariantTable
) -> Iterator[tuple[IndexArray, Calls]]:
    """The variants, piece by piece: their positions (b,), and copies of the effect allele (n, b).

    Parameters
    ----------
    rng : of all draws; what is drawn of it between two pieces changes those that follow.
    kind : of population.
    n : samples, in an order in which neither families nor populations are contiguous.
    variants : as `variant_table` makes them.

    Cost: O(n m); in memory 5,000 bytes a variant of a chromosome and some bytes a genotype of a
    piece.
    """
    parents = _parents(kind, n)
    founder = parents[:, 0] < 0
    ancestry = _ancestry(rng, kind, n=n)[founder]
    order = rng.permutation(n)
    chromosomes = list(dict.fromkeys(variants.chromosome))
    spacing_bp = _spacing_bp(len(variants), len(chromosomes))
    for name in chromosomes:
        columns = np.flatnonzero(variants.chromosome == name)
        pool = _pool(rng, kind, m=len(columns), spacing_bp=spacing_bp)
        pieces = np.array_split(np.arange(len(columns)), min(_PIECES, len(columns)))
        carried = _carried(rng, kind, ancestry=ancestry, pieces=len(pieces))
        strands = _strands(rng, children=n - len(ancestry), pieces=len(pieces))
        for piece, (source, strand) in zip(pieces, zip(carried, strands, strict=True), strict=True):
            haplotypes = np.empty((n, 2, len(piece)), dtype=np.int8)
            haplotypes[founder] = np.ascontiguousarray(pool[piece].T)[source]
            for side in range(2):
                haplotypes[~founder, side] = haplotypes[parents[~founder, side], strand[:, side]]
            yield columns[piece], (haplotypes[:, 0] + haplotypes[:, 1])[order]


def with_missing(rng: Generator, calls: Calls) -> Calls:
    """The calls, 0.8 % of them missing."""
    missing = rng.integers(256, size=calls.shape, dtype=np.uint8) < _MISSING_BYTES
    return np.where(missing, np.int8(MISSING_CALL), calls)


def _spacing_bp(m: int, n_chromosomes: int) -> int:
    """Base pairs between neighbours, so that a chromosome's last position is within its length."""
    return max(1, CHROMOSOME_BP // (-(-m // n_chromosomes) + 1))


def _parents(kind: Kind, n: int) -> IndexArray:
    """Rows of the parents of every sample (n, 2), -1 for a founder."""
    parents = np.full((n, 2), -1)
    first = _FAMILY * np.arange(int(kind.in_families * n) // _FAMILY)
    for child in range(2, _FAMILY):
        parents[first + child] = np.column_stack([first, first + 1])
    return parents


def _ancestry(rng: Generator, kind: Kind, *, n: int) -> FloatArray:
    """Shares of the populations in every sample, (n, populations); those of a family are alike."""
    population = rng.integers(kind.populations, size=n)
    in_family = np.arange(n) < _FAMILY * (int(kind.in_families * n) // _FAMILY)
    population[in_family] = population[_FAMILY * (np.flatnonzero(in_family) // _FAMILY)]
    shares = np.eye(kind.populations)[population]
    admixed = (rng.random(n) < kind.admixed) & ~in_family
    shares[admixed] = rng.dirichlet(np.ones(kind.populations), size=int(admixed.sum()))
    return shares


def _pool(rng: Generator, kind: Kind, *, m: int, spacing_bp: int) -> Calls:
    """Alleles of the founders at the variants of a chromosome, (m, populations * founders).

    An allele is there where a normal variate is below the quantile of the population's frequency;
    the variates of neighbouring variants are correlated.
    """
    correlation = np.exp(-spacing_bp / _LD_BP)
    spread = (1 - kind.fst) / kind.fst
    shape = (kind.populations, kind.founders)
    alleles = np.empty((m, kind.populations * kind.founders), dtype=np.int8)
    level = rng.standard_normal(shape, dtype=np.float32)
    made = 0
    while made < m:
        fresh = rng.standard_normal(shape, dtype=np.float32)
        level = correlation * level + np.sqrt(1 - correlation**2) * fresh
        ancestral = rng.uniform(_LEAST_FREQUENCY, 1 - _LEAST_FREQUENCY)
        frequency = rng.beta(ancestral * spread, (1 - ancestral) * spread, size=kind.populations)
        drawn = level < ndtri(frequency)[:, None]
        if _LEAST_FREQUENCY <= drawn.mean() <= 1 - _LEAST_FREQUENCY:
            alleles[made] = drawn.ravel()
            made += 1
    return alleles


def _carried(
    rng: Generator, kind: Kind, *, ancestry: FloatArray, pieces: int
) -> Iterator[IndexArray]:
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


def _strands(rng: Generator, *, children: int, pieces: int) -> Iterator[IndexArray]:
    """For every piece which strand of either parent a child has; a crossover each on average."""
    strand = rng.integers(2, size=(children, 2))
    for piece in range(pieces):
        if piece:
            strand = strand ^ (rng.random(strand.shape) < 1 / pieces)
        yield strand
