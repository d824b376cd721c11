"""What is to be solved: samples, trait, covariates, variants, and how they are related."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nextlmm.assoc.scan import NEARLY_COLLINEAR, variant_status
from nextlmm.cohort.align import Cohort
from nextlmm.cohort.pedigree import Parents, Pedigree
from nextlmm.cohort.relatives import KinshipList, RelatedPairs, SampleOrder, order_of
from nextlmm.cohort.table import SampleColumns
from nextlmm.genotype.filters import VariantSelection
from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.standardize import impute_mean
from nextlmm.genotype.summary import VariantSummary
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.progress import Progress
from nextlmm.relatedness.grm import RelationshipSum, Weighting, relationship_matrix
from nextlmm.relatedness.grm_set import ChromosomeSums
from nextlmm.relatedness.loco import LeftOut, check_loco, leave_one_given_out
from nextlmm.relatedness.operator import HELD_BYTES, RelationshipOperator
from nextlmm.run.kept import Kept
from nextlmm.run.related import Related, RelatedChoice, absent_warning
from nextlmm.run.shared import Shared
from nextlmm.run.variant_tile import DosageVariants, VariantTile, packed_variants
from nextlmm.work import count

Kin = SampleOrder | Parents | RelatedPairs
"""An order of the analysed samples, their parents, or pairs of relatives among them."""

_BLOCK_ELEMENTS = 1 << 20
_TILE, _SHARED = 1024, 4
_SMALLEST_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Problem:
    """One trait on one set of samples and variants.

    Attributes
    ----------
    source : the genotypes.
    samples : (n,) positions of the analysed samples in the source, in the order of every array.
    y : (n,) trait.
    covariates : (n, c) with the intercept.
    variants : (m,) positions of the variants to test, ascending.
    related : the genotypes that the relationship matrix is made of.
    summary : all variants of the source over the analysed samples.
    given : (n, n) a relationship matrix made elsewhere, None if it is to be made of the genotypes.
    given_sums : what it is the sum of, if it was given by chromosome.
    kin : what the user says of who is related, None if nothing.
    warnings : sentences about the genotypes of the samples.
    shared : what does not depend on the trait, for all problems that differ in nothing else.
    traits : (n, t) all traits that are to be analysed with these samples, ``y`` among them; None if
        there is but one.
    kept : makes what takes long, or brings it back from a checkpoint.
    """

    source: GenotypeSource
    samples: IndexArray
    y: FloatArray
    covariates: FloatArray
    variants: IndexArray
    related: Related
    summary: VariantSummary
    given: FloatArray | None = None
    given_sums: ChromosomeSums | None = None
    kin: Kin | None = None
    warnings: tuple[str, ...] = ()
    shared: Shared = field(default_factory=Shared)
    traits: FloatArray | None = None
    kept: Kept = field(default_factory=Kept)

    def __repr__(self) -> str:
        return (
            f"Problem({self.n} samples, {self.covariates.shape[1]} fixed effects, "
            f"{len(self.variants)} variants to test)"
        )

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.y)

    @property
    def n_related(self) -> int:
        """Number of variants that vary and so enter the relationship matrix."""
        return self.related.n_varying

    @property
    def given_chromosomes(self) -> tuple[str, ...]:
        """The chromosomes that the relationship matrix was given by, none if it was not."""
        return () if self.given_sums is None else self.given_sums.chromosomes

    def before_traits(self, cohorts: Sequence[Cohort]) -> "Problem":
        """The same problem, knowing all traits that will follow by `for_trait`."""
        if len(cohorts) == 1:
            return self
        return replace(self, traits=np.column_stack([cohort.y for cohort in cohorts]))

    def for_trait(self, cohort: Cohort) -> "Problem":
        """The same problem with another trait of the same samples."""
        kept = self.kept.under(cohort.trait)
        return replace(self, y=cohort.y, covariates=cohort.covariates, kept=kept)

    def keeping(self, kept: Kept) -> "Problem":
        """The same problem with what makes its values."""
        return replace(self, kept=kept.of_variants(self.variants))

    def reordered(self, permutation: IndexArray) -> "Problem":
        """The same problem with its samples in another order; no result depends on it."""
        given, sums = self.given, self.given_sums
        return replace(
            self,
            samples=self.samples[permutation],
            related=self.related.reordered(permutation),
            y=self.y[permutation],
            covariates=self.covariates[permutation],
            given=None if given is None else given[np.ix_(permutation, permutation)],
            given_sums=None if sums is None else sums.reordered(permutation),
            kin=None,  # which speaks of the order before
            shared=Shared(),
            traits=None if self.traits is None else self.traits[permutation],
        )

    def dosage_blocks(self, variants: IndexArray) -> Iterator[tuple[IndexArray, FloatArray]]:
        """Mean-imputed dosages (n, b), in blocks that take the same memory for every n."""
        for block in self.wide_blocks(variants):
            yield block, self.dosages(block)

    def wide_blocks(self, variants: IndexArray) -> Iterator[IndexArray]:
        """Positions of variants, as many at a time as take the same memory for every n."""
        size = max(_SMALLEST_BLOCK, _BLOCK_ELEMENTS // self.n)
        yield from (variants[at : at + size] for at in range(0, len(variants), size))

    def dosages(self, variants: IndexArray) -> FloatArray:
        """Dosages (n, b) of some variants, missing ones at the variant's mean."""
        dosage = self.source.dosages(variants, self.samples)
        count(genotypes=dosage.size)
        return impute_mean(dosage, self.summary.mean[variants])

    def blocks(self, variants: IndexArray) -> Iterator[IndexArray]:
        """Positions of variants, as many at a time as `tile` takes with profit.

        Their number is a multiple of four where there are many, so that all cores find work.
        """
        count = -(-len(variants) // _TILE)
        if count > 1:
            count = -(-count // _SHARED) * _SHARED
        yield from (part for part in np.array_split(variants, max(count, 1)) if len(part))

    def tile(self, variants: IndexArray) -> VariantTile:
        """Some variants for products, packed if they are so in the source."""
        mean = np.nan_to_num(self.summary.mean[variants])
        if not isinstance(self.source, PackedSource):
            return DosageVariants(np.nan_to_num(self.source.dosages(variants, self.samples) - mean))
        rows = self.source.genotypes.packed[variants]
        n = len(self.source.samples)
        samples = None if np.array_equal(self.samples, np.arange(n)) else self.samples
        return packed_variants(rows, n, samples, mean, np.nan_to_num(self.variation(variants)))

    def variation(self, variants: IndexArray) -> FloatArray:
        """Sum of squares of variants around their mean, (b,); NaN if no genotype is called."""
        return np.asarray(self.n * self.summary.variance[variants])

    def standing(
        self, variants: IndexArray, on_covariates: FloatArray
    ) -> tuple[np.ndarray, NDArray[np.bool_]]:
        """Status of variants as their counts tell it, and whether covariates nearly explain them.

        ``on_covariates`` (b, c) are the products of the variants with the basis of the covariates.
        """
        variation = self.variation(variants)
        left = variation - np.sum(on_covariates**2, axis=1)
        status = variant_status(self.summary.n_called[variants], variation)
        return status, left < NEARLY_COLLINEAR * variation

    def total(
        self, progress: Progress | None = None, *, held_bytes: float = 0.0
    ) -> RelationshipSum:
        """The sum over all variants in the relationship matrix, or the given matrix.

        The sums of the chromosomes are kept with it if they need no more than ``held_bytes``.
        Cost: n^2 m operations and an (n, n) array.
        """
        if self.given is not None:
            return RelationshipSum(self.given, len(self.related.variants), is_given=True)
        return self.related.total(progress, held_bytes)

    def whole(self, progress: Progress | None = None) -> FloatArray:
        """K from all variants, a new (n, n) array; n^2 m operations."""
        return relationship_matrix(self.total(progress), overwrite=self.given is None)

    def leave_one_out(
        self,
        total: RelationshipSum,
        tested: Mapping[str, IndexArray] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[LeftOut]:
        """K without each chromosome in turn, from ``total``, and the variants to test on it.

        ``tested`` are those of the chromosomes that matter; of all unless given.
        """
        if tested is None:
            tested = chromosome_groups(self.variants, self.source.variants.chromosome)
        if self.given_sums is not None:
            return leave_one_given_out(self.given_sums, tested)
        return self.related.leave_one_out(total, tested, progress)

    def operator(
        self, *, held_bytes: int = HELD_BYTES, progress: Progress | None = None
    ) -> RelationshipOperator:
        """K, and K without each chromosome, as products with the genotypes; nothing is n x n.

        Packed genotypes of at most ``held_bytes`` are kept in memory.
        """
        return self.related.operator(held_bytes, progress)


@dataclass(frozen=True)
class Relating:
    """How the relationship matrix is made: the weight of a variant, and whether LOCO is wanted."""

    weighting: Weighting = "standardized"
    loco: bool = True


def make_problem(
    source: GenotypeSource,
    cohort: Cohort,
    selection: VariantSelection,
    summary: VariantSummary,
    relating: Relating,
    *,
    related: Related | None = None,
    given: FloatArray | ChromosomeSums | None = None,
    kin: SampleColumns | Pedigree | KinshipList | None = None,
) -> Problem:
    """Put together what is to be solved for the analysed samples and the selected variants.

    The relationship matrix is ``given``, (n, n) or by chromosome, or made of the genotypes
    ``related``, of the selected variants if None.

    Means and scales of the variants in the relationship matrix are those over all kept samples,
    so that the matrix of two traits differs in its samples only; it is centred over the analysed
    samples when it is used.

    Raises
    ------
    VariantError
        If LOCO is wanted and all variants that vary lie on one chromosome.

    Cost: a pass over the genotypes of the kept samples if they are more than the analysed ones.
    """
    if related is None:
        related = RelatedChoice().relate(source, cohort, selection, summary, relating.weighting)
    tested = source.variants.chromosome[selection.index]
    sums, given = (given, given.whole) if isinstance(given, ChromosomeSums) else (None, given)
    warnings: tuple[str, ...] = ()
    if given is None:
        if relating.loco:
            check_loco(related.source, related.variants, related.scaling)
        warnings = related.warnings(tested, loco=relating.loco)
    elif sums is not None and relating.loco:
        warnings = absent_warning(tested, sums.chromosomes)
    known = _kin_of(source, cohort, kin)
    return Problem(
        source=source,
        samples=cohort.analysed,
        y=cohort.y,
        covariates=cohort.covariates,
        variants=selection.index,
        related=related,
        summary=summary,
        given=given,
        given_sums=sums,
        kin=known,
        warnings=(*warnings, *_kin_warnings(known)),
    )


def _kin_of(
    source: GenotypeSource, cohort: Cohort, kin: SampleColumns | Pedigree | KinshipList | None
) -> Kin | None:
    """What a file says of the analysed samples."""
    if kin is None:
        return None
    samples = source.samples.take(cohort.analysed)
    if isinstance(kin, Pedigree):
        return kin.parents(samples)
    return kin.pairs(samples) if isinstance(kin, KinshipList) else order_of(samples, kin)


def _kin_warnings(kin: Kin | None) -> tuple[str, ...]:
    return () if kin is None else kin.warnings
