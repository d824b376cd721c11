"""What is allowed in the inputs of a run, and seldom meant: a sentence for each."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from nextlmm.cohort.align import Cohort
from nextlmm.cohort.table import SampleColumns
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.preview import Preview, drawn
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import SampleTable, VariantTable
from nextlmm.output.tabix import is_within_reach
from nextlmm.report.wording import count

_NAMES = 3
_FEW_VALUES = 5
_FAR = 10.0  # robust standard deviations from the median
_SHARED = 0.5  # of the smaller of two lists of samples, below which they are told apart
_MISSING, _MONOMORPHIC, _RARE = 0.05, 0.05, 0.5
_RARE_FREQUENCY = 0.001
_UNKNOWN = frozenset({"0", ".", "UN", "NA", ""})
_CODES = ({1.0, 2.0}, {0.0, 1.0})


def repeated_rows(table: SampleColumns) -> list[str]:
    """A sentence if more than one sample has several rows; of one, whoever looks for it tells."""
    families = table.family_id if table.family_id is not None else [""] * len(table)
    counts = Counter(zip(families, table.sample_id, strict=True))
    names = [sample for (_, sample), rows in counts.items() if rows > 1]
    if len(names) < 2:
        return []
    return [
        f"{table.path} has several rows for {len(names):,} samples ({_some(names)}); expected one "
        "row per sample: delete the others"
    ]


def odd_samples(samples: SampleTable) -> list[str]:
    """Samples of the genotypes that cannot be told apart."""
    counts = Counter(zip(samples.family_id, samples.sample_id, strict=True))
    names = [sample for (_, sample), rows in counts.items() if rows > 1]
    if not names:
        return []
    return [
        f"{samples.origin} has {len(names):,} samples twice or more ({_some(names)}); none of them "
        "can be analysed before all but one are renamed or removed"
    ]


def odd_sharing(samples: SampleTable, table: SampleColumns) -> list[str]:
    """A table that has few of the samples of the genotypes, and many others."""
    ours, theirs = set(samples.sample_id), set(table.sample_id)
    both = len(ours & theirs)
    if not both or both >= _SHARED * min(len(ours), len(theirs)):
        return []
    only = [name for name in table.sample_id if name not in ours]
    return [
        f"only {both:,} of the {len(theirs):,} samples of {table.path} are among the "
        f"{len(ours):,} of {samples.origin} (not {_some(only)}); check that both name samples in "
        "the same way"
    ]


def odd_trait(cohort: Cohort) -> list[str]:
    """A trait that looks like codes, or has values far from all others."""
    values, counts = np.unique(cohort.y, return_counts=True)
    name = f"trait '{cohort.trait}'"
    if cohort.is_rank_normal:
        return []
    if len(values) == 2:
        low, high = (f"{value:g}" for value in values)
        coded = set(values.tolist()) in _CODES
        which = "codes of controls and cases" if coded else "codes and not measurements"
        return [
            f"{name} has two values, {low} ({counts[0]:,} samples) and {high} ({counts[1]:,}), "
            f"which look like {which}: a linear model is fitted to the numbers, and an effect is a "
            f"difference of their mean"
        ]
    if len(values) <= _FEW_VALUES:
        return [
            f"{name} has {len(values)} values only ({', '.join(f'{v:g}' for v in values)}), which "
            "look like codes: a linear model is fitted to the numbers"
        ]
    centre = float(np.median(cohort.y))
    spread = float(np.median(np.abs(cohort.y - centre))) / 0.6745
    if spread == 0.0:
        return []
    far = np.abs(cohort.y - centre) > _FAR * spread
    if not far.any():
        return []
    worst = int(np.argmax(np.abs(cohort.y - centre)))
    return [
        f"{name} has {int(far.sum()):,} values more than {_FAR:g} standard deviations from the "
        f"median, {cohort.y[worst]:g} of sample '{cohort.sample_ids[worst]}' the farthest: check "
        "them, or use ranks (--rint)"
    ]


def odd_variants(preview: Preview) -> list[str]:
    """Variants without a place, twice there, out of order, or without information."""
    variants = preview.source.variants
    among = "" if preview.is_whole else f" among the first {len(variants):,}"
    sentences = []
    is_unknown = {name: chromosome_key(name) in _UNKNOWN for name in set(variants.chromosome)}
    lost = np.fromiter(map(is_unknown.__getitem__, variants.chromosome), bool, len(variants))
    lost |= variants.position_bp == 0
    if lost.any():
        sentences.append(
            f"{count(int(lost.sum()), 'variant')}{among} of {preview.source.path} without a known "
            f"chromosome or position ({_some(variants.variant_id[lost])}); those of one chromosome "
            "name are left out together (LOCO)"
        )
    sentences += _repeated(preview, among)
    if preview.is_whole and not is_within_reach(variants.position_bp):
        sentences.append(
            f"some variants of {preview.source.path} are beyond what an index reaches: the table "
            "of results gets none (.tbi)"
        )
    return [*sentences, *_uninformative(preview)]


def _repeated(preview: Preview, among: str) -> list[str]:
    variants, sentences = preview.source.variants, []
    names = Counter(name for name in variants.variant_id if name not in (".", "0"))
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        sentences.append(
            f"{count(len(twice), 'identifier')}{among} of {preview.source.path} for several "
            f"variants ({_some(twice)}); lists of variants (--extract, --exclude) mean all of them"
        )
    again = _twice_in_a_place(variants)
    if again:
        sentences.append(
            f"{count(len(again), 'variant')}{among} of {preview.source.path} with the place and "
            f"the alleles of another one ({_some(again)}), which count twice in the relationship "
            "matrix"
        )
    return sentences


def _twice_in_a_place(variants: VariantTable) -> list[str]:
    """Places, known ones, with two variants of the same alleles."""
    number = {name: at for at, name in enumerate(dict.fromkeys(variants.chromosome))}
    chromosome = np.fromiter(map(number.__getitem__, variants.chromosome), np.int64, len(variants))
    order = np.lexsort((variants.position_bp, chromosome))
    at, on = variants.position_bp[order], chromosome[order]
    is_next = (at[1:] == at[:-1]) & (on[1:] == on[:-1]) & (at[1:] > 0)
    shared = order[np.append(is_next, False) | np.append(False, is_next)]
    rows = Counter(
        (
            f"{variants.chromosome[i]}:{variants.position_bp[i]}",
            frozenset((variants.effect_allele[i], variants.other_allele[i])),
        )
        for i in shared.tolist()
    )
    return [place for (place, _), times in rows.items() if times > 1]


def _uninformative(preview: Preview) -> list[str]:
    """What a sample of the variants says of missing calls and frequencies."""
    some = drawn(np.arange(len(preview.source.variants)))
    if not len(some):
        return []
    summary = summarise_variants(preview.source, variants=some)
    n = len(preview.source.samples)
    missing = 1.0 - float(summary.n_called.mean()) / n
    constant = 1.0 - float(summary.is_polymorphic.mean())
    frequency = np.minimum(summary.effect_allele_frequency, 1.0 - summary.effect_allele_frequency)
    rare = float(np.mean(frequency < _RARE_FREQUENCY)) - constant
    of = f"of {len(some):,} variants looked at"
    sentences = []
    if constant > _MONOMORPHIC:
        sentences.append(
            f"{constant:.0%} {of} do not vary, and will have no result (--maf leaves them out)"
        )
    if missing > _MISSING:
        sentences.append(
            f"{missing:.0%} of the genotypes {of} are missing, and count as the mean of their "
            "variant (--max-missing leaves out variants)"
        )
    if rare > _RARE:
        sentences.append(
            f"{rare:.0%} {of} have an allele frequency below {_RARE_FREQUENCY:g}: p-values of so "
            "rare ones lean on few samples (--mac, --maf)"
        )
    return sentences


def _some(names: Sequence[str] | Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _NAMES
    return ", ".join(listed[:_NAMES]) + (f" and {more:,} more" if more > 0 else "")
