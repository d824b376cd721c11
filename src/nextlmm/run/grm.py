"""From genotypes to a relationship matrix in a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from nextlmm.errors import FormatError, UsageError
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.threads import available_threads
from nextlmm.output.bgzf import bgzf_blocks
from nextlmm.output.document import write_document
from nextlmm.output.names import refuse_inputs
from nextlmm.output.provenance import describe_run, hashing
from nextlmm.output.publication import Publication, check_writable
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.grm import relationship_sum
from nextlmm.relatedness.grm_formats import file_ends
from nextlmm.relatedness.grm_writer import Relationships, matrix_files
from nextlmm.run.chosen import choose_related, input_paths, output_paths
from nextlmm.run.exact.route import allowed_bytes
from nextlmm.run.grm_options import GrmOptions
from nextlmm.run.inputs import open_source
from nextlmm.run.related import Related
from nextlmm.run.timing import Stopwatch, peak_memory_bytes

_GIB = 2.0**30
_ARRAYS = 2  # of n x n numbers, the sum and what a block adds
_NOT_IN_NAMES = "/\\\0"


@dataclass(frozen=True, eq=False)
class GrmRun:
    """A relationship matrix as it was written.

    ``document`` is the content of OUT.grm.json, ``files`` the paths, the document last.
    """

    document: Mapping[str, Any]
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        return f"GrmRun({self.document['samples']['kept']:,} samples: {self.files[0]})"


def write_grm(
    options: GrmOptions, progress: Progress | None = None, *, begin: float | None = None
) -> GrmRun:
    """Make the relationship matrix of genotypes and write it in the format of a program.

    A number is the mean over the variants that vary, of the product of the two samples' dosages
    less the mean of the variant, over its standard deviation where variants are standardized; so
    the mean of the diagonal is 1, or the mean variance of a variant.  Means and deviations are
    those of the samples in the matrix, and missing genotypes count as the mean.

    Parameters
    ----------
    options : what the matrix is made of, and where it goes.
    progress : told how far the run is.
    begin : what ``time.perf_counter`` said when the program began; now unless given.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if the run cannot be carried out; then no file is
        left under a final name.

    Cost: n^2 m operations and two arrays of n^2 numbers.
    """
    watch, started = Stopwatch(begin), datetime.now(UTC)
    threads, listener = options.threads or available_threads(), progress or Silent()
    with threadpool_limits(options.threads):
        source = open_source(options.as_gwas, listener)
        related, left_out = choose_related(source, options, listener)
        groups = _groups(related, options)
        names = {chromosome: _names(options, chromosome) for chromosome in groups}
        paths = input_paths(source, options)
        files = (*(path for own in names.values() for path in own), _document(options))
        refuse_inputs(files, paths.values())
        check_writable(files)
        _check_memory(len(related.samples), options)
        with hashing(paths) as hashes, Publication() as publication:
            facts = []
            for chromosome, variants in groups.items():
                matrix = _matrix(related, variants, options, listener)
                _publish(publication, matrix, names[chromosome], options, threads)
                facts.append(_facts(chromosome, matrix))
            document = describe_run(
                command=options.to_command(),
                options=options.to_dict(),
                inputs=hashes.result(),
                threads=threads,
                started=started,
                has_results=False,
            )
            document |= {
                "samples": {
                    "in_genotypes": len(source.samples),
                    "kept": len(related.samples),
                    "excluded": left_out,
                },
                "relationship_matrix": related.describe(),
                "matrices": facts,
                "seconds": watch.elapsed(),
                "peak_memory_bytes": peak_memory_bytes(),
                "files": [str(path) for path in files],
            }
            publication.write(files[-1], partial(write_document, document))
    return GrmRun(document, files)


def _groups(related: Related, options: GrmOptions) -> dict[str, IndexArray]:
    """The variants of each matrix by chromosome, of a single one by the empty name."""
    if not options.per_chromosome:
        return {"": related.varying}
    return related.by_chromosome


def _names(options: GrmOptions, chromosome: str) -> tuple[Path, ...]:
    """The files of a matrix.

    Raises
    ------
    UsageError
        If the prefix is a folder.
    FormatError
        If a file cannot have the name of the chromosome.
    """
    if set(chromosome) & set(_NOT_IN_NAMES):
        raise FormatError(
            f"a chromosome is called '{chromosome}', which no file can be named after; expected a "
            "name without slashes: rename it, or make one matrix for all chromosomes"
        )
    stem = f".chr{chromosome}" if chromosome else ""
    ends = file_ends(options.format, is_standardized=options.is_standardized)
    return output_paths(options.out, tuple(f"{stem}{end}" for end in ends))


def _document(options: GrmOptions) -> Path:
    return Path(f"{options.out}.grm.json")


def _check_memory(n: int, options: GrmOptions) -> None:
    needed, allowed = 8.0 * _ARRAYS * n**2, allowed_bytes(options.memory)
    if needed > allowed:
        raise UsageError(
            f"The relationship matrix of {n:,} samples takes {needed / _GIB:.1f} GiB while it is "
            f"made, and the memory for large arrays is {allowed / _GIB:.1f} GiB; allow more "
            "(--memory), or relate fewer samples (--keep)."
        )


def _matrix(
    related: Related, variants: IndexArray, options: GrmOptions, listener: Progress
) -> Relationships:
    """The mean over some variants that vary."""
    listener.start("Relating the samples", len(variants))
    total = relationship_sum(
        related.source, variants, related.scaling, related.samples, progress=listener
    )
    listener.finish()
    values = total.values
    values /= total.n_variants
    samples = related.source.samples.take(related.samples)
    return Relationships(samples, values, total.n_variants, options.is_standardized)


def _publish(
    publication: Publication,
    matrix: Relationships,
    paths: tuple[Path, ...],
    options: GrmOptions,
    threads: int,
) -> None:
    writers = matrix_files(
        matrix,
        options.format,
        cutoff=options.cutoff,
        compress=partial(bgzf_blocks, threads=threads),
    )
    for path, writer in zip(paths, writers.values(), strict=True):
        publication.write(path, writer)


def _facts(chromosome: str, matrix: Relationships) -> dict[str, Any]:
    return {
        "chromosome": chromosome or None,
        "variants": matrix.n_variants,
        "mean_diagonal": float(np.trace(matrix.values)) / len(matrix.values),
    }
