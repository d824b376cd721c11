"""From genotypes to their leading principal components."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from threadpoolctl import threadpool_limits

from nextlmm.genotype.tables import SampleTable
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.eigenpairs import Eigenpairs
from nextlmm.linalg.threads import available_threads
from nextlmm.output.document import write_document
from nextlmm.output.names import refuse_inputs
from nextlmm.output.provenance import describe_run, hashing
from nextlmm.output.publication import Publication, check_writable
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.operator import HELD_BYTES
from nextlmm.relatedness.principal import principal_components
from nextlmm.run.chosen import choose_related, input_paths, output_paths
from nextlmm.run.exact.route import allowed_bytes
from nextlmm.run.inputs import open_source
from nextlmm.run.pca_options import PcaOptions
from nextlmm.run.timing import Stopwatch, peak_memory_bytes


@dataclass(frozen=True, eq=False)
class PcaRun:
    """Principal components as they were written.

    ``samples`` are the rows of ``vectors`` (n, d); ``document`` is the content of OUT.pca.json,
    ``files`` the paths, the document last.
    """

    samples: SampleTable
    vectors: FloatArray
    document: Mapping[str, Any]
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        n, d = self.vectors.shape
        return f"PcaRun({d} components of {n:,} samples: {self.files[0]})"


def pca(
    options: PcaOptions, progress: Progress | None = None, *, begin: float | None = None
) -> PcaRun:
    """Find the leading principal components of genotypes and write them.

    They are the leading eigenvectors of the relationship matrix K that the same options of
    ``nextlmm grm`` make, scaled to mean diagonal 1, so that an eigenvalue over the number of
    samples is a share of the variance.

    Parameters
    ----------
    options : of which genotypes, how many, and where they go.
    progress : told how far the run is.
    begin : what ``time.perf_counter`` said when the program began; now unless given.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if the run cannot be carried out; then no file is
        left under a final name.

    Cost: that of `nextlmm.relatedness.principal.principal_components`; nothing is n x n.
    """
    watch, started = Stopwatch(begin), datetime.now(UTC)
    threads, listener = options.threads or available_threads(), progress or Silent()
    ends = (".eigenvec", ".eigenval", *((".pca.png",) if options.plots else ()), ".pca.json")
    files = output_paths(options.out, ends)
    with threadpool_limits(options.threads):
        source = open_source(options.as_gwas, listener)
        paths = input_paths(source, options)
        refuse_inputs(files, paths.values())
        check_writable(files)
        related, left_out = choose_related(source, options, listener)
        with hashing(paths) as hashes, Publication() as publication:
            held = min(HELD_BYTES, int(allowed_bytes(options.memory)))
            operator = related.operator(held, None)
            listener.start("Finding components", 1)  # nobody knows how many passes it takes
            found = principal_components(operator, options.count, tolerance=options.tolerance)
            listener.finish()
            samples = source.samples.take(related.samples)
            publication.write(files[0], partial(_write_vectors, samples, found.vectors))
            publication.write(files[1], partial(_write_values, found.values))
            if options.plots:
                # The plotting library takes a third of a second to load.
                from nextlmm.report.components import draw_components  # noqa: PLC0415
                from nextlmm.report.figures import write_png  # noqa: PLC0415

                figure = draw_components(found.values, found.vectors)
                publication.write(files[2], partial(write_png, figure))
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
                    "kept": len(samples),
                    "excluded": left_out,
                },
                "relationship_matrix": related.describe(),
                "components": _describe(found, len(samples), options.tolerance),
                "seconds": watch.elapsed(),
                "peak_memory_bytes": peak_memory_bytes(),
                "files": [str(path) for path in files],
            }
            publication.write(files[-1], partial(write_document, document))
    return PcaRun(samples, found.vectors, document, files)


def _describe(found: Eigenpairs, n: int, tolerance: float) -> dict[str, Any]:
    """The components and their certificate, as JSON values."""
    return {
        "eigenvalues": found.values.tolist(),
        "shares": (found.values / n).tolist(),
        "residuals": found.residuals.tolist(),
        "gaps": found.gaps.tolist(),
        "next_eigenvalue": found.next_value,
        "largest_residual": float(np.max(found.residuals)),
        "tolerance": tolerance,
        "passes": found.n_passes,
    }


def _write_vectors(samples: SampleTable, vectors: FloatArray, handle: BinaryIO) -> None:
    names = [f"PC{number + 1}" for number in range(vectors.shape[1])]
    rows = zip(samples.family_id, samples.sample_id, vectors, strict=True)
    lines = ([family, sample, *map(_number, row)] for family, sample, row in rows)
    _write_rows([["#FID", "IID", *names], *lines], handle)


def _write_values(values: FloatArray, handle: BinaryIO) -> None:
    _write_rows([[_number(value)] for value in values], handle)


def _write_rows(rows: Iterable[list[str]], handle: BinaryIO) -> None:
    handle.write("".join("\t".join(row) + "\n" for row in rows).encode())


def _number(value: float) -> str:
    return f"{value:.9g}"
