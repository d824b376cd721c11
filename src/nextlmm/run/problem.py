"""What is to be solved: samples, trait, covariates, variants, and how they are related."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nextlmm.cohort.align import Cohort
from nextlmm.genotype.filters import VariantSelection
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.summary import VariantSummary, summarise_variants
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.grm import (
    RelationshipSum,
    Scaling,
    Weighting,
    relationship_matrix,
    relationship_sum,
    samples_without_calls,
    variant_scaling,
)
from nextlmm.relatedness.loco import LeftOut, check_loco, leave_one_out

_MOST_NAMES = 3


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
    summary : all variants of the source over the analysed samples.
    scaling : how dosages enter the relationship matrix.
    total : the sum over all variants in the relationship matrix, or a given matrix.
    warnings : sentences about the genotypes of the samples.
    """

    source: GenotypeSource
    samples: IndexArray
    y: FloatArray
    covariates: FloatArray
    variants: IndexArray
    summary: VariantSummary
    scaling: Scaling
    total: RelationshipSum
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Problem({self.n} samples, {self.covariates.shape[1]} fixed effects, "
            f"{len(self.variants)} variants to test)"
        )

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.y)

    def reordered(self, permutation: IndexArray) -> "Problem":
        """The same problem with its samples in another order; no result depends on it."""
        values = np.asfortranarray(self.total.values[np.ix_(permutation, permutation)])
        return replace(
            self,
            samples=self.samples[permutation],
            y=self.y[permutation],
            covariates=self.covariates[permutation],
            total=replace(self.total, values=values),
        )

    def whole(self) -> FloatArray:
        """K from all variants, a new (n, n) array."""
        return relationship_matrix(self.total)

    def leave_one_out(self, progress: Progress | None = None) -> Iterator[LeftOut]:
        """K without each chromosome in turn, and the variants on it."""
        return leave_one_out(
            self.source, self.variants, self.scaling, self.samples, self.total, progress=progress
        )


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
    progress: Progress | None = None,
) -> Problem:
    """Relate the analysed samples of a cohort by the selected variants.

    Means and scales of the variants in the relationship matrix are those over all kept samples,
    so that the matrix of two traits differs in its samples only; it is centred over the analysed
    samples when it is used.

    Raises
    ------
    VariantError
        If LOCO is wanted and all variants that vary lie on one chromosome.

    Cost: a pass over the genotypes of the kept samples if they are more than the analysed ones, and
    n^2 m operations.
    """
    listener = progress or Silent()
    everyone = len(cohort.kept) == len(cohort)
    reference = summary if everyone else summarise_variants(source, cohort.kept)
    scaling = variant_scaling(reference, relating.weighting)
    if relating.loco:
        check_loco(source, selection.index, scaling)
    listener.start("Relating the samples", len(selection.index))
    total = relationship_sum(source, selection.index, scaling, cohort.analysed, progress=listener)
    listener.finish()
    uncalled = samples_without_calls(source, selection.index, scaling, cohort.analysed, total)
    return Problem(
        source=source,
        samples=cohort.analysed,
        y=cohort.y,
        covariates=cohort.covariates,
        variants=selection.index,
        summary=summary,
        scaling=scaling,
        total=total,
        warnings=_uncalled_warning(source, uncalled, len(cohort)),
    )


def _uncalled_warning(source: GenotypeSource, uncalled: IndexArray, n: int) -> tuple[str, ...]:
    if not len(uncalled):
        return ()
    names = [f"'{name}'" for name in source.samples.sample_id[uncalled[:_MOST_NAMES]]]
    more = len(uncalled) - len(names)
    listed = ", ".join(names) + (f" and {more:,} more" if more else "")
    return (
        f"{len(uncalled):,} of the {n:,} analysed samples without a genotype at any variant that "
        f"varies ({listed}): each is taken to be unrelated to all others and to have the mean "
        "genotype everywhere; leave them out (--remove)",
    )
