"""How many variants a run would use, counted or estimated from a sample of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nextlmm.genotype.equilibrium import equilibrium_log_p
from nextlmm.genotype.filters import VariantFilter, select_variants
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.preview import Preview, drawn
from nextlmm.genotype.source import CountingSource
from nextlmm.genotype.summary import VariantSummary, summarise_variants
from nextlmm.genotype.tables import IndexArray
from nextlmm.run.related import select

_COUNTED, _DECODED = 4e9, 2e8
"""Genotypes of a file up to which all are looked at: of one that can be counted, and of others."""

_MOST_TESTED = 20_000  # for Hardy-Weinberg equilibrium, one after the other


@dataclass(frozen=True, eq=False)
class VariantCount:
    """Variants that a filter leaves.

    Attributes
    ----------
    selected : how many.
    varying : those of them that vary among the samples.
    chromosomes : that the varying ones lie on, in their order; None where not all were read.
    excluded : how many are left out, by reason.
    looked_at : variants that this is estimated from; None if it was counted.
    missing : share of the genotypes of the selected variants without a call.
    """

    selected: int
    varying: int
    chromosomes: tuple[str, ...] | None
    excluded: Mapping[str, int]
    looked_at: int | None
    missing: float


def count_variants(
    preview: Preview, samples: IndexArray, variant_filter: VariantFilter
) -> VariantCount:
    """Count the variants that pass a filter over some samples.

    Lists and chromosomes are looked up for every variant that has been read; frequencies and
    missing calls for all variants where that is quick, and for a sample of 2,048 where it is not.

    Raises
    ------
    VariantError
        If none passes.

    Cost: a pass over at most 4 G genotypes.
    """
    source, variants = preview.source, preview.source.variants
    m, n = len(variants), len(samples)
    most = _COUNTED if isinstance(source, CountingSource) else _DECODED
    is_quick = len(source.samples) * m <= most and (variant_filter.hwe == 0.0 or m <= _MOST_TESTED)
    if preview.is_whole and is_quick:
        summary = summarise_variants(source, samples)
        selection = select(source, samples, summary, variant_filter)
        return _count(preview, selection.index, summary, dict(selection.excluded), None, n)
    listed = replace(variant_filter, maf=0.0, mac=0.0, max_missing=1.0, hwe=0.0)
    among = select_variants(variants, _unknown(m), n, listed)
    some = drawn(among.index)
    seen = _Part(preview, some, summarise_variants(source, samples, variants=some), samples)
    return seen.count(variant_filter, among.index, dict(among.excluded))


@dataclass(frozen=True, eq=False)
class _Part:
    """Some variants of a source, by their positions, and what they look like."""

    preview: Preview
    index: IndexArray
    summary: VariantSummary
    samples: IndexArray

    def count(
        self, variant_filter: VariantFilter, among: IndexArray, excluded: dict[str, int]
    ) -> VariantCount:
        """What these variants say of all of ``among`` that they were drawn from."""
        source = self.preview.source
        passed = select_variants(
            source.variants.take(self.index),
            self.summary,
            len(self.samples),
            variant_filter,
            equilibrium=lambda at: equilibrium_log_p(source, self.index[at], self.samples),
        )
        read = self.preview.n_variants / len(source.variants)
        share = read * len(among) / len(self.index)
        every = {reason: round(count * read) for reason, count in excluded.items()}
        every |= {reason: round(count * share) for reason, count in passed.excluded.items()}
        table = source.variants.chromosome
        groups = chromosome_groups(among, table) if self.preview.is_whole else None
        here = _count(
            self.preview,
            self.index[passed.index],
            _taken(self.summary, passed.index),
            every,
            len(self.index),
            len(self.samples),
        )
        return replace(
            here,
            selected=round(here.selected * share),
            varying=round(here.varying * share),
            chromosomes=None if groups is None else tuple(groups),
        )


def _count(
    preview: Preview,
    index: IndexArray,
    summary: VariantSummary,
    excluded: dict[str, int],
    looked_at: int | None,
    n: int,
) -> VariantCount:
    """What is said of the selected variants ``index``; ``summary`` is of all, or of them alone."""
    own = summary if len(summary) == len(index) else _taken(summary, index)
    varying = index[own.is_polymorphic]
    groups = chromosome_groups(varying, preview.source.variants.chromosome)
    missing = 1.0 - float(own.n_called.mean()) / max(n, 1) if len(index) else 0.0
    return VariantCount(len(index), len(varying), tuple(groups), excluded, looked_at, missing)


def _taken(summary: VariantSummary, index: IndexArray) -> VariantSummary:
    return VariantSummary(
        summary.n_called[index], summary.effect_allele_frequency[index], summary.variance[index]
    )


def _unknown(m: int) -> VariantSummary:
    """Of variants whose genotypes no limit asks for."""
    return VariantSummary(np.zeros(m, np.int64), np.full(m, np.nan), np.full(m, np.nan))
