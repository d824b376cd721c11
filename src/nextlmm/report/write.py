"""Writing every file of a run."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from nextlmm.output.document import write_document
from nextlmm.output.exported import Exported, publish_exports
from nextlmm.output.log import write_log
from nextlmm.output.names import RunFiles
from nextlmm.output.publication import Publication
from nextlmm.output.schema import lead_table
from nextlmm.output.tabix import Layout, tabix_index
from nextlmm.output.table import write_plain_table, write_table
from nextlmm.report.details import provenance
from nextlmm.report.page import Payloads, write_page
from nextlmm.report.stages import stage_table
from nextlmm.report.summary import plain_lines, summarise


def publish_tables(
    publication: Publication,
    tables: Mapping[str, pl.DataFrame],
    traits: Mapping[str, Mapping[str, Any]],
    files: RunFiles,
    *,
    about: Mapping[str, Any] | None = None,
    threads: int = 1,
) -> None:
    """Write the tables of every trait, and its plots while the tables are compressed.

    Parameters
    ----------
    publication
        What the files are part of.
    tables
        The result table of each trait.
    traits
        The entry of each trait in the result document.
    files
        Where everything goes; plots are drawn for the traits that have a name for them.
    about
        The result document before it has traits; needed for GWAS-SSF and GWAS-VCF.
    threads
        Processor cores for compressing the tables; does not change a byte.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    with ThreadPoolExecutor(max_workers=1) as artist:
        for trait, frame in tables.items():
            paths = files.traits[trait]
            drawn = artist.submit(_draw, publication, paths, trait, frame, traits[trait])
            _write_table(publication, paths, frame, threads=threads)
            source = Exported(trait, frame, traits[trait], about or {}, threads)
            publish_exports(publication, source, paths)
            if "leads" in paths:
                leads = lead_table(traits[trait]["portrait"]["leads"])
                publication.write(paths["leads"], partial(write_plain_table, leads))
            drawn.result()


def _write_table(
    publication: Publication, paths: Mapping[str, Path], frame: pl.DataFrame, *, threads: int
) -> None:
    """Write a result table, and its index where it is to have one."""
    layouts: list[Layout] = []
    publication.write(
        paths["table"],
        lambda handle: layouts.append(write_table(frame, handle, threads=threads)),
    )
    if "index" in paths:
        chromosome = frame["chromosome"].to_numpy()
        position = frame["base_pair_location"].to_numpy()
        index = tabix_index(chromosome, position, layouts[0])
        publication.write(paths["index"], lambda handle: handle.write(index))


def publish_document(
    publication: Publication,
    document: Mapping[str, Any],
    files: RunFiles,
    payloads: Payloads | None = None,
) -> None:
    """Write the log and the result document of a run, and its page if it has ``payloads``.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    lines = plain_lines([*summarise(document), *stage_table(document), *provenance(document)])
    publication.write(files.log, partial(write_log, lines))
    if files.report is not None and payloads is not None:
        publication.write(files.report, partial(write_page, document, payloads))
    publication.write(files.document, partial(write_document, document))


def _draw(
    publication: Publication,
    paths: Mapping[str, Path],
    trait: str,
    frame: pl.DataFrame,
    facts: Mapping[str, Any],
) -> None:
    if not any(kind.startswith("manhattan") for kind in paths):
        return
    # The plotting library takes a third of a second to load, which --no-plots must not cost.
    from nextlmm.report.figures import manhattan, qq, write_figure  # noqa: PLC0415

    for name in ("manhattan", "qq"):
        wanted = [path for kind, path in paths.items() if kind.partition("_")[0] == name]
        if name == "manhattan":
            figure = manhattan(frame, title=trait)
        else:
            figure = qq(frame, title=trait, lambda_gc=facts["lambda_gc"], n_samples=facts["n"])
        for path in wanted:
            publication.write(path, partial(write_figure, figure, path.suffix))
