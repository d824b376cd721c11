"""The genotypes that the relationship matrix is made of: those that are tested, or others."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nextlmm.cluster.active import active_cluster
from nextlmm.cohort.align import Cohort
from nextlmm.cohort.match import match_rows
from nextlmm.cohort.table import SampleColumns
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.equilibrium import equilibrium_log_p
from nextlmm.genotype.filters import VariantFilter, VariantSelection, select_variants
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.summary import VariantSummary, summarise_variants
from nextlmm.genotype.tables import IndexArray, SampleTable, StringArray
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.grm import (
    RelationshipSum,
    Scaling,
    Weighting,
    relationship_sum,
    samples_without_calls,
    variant_scaling,
)
from nextlmm.relatedness.loco import LeftOut, leave_one_out
from nextlmm.relatedness.operator import RelationshipOperator, relationship_operator
from nextlmm.relatedness.prune import prune
from nextlmm.relatedness.prune_rule import Pruning
from nextlmm.relatedness.shared_out import shared_out
from nextlmm.work import count

_MOST_NAMES = 3


@dataclass(frozen=True, eq=False)
class Related:
    """The analysed samples and some variants of a source, as the relationship matrix takes them.

    Attributes
    ----------
    source : the genotypes.
    samples : (n,) positions of the analysed samples in the source, in the order of every array.
    variants : positions of the variants in the matrix, ascending; those that do not vary add
        nothing.
    summary : all variants of the source over the analysed samples.
    scaling : how the dosages of all variants of the source enter the matrix.
    is_separate : whether the source is another one than that of the tested variants.
    excluded : variants of the source that did not pass the filter, by reason.
    pruned : how the variants were thinned and how many there were before; None if they were not.
    """

    source: GenotypeSource
    samples: IndexArray
    variants: IndexArray
    summary: VariantSummary
    scaling: Scaling
    is_separate: bool = False
    excluded: Mapping[str, int] = field(default_factory=dict)
    pruned: tuple[Pruning, int] | None = None

    def __repr__(self) -> str:
        return f"<relationships by {self.n_varying:,} variants of {self.source.path}>"

    @property
    def varying(self) -> IndexArray:
        """Positions of the variants that vary, and so enter the matrix."""
        return self.variants[self.scaling.scale[self.variants] > 0.0]

    @property
    def n_varying(self) -> int:
        """Number of variants that vary."""
        return len(self.varying)

    @property
    def by_chromosome(self) -> dict[str, IndexArray]:
        """The varying variants of each chromosome, by what its spellings have in common."""
        groups = chromosome_groups(self.varying, self.source.variants.chromosome)
        return {chromosome_key(name): variants for name, variants in groups.items()}

    def describe(self) -> dict[str, Any]:
        """Which variants the matrix is made of, as JSON values."""
        pruned = None
        if self.pruned is not None:
            pruning, before = self.pruned
            pruned = {"rule": str(pruning), "kept": len(self.variants), "of": before}
        return {
            "genotypes": self.source.path,
            "in_genotypes": len(self.source.variants),
            "excluded": dict(self.excluded),
            "selected": len(self.variants),
            "pruned": pruned,
            "varying": self.n_varying,
        }

    def reordered(self, permutation: IndexArray) -> "Related":
        """The same with its samples in another order."""
        return replace(self, samples=self.samples[permutation])

    def total(self, progress: Progress | None, held_bytes: float) -> RelationshipSum:
        """The sum over all variants; see `nextlmm.relatedness.grm.relationship_sum`."""
        listener = progress or Silent()
        listener.start("Relating the samples", len(self.variants))
        total = relationship_sum(
            self.source,
            self.variants,
            self.scaling,
            self.samples,
            held_bytes=held_bytes,
            progress=listener,
        )
        listener.finish()
        return total

    def leave_one_out(
        self,
        total: RelationshipSum,
        tested: Mapping[str, IndexArray],
        progress: Progress | None = None,
    ) -> Iterator[LeftOut]:
        """K without each chromosome of ``tested`` in turn; see `nextlmm.relatedness.loco`."""
        return leave_one_out(
            self.source,
            self.variants,
            self.scaling,
            self.samples,
            total,
            tested=tested,
            progress=progress,
        )

    def operator(self, held_bytes: int, progress: Progress | None) -> RelationshipOperator:
        """K as products; see `nextlmm.relatedness.operator.relationship_operator`.

        Where there is a cluster its workers hold the genotypes, and nothing is held here.
        """
        cluster = active_cluster()
        operator = relationship_operator(
            self.source,
            self.variants,
            self.scaling,
            self.samples,
            self.summary,
            held_bytes=held_bytes if cluster is None else 0,
            progress=progress,
        )
        return operator if cluster is None else shared_out(operator, cluster)

    def warnings(self, tested: StringArray, *, loco: bool) -> tuple[str, ...]:
        """What a user should know: samples without genotypes, chromosomes that are not in K.

        ``tested`` are the chromosomes of the variants to test.
        """
        uncalled = samples_without_calls(self.source, self.variants, self.scaling, self.samples)
        sentences = _uncalled_warning(self.source.samples, uncalled, len(self.samples))
        if loco and self.is_separate:
            sentences += absent_warning(tested, self.by_chromosome)
        return sentences


@dataclass(frozen=True, eq=False)
class RelatedChoice:
    """Which genotypes are to make the relationship matrix.

    Attributes
    ----------
    source : genotypes apart from those tested; None for the same.
    variant_filter : what their variants must satisfy; None for the variants that are tested, of
        which there are none in another source.
    pruning : how the variants are thinned over the kept samples; None if they are not.
    """

    source: GenotypeSource | None = None
    variant_filter: VariantFilter | None = None
    pruning: Pruning | None = None

    @property
    def samples(self) -> SampleColumns | None:
        """The samples of genotypes apart from those tested, None without them."""
        return None if self.source is None else as_columns(self.source.samples)

    def relate(
        self,
        source: GenotypeSource,
        cohort: Cohort,
        selection: VariantSelection,
        summary: VariantSummary,
        weighting: Weighting,
        *,
        progress: Progress | None = None,
    ) -> Related:
        """The genotypes of the matrix for the samples of a cohort.

        Parameters
        ----------
        source : the genotypes that are tested.
        cohort : the samples; those of other genotypes are found by their IDs.
        selection : the variants that are tested.
        summary : all variants of ``source`` over the analysed samples.
        weighting : weight of a variant.

        Raises
        ------
        VariantError
            If no variant passes the filter.
        AlignmentError
            If the IDs of the samples are ambiguous.

        Cost: a pass over other genotypes, one over the kept samples if they are more than the
        analysed ones, and what `nextlmm.relatedness.prune.prune` costs.
        """
        related = self.source or source
        analysed, kept = cohort.analysed, cohort.kept
        if self.source is not None:
            analysed, kept = self.rows(source, cohort)
            summary = summarise_variants(related, analysed, progress=progress)
            count(genotypes=len(analysed) * len(related.variants))
        if self.variant_filter is not None:
            selection = select(related, analysed, summary, self.variant_filter)
        everyone = len(kept) == len(analysed)
        reference = summary if everyone else summarise_variants(related, kept)
        index = selection.index
        if self.pruning is not None:
            index = prune(related, index, kept, reference, self.pruning, progress=progress)
        return Related(
            source=related,
            samples=analysed,
            variants=index,
            summary=summary,
            scaling=variant_scaling(reference, weighting),
            is_separate=self.source is not None,
            excluded=selection.excluded,
            pruned=None if self.pruning is None else (self.pruning, len(selection)),
        )

    def rows(self, source: GenotypeSource, cohort: Cohort) -> tuple[IndexArray, IndexArray]:
        """Where the analysed and the kept samples are in the genotypes of the matrix."""
        if self.samples is None:
            return cohort.analysed, cohort.kept
        is_kept = np.zeros(len(source.samples), dtype=bool)
        is_kept[cohort.kept] = True
        row = match_rows(source.samples, self.samples, is_kept).row
        return row[cohort.analysed], row[cohort.kept]


def select(
    source: GenotypeSource,
    samples: IndexArray,
    summary: VariantSummary,
    variant_filter: VariantFilter,
) -> VariantSelection:
    """The variants that pass a filter over some samples, over which ``summary`` is too."""
    return select_variants(
        source.variants,
        summary,
        len(samples),
        variant_filter,
        equilibrium=lambda variants: equilibrium_log_p(source, variants, samples),
    )


def as_columns(samples: SampleTable) -> SampleColumns:
    """The samples of genotypes as a list that others are matched with."""
    is_known = bool((samples.family_id != "0").any())
    return SampleColumns(
        path=samples.origin,
        family_id=samples.family_id if is_known else None,
        sample_id=samples.sample_id,
        columns={},
        line=np.arange(1, len(samples) + 1),
    )


def absent_warning(tested: StringArray, known: Collection[str]) -> tuple[str, ...]:
    """A sentence if chromosomes of tested variants are not among those that can be left out."""
    absent = [name for name in dict.fromkeys(tested) if chromosome_key(name) not in known]
    if not absent:
        return ()
    one = len(absent) == 1
    return (
        f"no variant of the relationship matrix is on chromosome{'' if one else 's'} "
        f"{_some(absent)} of the tested variants, so that none is left out for "
        f"{'it' if one else 'them'} (the matrix has {_some(list(known))}): check that both files "
        "name chromosomes in the same way",
    )


def _uncalled_warning(samples: SampleTable, uncalled: IndexArray, n: int) -> tuple[str, ...]:
    if not len(uncalled):
        return ()
    names = _some([f"'{name}'" for name in samples.sample_id[uncalled]])
    return (
        f"{len(uncalled):,} of the {n:,} analysed samples without a genotype at any variant that "
        f"varies ({names}): each is taken to be unrelated to all others and to have the mean "
        "genotype everywhere; leave them out (--remove)",
    )


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")
