"""Independent lead variants of a finished run, by other rules or with other genotypes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from nextlmm.errors import FormatError, UsageError, VariantError
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.tables import IndexArray, VariantTable
from nextlmm.linalg.threads import available_threads
from nextlmm.output.document import write_document
from nextlmm.output.names import refuse_inputs
from nextlmm.output.provenance import describe_run, hashing
from nextlmm.output.publication import Publication, check_writable
from nextlmm.output.schema import lead_table
from nextlmm.output.table import write_plain_table
from nextlmm.progress import Progress, Silent
from nextlmm.run.chosen import output_paths
from nextlmm.run.clump_options import ClumpOptions
from nextlmm.run.inputs import open_source
from nextlmm.run.leads import Clumping, find_leads
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import cohort_of, input_paths, read_inputs
from nextlmm.run.rebuild import of_document, read_document, read_table, table_path
from nextlmm.run.timing import Stopwatch, peak_memory_bytes

_KEY = ("chromosome", "base_pair_location", "variant_id", "one", "other")
_MOST_NAMES = 3


@dataclass(frozen=True, eq=False)
class ClumpRun:
    """Lead variants as they were written.

    ``leads`` has the columns of OUT.leads.tsv, ``document`` is the content of OUT.clump.json,
    ``files`` the paths, the document last.
    """

    leads: pl.DataFrame
    document: Mapping[str, Any]
    files: tuple[Path, ...]

    def __repr__(self) -> str:
        return f"ClumpRun({self.leads.height:,} leads: {self.files[0]})"


@dataclass(frozen=True, eq=False)
class _Genotypes:
    """What linkage disequilibrium is computed of, and the files that say so."""

    source: GenotypeSource
    samples: IndexArray
    paths: Mapping[str, str]


def clump(
    document: str,
    options: ClumpOptions,
    progress: Progress | None = None,
    *,
    begin: float | None = None,
) -> ClumpRun:
    """Find the independent lead variants of a finished run.

    The strongest variant leads and takes along those that are close and in linkage disequilibrium
    with it; of what is left the strongest leads again, until nothing that passes is left.

    Parameters
    ----------
    document : the result document of the run, OUT.json.
    options : what makes a lead, and of which genotypes.
    progress : told how far the run is.
    begin : what ``time.perf_counter`` said when the program began; now unless given.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if the run cannot be carried out; then no file is
        left under a final name.

    Cost: reading the variants that pass once for each lead within their reach.
    """
    watch, started = Stopwatch(begin), datetime.now(UTC)
    threads, listener = options.threads or available_threads(), progress or Silent()
    files = output_paths(options.out, (".leads.tsv", ".clump.json"))
    content = read_document(Path(document))
    with of_document(Path(document)):
        trait = _trait(document, content, options.trait)
        facts = content["traits"][trait]
        path = table_path(Path(document), trait, facts)
    refuse_inputs(files, [document, str(path)])
    check_writable(files)
    with of_document(Path(document)):
        table = read_table(path, trait, facts)
    with threadpool_limits(options.threads):
        genotypes = _genotypes(document, content, trait, options, listener)
        inputs = {"document": document, "table": str(path), **genotypes.paths}
        refuse_inputs(files, inputs.values())
        with hashing(inputs) as hashes, Publication() as publication:
            clumping = Clumping(
                options.p1,
                options.r2,
                math.inf if options.kb is None else 1000.0 * options.kb,
                most_candidates=math.inf,
                most_leads=math.inf,
                most_in_locus=math.inf,
            )
            rows = _rows(table, genotypes.source, clumping)
            found = find_leads(
                table,
                genotypes.source,
                rows,
                genotypes.samples,
                with_regions=False,
                clumping=clumping,
            )
            leads = lead_table(found.leads)
            publication.write(files[0], partial(write_plain_table, leads))
            about = describe_run(
                command=options.command_for(document),
                options=options.to_dict(),
                inputs=hashes.result(),
                threads=threads,
                started=started,
                has_results=False,
            )
            about |= {
                "trait": trait,
                "samples": len(genotypes.samples),
                "leads": leads.height,
                "loci": leads["locus"].n_unique(),
                "p_value": clumping.threshold(table),
                "clumped_variants": int(leads["clump_variants"].sum()),
                "seconds": watch.elapsed(),
                "peak_memory_bytes": peak_memory_bytes(),
                "files": [str(path) for path in files],
            }
            publication.write(files[-1], partial(write_document, about))
    return ClumpRun(leads, about, files)


def _trait(document: str, content: Mapping[str, Any], trait: str | None) -> str:
    names = list(content["traits"])
    if trait is None and len(names) == 1:
        return str(names[0])
    if trait not in names:
        seen = "no trait was named" if trait is None else f"it has no trait '{trait}'"
        raise UsageError(
            f"The traits of {document} are {', '.join(names)}, but {seen}; name one of them "
            "(--trait)."
        )
    return str(trait)


def _genotypes(
    document: str,
    content: Mapping[str, Any],
    trait: str,
    options: ClumpOptions,
    listener: Progress,
) -> _Genotypes:
    """The genotypes of the run over its analysed samples, or those of the options over all."""
    known = {field.name for field in fields(GwasOptions)}
    with of_document(Path(document)):
        recorded = {name: value for name, value in content["options"].items() if name in known}
        recorded |= {"memory": options.memory, "threads": options.threads, **options.genotypes}
        study = GwasOptions(**recorded)
    if options.genotypes:
        source = open_source(study, listener)
        return _Genotypes(source, np.arange(len(source.samples)), source.files)
    inputs = read_inputs(study, listener)
    cohort = cohort_of(inputs, study, trait)
    with of_document(Path(document)):
        expected = int(content["traits"][trait]["samples"]["analysed"])
    if len(cohort) != expected:
        raise FormatError(
            f"{document} is of {expected:,} analysed samples, but its files now give "
            f"{len(cohort):,}; restore the files of the run, or run the analysis again"
        )
    return _Genotypes(inputs.source, cohort.analysed, input_paths(study, inputs))


def _rows(table: pl.DataFrame, source: GenotypeSource, clumping: Clumping) -> IndexArray:
    """Position in the genotypes of each row of a table, -1 for rows that do not pass.

    Raises
    ------
    VariantError
        If one that passes is not in the genotypes, or more often there than in the table.
    """
    ours = _keyed(table.select(_KEY[0], _KEY[1], _KEY[2], "effect_allele", "other_allele"))
    theirs = _keyed(_frame(source.variants))
    wanted = clumping.candidates(table)[0]["row"]
    sought = ours.with_row_index("row").filter(pl.col("row").is_in(wanted.implode()))
    joined = sought.join(theirs, on=[*_KEY, "copy"], how="left", maintain_order="left")
    unclear = joined.filter(
        pl.col("position").is_null() | (pl.col("copies") != pl.col("copies_right"))
    )
    if unclear.height:
        names = unclear["variant_id"].head(_MOST_NAMES).to_list()
        more = unclear.height - len(names)
        raise VariantError(
            f"{unclear.height:,} of the {sought.height:,} variants that pass are not in "
            f"{source.path}, or not as often as in the table ({', '.join(names)}"
            f"{f' and {more:,} more' if more else ''}); expected each of them with its "
            "chromosome, position, identifier and alleles: name the genotypes of the run, or use a "
            "smaller --p1"
        )
    rows = np.full(table.height, -1, dtype=np.intp)
    rows[joined["row"].to_numpy()] = joined["position"].to_numpy()
    return rows


def _frame(variants: VariantTable) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "chromosome": pl.Series(variants.chromosome.tolist(), dtype=pl.String),
            "base_pair_location": variants.position_bp,
            "variant_id": pl.Series(variants.variant_id.tolist(), dtype=pl.String),
            "effect_allele": pl.Series(variants.effect_allele.tolist(), dtype=pl.String),
            "other_allele": pl.Series(variants.other_allele.tolist(), dtype=pl.String),
        }
    ).with_row_index("position")


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    """Variants by what identifies them, whichever allele counts, and the number of equal ones."""
    names = frame["chromosome"].unique().to_list()
    first, second = pl.col("effect_allele"), pl.col("other_allele")
    keyed = frame.with_columns(
        pl.col("chromosome").replace_strict({name: chromosome_key(name) for name in names}),
        one=pl.when(first < second).then(first).otherwise(second),
        other=pl.when(first < second).then(second).otherwise(first),
    ).drop("effect_allele", "other_allele")
    return keyed.with_columns(copy=pl.int_range(pl.len()).over(_KEY), copies=pl.len().over(_KEY))
