"""Leaving out the chromosome that is tested, so that a variant does not compete with itself.

Source: Yang et al. 2014 (proximal contamination); the sum without a chromosome is the whole sum
less that of the chromosome, so that the cost of all of them together is one more pass, or none
where the sums of the chromosomes were kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nextlmm.errors import VariantError
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import GenotypeSource
from nextlmm.progress import Progress
from nextlmm.relatedness.grm import (
    FloatArray,
    IndexArray,
    RelationshipSum,
    Scaling,
    relationship_matrix,
    relationship_sum,
)
from nextlmm.relatedness.grm_set import ChromosomeSums


@dataclass(frozen=True, eq=False)
class LeftOut:
    """One chromosome, the variants to test on it, and K (n, n) from all other chromosomes.

    ``chromosome`` is its name as it is first spelled among the variants to test.
    """

    chromosome: str
    variants: IndexArray
    k: FloatArray

    def __repr__(self) -> str:
        return f"<without chromosome {self.chromosome}, which has {len(self.variants):,} variants>"


def check_loco(source: GenotypeSource, variants: IndexArray, scaling: Scaling) -> None:
    """Raise VariantError unless every chromosome leaves some variation on the others."""
    varying = variants[scaling.scale[variants] > 0.0]
    check_chromosomes(list(chromosome_groups(varying, source.variants.chromosome)))


def check_chromosomes(names: Sequence[str]) -> None:
    """Raise VariantError unless the chromosomes of varying variants are two or more."""
    if len(names) < 2:
        seen = f"only on chromosome {names[0]!r}" if names else "on no chromosome"
        raise VariantError(
            f"leaving one chromosome out needs varying variants on two or more chromosomes; found "
            f"them {seen}; leave LOCO out (--no-loco, or loco=False in Python), or add the other "
            "chromosomes to the genotypes"
        )


def leave_one_out(
    source: GenotypeSource,
    variants: IndexArray,
    scaling: Scaling,
    samples: IndexArray,
    total: RelationshipSum,
    *,
    tested: Mapping[str, IndexArray] | None = None,
    progress: Progress | None = None,
) -> Iterator[LeftOut]:
    """K without each chromosome in turn, in the order in which the chromosomes first appear.

    Spellings of one chromosome, such as 1 and chr1, are left out together.
    ``total`` is the sum over all ``variants``; it is not changed.  ``tested`` are the variants to
    be tested by chromosome, of this source or another one; those in K unless given.  Chromosomes
    tested and in K are disjoint by construction: what a chromosome adds is what is taken away.

    Cost: n^2 m operations over all chromosomes unless ``total`` has its parts; one (n, n) array at
    a time.
    """
    related = chromosome_groups(variants, source.variants.chromosome)
    number_of = {chromosome_key(name): number for number, name in enumerate(related)}
    groups = list(related.values())
    for name, own in (related if tested is None else tested).items():
        number = number_of.get(chromosome_key(name))
        if number is None:
            rest = RelationshipSum(total.values.copy(order="F"), total.n_variants)
        else:
            if total.parts:
                part = total.parts[number]
            else:
                part = relationship_sum(source, groups[number], scaling, samples, progress=progress)
            n_left = total.n_variants - part.n_variants
            rest = RelationshipSum(total.values - part.values, n_left)
        yield LeftOut(name, own, relationship_matrix(rest, overwrite=True))


def leave_one_given_out(
    sums: ChromosomeSums, tested: Mapping[str, IndexArray]
) -> Iterator[LeftOut]:
    """K without each chromosome of ``tested`` in turn, of matrices given by chromosome.

    Raises
    ------
    VariantError
        If nothing varies once a chromosome is left out.

    Cost: reading each matrix once more; four (n, n) arrays.
    """
    for name, own in tested.items():
        yield LeftOut(name, own, relationship_matrix(sums.without(name), overwrite=True))
