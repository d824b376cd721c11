"""The samples and variants of a relationship matrix that no trait is analysed with."""

import os
from pathlib import Path

import numpy as np

from nextlmm.cohort.align import LeftOut, apply_lists
from nextlmm.cohort.table import read_sample_list
from nextlmm.errors import UsageError, VariantError
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.summary import summarise_variants
from nextlmm.progress import Progress
from nextlmm.relatedness.grm import variant_scaling
from nextlmm.relatedness.prune import prune
from nextlmm.relatedness.prune_rule import parse_pruning
from nextlmm.run.genotype_options import RelatedOptions
from nextlmm.run.inputs import tested_filter
from nextlmm.run.related import Related, select

_LISTS = ("keep", "remove", "extract", "exclude")


def choose_related(
    source: GenotypeSource, options: RelatedOptions, listener: Progress
) -> tuple[Related, dict[str, int]]:
    """The samples and variants that options choose, and why other samples are not among them.

    Raises
    ------
    AlignmentError
        If a list leaves no sample.
    VariantError
        If no variant is left that varies.

    Cost: a pass over the genotypes, and what pruning costs.
    """
    keep = read_sample_list(options.keep) if options.keep else None
    remove = read_sample_list(options.remove) if options.remove else None
    left_out = LeftOut(source.samples.sample_id)
    is_kept = apply_lists(source.samples, left_out, keep, remove, None)
    samples = np.flatnonzero(is_kept)
    summary = summarise_variants(source, samples, progress=listener)
    selection = select(source, samples, summary, tested_filter(options.as_gwas))
    variants, pruned = selection.index, None
    if options.grm_prune is not None:
        pruned = parse_pruning(options.grm_prune), len(selection)
        variants = prune(source, variants, samples, summary, pruned[0], progress=listener)
    scaling = variant_scaling(summary, options.grm_weighting)
    related = Related(
        source=source,
        samples=samples,
        variants=variants,
        summary=summary,
        scaling=scaling,
        excluded=selection.excluded,
        pruned=pruned,
    )
    if not related.n_varying:
        raise VariantError(
            f"none of the {len(variants):,} variants varies among the {len(samples):,} samples; "
            "expected at least one that does: relax the filters, or keep more samples"
        )
    return related, left_out.counts


def input_paths(source: GenotypeSource, options: RelatedOptions) -> dict[str, str]:
    """Every input file by role."""
    lists = {name: getattr(options, name) for name in _LISTS if getattr(options, name)}
    return {**source.files, **lists}


def output_paths(out: str, ends: tuple[str, ...]) -> tuple[Path, ...]:
    """The files of a prefix.

    Raises
    ------
    UsageError
        If the prefix is a folder.
    """
    if os.path.isdir(out):
        raise UsageError(
            f"Option out is {out!r}, which is a folder; give a prefix for the files in it, such as "
            f"{os.path.join(out, 'cohort')}."
        )
    return tuple(Path(out + end) for end in ends)
