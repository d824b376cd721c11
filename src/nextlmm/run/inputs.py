"""Genotypes and filters of variants as the options name them."""

from dataclasses import replace
from pathlib import Path

from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.filters import VariantFilter, read_id_list
from nextlmm.genotype.source import GenotypeSource, open_genotypes
from nextlmm.genotype.textfile import refuse_pipe
from nextlmm.progress import Progress
from nextlmm.relatedness.prune_rule import parse_pruning
from nextlmm.run.exact.route import allowed_bytes
from nextlmm.run.option_checks import chosen_chromosomes
from nextlmm.run.options import GwasOptions
from nextlmm.run.related import RelatedChoice


def open_source(options: GwasOptions, listener: Progress) -> GenotypeSource:
    """The genotypes that are tested; see `nextlmm.genotype.source.open_genotypes`."""
    path, kind = options.genotypes
    refuse_pipe(Path(path))
    return open_genotypes(
        path,
        kind=kind,
        sample=options.sample,
        annotation=options.annotation,
        vcf_field=options.vcf_field,
        held_bytes=_held_bytes(options),
        progress=listener,
    )


def _held_bytes(options: GwasOptions) -> float:
    """What the genotypes of one file may take in memory: all, or half of it if there are two."""
    return allowed_bytes(options.memory) / (1.0 if options.grm_bfile is None else 2.0)


def tested_filter(options: GwasOptions) -> VariantFilter:
    """What the variants to test must satisfy; reads the lists of variants."""
    names = chosen_chromosomes(options.chr)
    return VariantFilter(
        maf=options.maf,
        mac=options.mac,
        max_missing=options.max_missing,
        hwe=options.hwe,
        chromosomes=None if names is None else frozenset(map(chromosome_key, names)),
        extract=read_id_list(options.extract) if options.extract else None,
        exclude=read_id_list(options.exclude) if options.exclude else None,
    )


def related_choice(
    options: GwasOptions,
    tested: VariantFilter,
    listener: Progress,
    opened: GenotypeSource | None = None,
) -> RelatedChoice:
    """What the relationship matrix is made of: the tested variants unless options say otherwise.

    Limits on frequency, missing calls and equilibrium hold for its variants too; lists of variants
    and of chromosomes to test do not.  ``opened`` are genotypes of its own, if they are at hand.
    """
    pruning = None if options.grm_prune is None else parse_pruning(options.grm_prune)
    if options.grm_bfile is None and options.grm_extract is None:
        return RelatedChoice(pruning=pruning)
    source = opened
    if source is None and options.grm_bfile is not None:
        source = open_genotypes(
            options.grm_bfile,
            vcf_field=options.vcf_field,
            held_bytes=_held_bytes(options),
            progress=listener,
        )
    listed = options.grm_extract
    variant_filter = replace(
        tested,
        chromosomes=None,
        extract=read_id_list(listed) if listed is not None else None,
        exclude=None,
        purpose=f"the relationship matrix ({'--grm-bfile' if listed is None else '--grm-extract'})",
    )
    return RelatedChoice(source, variant_filter, pruning)
