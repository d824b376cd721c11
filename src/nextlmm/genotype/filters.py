"""Which variants to use, and why the others are not."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError, UsageError, VariantError
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.summary import VariantSummary
from nextlmm.genotype.tables import IndexArray, VariantTable
from nextlmm.genotype.textfile import read_lines

_LARGEST_MAF = 0.5

Equilibrium = Callable[[IndexArray], NDArray[np.float64]]


@dataclass(frozen=True)
class VariantFilter:
    """What a variant must satisfy.

    Attributes
    ----------
    maf : smallest accepted frequency of the rarer allele among called genotypes, 0 to 0.5.
    mac : fewest accepted copies of the rarer allele.
    max_missing : largest accepted fraction of samples without a genotype, 0 to 1.
    hwe : smallest accepted p-value of Hardy-Weinberg equilibrium, 0 to 1.
    chromosomes : keys of the only chromosomes to use, as `chromosome_key` makes them; None for all.
    extract : IDs of the only variants to use; None for all.
    exclude : IDs of variants not to use.
    purpose : what the variants are for, in messages; empty where it needs no saying.

    Raises
    ------
    UsageError
        If a threshold is outside its range.
    """

    maf: float = 0.0
    mac: float = 0.0
    max_missing: float = 1.0
    hwe: float = 0.0
    chromosomes: frozenset[str] | None = None
    extract: frozenset[str] | None = None
    exclude: frozenset[str] | None = None
    purpose: str = ""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("smallest minor allele frequency (maf)", self.maf, _LARGEST_MAF),
            ("smallest minor allele count (mac)", self.mac, np.inf),
            ("largest missing rate (max_missing)", self.max_missing, 1.0),
            ("smallest p-value of Hardy-Weinberg equilibrium (hwe)", self.hwe, 1.0),
        ):
            if not 0.0 <= value <= most:
                raise UsageError(f"the {name} is {value:g}; give a number from 0 to {most:g}")


@dataclass(frozen=True, eq=False)
class VariantSelection:
    """The variants that passed a filter.

    Attributes
    ----------
    index : positions of the variants that passed, ascending.
    excluded : how many did not, by reason; each variant is counted under the first that applies.
    """

    index: IndexArray
    excluded: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        reasons = "".join(f"; {reason}: {count:,}" for reason, count in self.excluded.items())
        return f"<{len(self):,} variants selected{reasons}>"


def select_variants(
    variants: VariantTable,
    summary: VariantSummary,
    n_samples: int,
    variant_filter: VariantFilter,
    *,
    equilibrium: Equilibrium | None = None,
) -> VariantSelection:
    """Apply a filter to the variants of a table.

    ``equilibrium`` gives -log10 p of Hardy-Weinberg equilibrium of some variants by their
    positions; it is asked for those that pass everything else, if there is such a limit.

    A variant at a negative position is left out, as PLINK does, whose users mark variants so.
    Frequency and missing rate are those of ``summary``, so of the samples it was made from.  A
    variant exactly at a threshold passes.  Variants without any called genotype, or with only one
    genotype, pass unless a threshold excludes them (the former have no frequency to be too low).

    Raises
    ------
    VariantError
        If no variant is left; the sentence counts the reasons.
    """
    reasons = _reasons(variants, summary, n_samples, variant_filter)
    passed = np.ones(len(variants), dtype=bool)
    excluded = {}
    for reason, fails in reasons.items():
        count = int(np.count_nonzero(passed & fails))
        if count:
            excluded[reason] = count
        passed &= ~fails
    if variant_filter.hwe > 0 and equilibrium is not None:
        left = np.flatnonzero(passed)
        fails = equilibrium(left) > -np.log10(variant_filter.hwe)
        if fails.any():
            excluded[f"Hardy-Weinberg p below {variant_filter.hwe:g}"] = int(fails.sum())
        passed[left[fails]] = False
    if not passed.any():
        raise VariantError(_nothing_left(variants, variant_filter, excluded))
    return VariantSelection(np.flatnonzero(passed), excluded)


def _reasons(
    variants: VariantTable,
    summary: VariantSummary,
    n_samples: int,
    variant_filter: VariantFilter,
) -> dict[str, NDArray[np.bool_]]:
    """Which variants fail, (m,), for each limit there is."""
    maf, frequency = variant_filter.maf, summary.effect_allele_frequency
    reasons = {"at a negative position": variants.position_bp < 0}
    if variant_filter.chromosomes is not None:
        wanted = variant_filter.chromosomes
        is_wanted = {name: chromosome_key(name) in wanted for name in set(variants.chromosome)}
        reasons["on another chromosome"] = np.array(
            [not is_wanted[name] for name in variants.chromosome], dtype=bool
        )
    if variant_filter.extract is not None:
        reasons["not in the extract list"] = ~_is_listed(variants, variant_filter.extract)
    if variant_filter.exclude is not None:
        reasons["in the exclude list"] = _is_listed(variants, variant_filter.exclude)
    if maf > 0:
        reasons[f"minor allele frequency below {maf:g}"] = (frequency < maf) | (frequency > 1 - maf)
    if variant_filter.mac > 0:
        copies = 2.0 * summary.n_called * np.minimum(frequency, 1.0 - frequency)
        fewest = variant_filter.mac * (1.0 - 1e-12)  # a count exactly at the threshold passes
        reasons[f"minor allele count below {variant_filter.mac:g}"] = copies < fewest
    if variant_filter.max_missing < 1:
        # Compared as counts, so that a rate exactly at the threshold passes in spite of rounding.
        most = np.floor(variant_filter.max_missing * n_samples * (1 + 1e-12))
        reasons[f"missing rate above {variant_filter.max_missing:g}"] = (
            n_samples - summary.n_called > most
        )
    return reasons


def _is_listed(variants: VariantTable, ids: frozenset[str]) -> NDArray[np.bool_]:
    return np.fromiter((v in ids for v in variants.variant_id), dtype=bool, count=len(variants))


def _nothing_left(
    variants: VariantTable, variant_filter: VariantFilter, excluded: Mapping[str, int]
) -> str:
    if not len(variants):
        return (
            "the genotypes hold no variant; expected at least one: check that the right file or "
            "array is given"
        )
    counts = ", ".join(f"{reason}: {count:,}" for reason, count in excluded.items())
    purpose = f" of {variant_filter.purpose}" if variant_filter.purpose else ""
    sentence = f"none of the {len(variants):,} variants passes the filters{purpose} ({counts}); "
    listed = variant_filter.extract
    if listed is not None and excluded.get("not in the extract list") == len(variants):
        examples = ", ".join(f"'{variant_id}'" for variant_id in sorted(listed)[:3])
        present = ", ".join(f"'{variant_id}'" for variant_id in variants.variant_id[:3])
        return (
            f"{sentence}the extract list has {examples or 'no ID'} and the genotypes have "
            f"{present}: give IDs as in column 2 of the .bim file"
        )
    return (
        f"{sentence}relax the limits on allele frequency and missing rate (--maf, --mac, "
        "--max-missing, --hwe), or change the lists (--chr, --extract, --exclude)"
    )


def read_id_list(path: str | os.PathLike[str]) -> frozenset[str]:
    """Variant IDs from the first column of a text file, one a line; blank lines are skipped.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read or lists nothing.
    """
    ids = frozenset(fields[0] for line in read_lines(path) if (fields := line.split()))
    if not ids:
        raise FormatError(
            f"{os.fspath(path)} lists no variants; expected one variant ID per line: check that "
            "the right file is named"
        )
    return ids
