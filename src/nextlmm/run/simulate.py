"""A simulated cohort in files, with the truth about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nextlmm.errors import UsageError, VariantError
from nextlmm.genotype.bed_writer import bim_text, fam_text, write_bed
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.tables import SampleTable, VariantTable
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.threads import one_thread
from nextlmm.output.document import write_document
from nextlmm.output.names import refuse_inputs
from nextlmm.output.provenance import hash_inputs, library_versions
from nextlmm.output.publication import Publication, check_writable
from nextlmm.progress import Progress, Silent
from nextlmm.run.chosen import output_paths
from nextlmm.run.inputs import open_source
from nextlmm.run.simulate_options import SimulateOptions
from nextlmm.simulation.population import (
    KINDS,
    Calls,
    genotype_blocks,
    sample_table,
    seeded,
    variant_table,
    with_missing,
)
from nextlmm.simulation.traits import (
    COVARIATES,
    add_genetic,
    draw_covariates,
    draw_effects,
    draw_traits,
)

TRAIT, NOISE = "trait", "noise"
_ENDS = (".traits.txt", ".covariates.txt", ".truth.tsv", ".simulation.json")
_READ_TOGETHER = 1_024  # variants


@dataclass(frozen=True, eq=False)
class SimulatedCohort:
    """A cohort as it was written: the content of OUT.simulation.json and the paths, it last."""

    document: Mapping[str, Any]
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        return f"SimulatedCohort({self.document['samples']:,} samples: {self.files[0]})"


@dataclass(frozen=True, eq=False)
class _Genome:
    """The axes of genotypes, and what has been added up of them.

    ``effects`` (m, 1) are per standard deviation of a dosage, ``deviation`` (m,) are these, and
    ``genetic`` (n, 1) the genetic values.
    """

    samples: SampleTable
    variants: VariantTable
    effects: FloatArray
    deviation: FloatArray
    genetic: FloatArray

    @classmethod
    def of(cls, samples: SampleTable, variants: VariantTable, effects: FloatArray) -> "_Genome":
        return cls(samples, variants, effects, np.zeros(len(variants)), np.zeros((len(samples), 1)))


def simulate(options: SimulateOptions, progress: Progress | None = None) -> SimulatedCohort:
    """Simulate a cohort, or traits on given genotypes; the same options give the same bytes.

    The trait is y = X b + g + e with variance 1 beside the covariates X (sex, age and a batch); g
    has variance h2 among the samples and comes from the causal variants, whose effects are normal
    per standard deviation of a dosage, ten of them six times as large. A second trait, noise, has
    neither genetics nor covariates. Of simulated calls 0.8 % are missing.

    Parameters
    ----------
    options : what to simulate, and where it goes.
    progress : told how far it is.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if it cannot be carried out; then no file is left
        under a final name.

    Cost: O(n m); in memory 5,000 bytes a variant of a chromosome, and some bytes a genotype of a
    hundredth of it.
    """
    listener = progress or Silent()
    plink = () if options.has_genotypes else (".bed", ".bim", ".fam")
    files = output_paths(options.out, (*plink, *_ENDS))
    with one_thread(), Publication() as publication:
        if options.has_genotypes:
            source = open_source(options.as_gwas, listener)
            refuse_inputs(files, source.files.values())
            check_writable(files)
            inputs = hash_inputs(source.files)
            rng = np.random.default_rng(options.seed)
            genome = _genome_of(source, rng, options)
        else:
            check_writable(files)
            inputs = {}
            rng, genome = _new_genome(options)
            blocks = _blocks(rng, genome, options, listener)
            content = partial(
                write_bed, blocks=blocks, samples=genome.samples, variants=genome.variants
            )
            publication.write(files[0], content)
            publication.write(files[1], partial(_write, bim_text(genome.variants)))
            publication.write(files[2], partial(_write, fam_text(genome.samples)))
        truth, document = _publish_traits(publication, files[-4:], rng, genome, options.h2)
        document = {
            "nextlmm": {"version": library_versions()["nextlmm"]},
            "command": options.to_command(),
            "versions": library_versions(),
            "options": options.to_dict(),
            "inputs": inputs,
            "samples": len(genome.samples),
            "variants": len(genome.variants),
            "causal": truth,
            "traits": document,
            "files": [str(path) for path in files],
        }
        publication.write(files[-1], partial(write_document, document))
    return SimulatedCohort(document, files)


def _new_genome(options: SimulateOptions) -> tuple[np.random.Generator, _Genome]:
    """The samples, variants and effects of genotypes to be made."""
    n, m, n_chromosomes = options.shape
    _check_causal(options.causal, m, "variants")
    rng = seeded(options.seed, options.kind, n, m)
    variants = variant_table(m, n_chromosomes)
    effects = draw_effects(rng, variants.chromosome, options.causal)
    return rng, _Genome.of(sample_table(n), variants, effects)


def _blocks(
    rng: np.random.Generator, genome: _Genome, options: SimulateOptions, listener: Progress
) -> Iterator[Calls]:
    """The calls, some missing, whose genetic values are added up before they are."""
    kind, n = KINDS[options.kind], len(genome.samples)
    listener.start("Simulating genotypes", len(genome.variants))
    for columns, calls in genotype_blocks(rng, kind, n=n, variants=genome.variants):
        own = genome.effects[columns]
        genome.deviation[columns] = add_genetic(genome.genetic, calls, own)
        yield with_missing(rng, calls)
        listener.advance(len(columns))
    listener.finish()


def _genome_of(
    source: GenotypeSource, rng: np.random.Generator, options: SimulateOptions
) -> _Genome:
    """Given genotypes with effects of some variants; missing calls count as the mean."""
    _check_causal(options.causal, len(source.variants), f"variants of {source.path}")
    effects = draw_effects(rng, source.variants.chromosome, options.causal)
    genome = _Genome.of(source.samples, source.variants, effects)
    causal = np.flatnonzero(effects.any(axis=1))
    for start in range(0, len(causal), _READ_TOGETHER):
        columns = causal[start : start + _READ_TOGETHER]
        dosages = source.dosages(columns).astype(np.float64)
        is_called = ~np.isnan(dosages)
        total = np.where(is_called, dosages, 0.0).sum(axis=0)
        mean = total / np.maximum(is_called.sum(axis=0), 1)
        filled = np.where(is_called, dosages, mean)
        filled[:, np.ptp(filled, axis=0) == 0.0] = 0.0
        genome.deviation[columns] = add_genetic(genome.genetic, filled, effects[columns])
    return genome


def _check_causal(causal: int, m: int, what: str) -> None:
    if causal > m:
        raise UsageError(
            f"Option causal is {causal:,}, but there are {m:,} {what}; choose a smaller number."
        )


def _publish_traits(
    publication: Publication,
    paths: tuple[Path, ...],
    rng: np.random.Generator,
    genome: _Genome,
    h2: float,
) -> tuple[int, dict[str, Any]]:
    """Write traits, covariates and truth; the number of variants with an effect, and the traits.

    Raises
    ------
    VariantError
        If the trait is to be heritable, and no causal variant varies.
    """
    spread = float(genome.genetic.std())
    if h2 > 0.0 and not spread > 0.0:
        raise VariantError(
            f"none of the causal variants varies among the {len(genome.samples):,} samples; "
            "expected at least one that does: ask for more of them (--causal), or another --seed"
        )
    n = len(genome.samples)
    covariates = draw_covariates(rng, n)
    trait = draw_traits(rng, genome.genetic, covariates, h2)
    traits = np.hstack([trait, rng.normal(size=(n, 1))])
    publication.write(paths[0], partial(_write_columns, genome.samples, (TRAIT, NOISE), traits))
    publication.write(paths[1], partial(_write_columns, genome.samples, COVARIATES, covariates))
    scale = np.sqrt(h2) / spread if h2 > 0.0 else 0.0
    causal = np.flatnonzero(genome.deviation > 0.0) if h2 > 0.0 else np.empty(0, dtype=np.intp)
    effect = scale * genome.effects[causal, 0]
    table = genome.variants.take(causal)
    rows = zip(
        table.variant_id,
        table.chromosome,
        table.position_bp,
        table.effect_allele,
        table.other_allele,
        effect / genome.deviation[causal],
        effect,
        strict=True,
    )
    header = (
        "variant_id\tchromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta\t"
        "beta_per_standard_deviation\n"
    )
    lines = ("\t".join([*map(str, row[:5]), *map(_number, row[5:])]) + "\n" for row in rows)
    publication.write(paths[2], partial(_write_text, [header, *lines]))
    return len(causal), {
        TRAIT: {"h2": h2, "variance_beside_covariates": 1.0, "covariates": list(COVARIATES)},
        NOISE: {"h2": 0.0, "variance_beside_covariates": 1.0, "covariates": []},
    }


def _write_columns(
    samples: SampleTable, names: Iterable[str], values: FloatArray, handle: BinaryIO
) -> None:
    rows = zip(samples.family_id, samples.sample_id, values, strict=True)
    lines = ("\t".join([family, sample, *map(_number, row)]) + "\n" for family, sample, row in rows)
    _write_text(["\t".join(("FID", "IID", *names)) + "\n", *lines], handle)


def _write_text(lines: Iterable[str], handle: BinaryIO) -> None:
    _write("".join(lines).encode(), handle)


def _write(content: bytes, handle: BinaryIO) -> None:
    handle.write(content)


def _number(value: float) -> str:
    return f"{value:.6g}"
