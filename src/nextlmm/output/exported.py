"""The files of a table in the formats of other programs, with what belongs beside them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from nextlmm.output.export import EXPORTS, Export
from nextlmm.output.formats import OutFormat
from nextlmm.output.gwas_ssf import ssf_metadata
from nextlmm.output.gwas_vcf import write_gwas_vcf
from nextlmm.output.publication import Publication
from nextlmm.output.tabix import VCF, Layout, tabix_index
from nextlmm.output.table import write_plain_table, write_table

_PIECE_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Exported:
    """What is to be written.

    Attributes
    ----------
    trait : its name.
    results : its result table.
    facts : its entry in the result document.
    about : the result document without its traits.
    threads : for compression; no byte depends on them.
    """

    trait: str
    results: pl.DataFrame
    facts: Mapping[str, Any]
    about: Mapping[str, Any]
    threads: int

    @property
    def version(self) -> str:
        """Of this program."""
        return str(self.about["nextlmm"]["version"])

    def left_out(self, table: pl.DataFrame) -> int:
        """Tested variants that a table has no row of."""
        return self.results.filter(pl.col("status") == "ok").height - table.height


def publish_exports(publication: Publication, source: Exported, paths: Mapping[str, Path]) -> None:
    """Write a result table in every format that ``paths`` have a name for."""
    for name, export in EXPORTS.items():
        if name not in paths:
            continue
        table = export.table(source.results, samples=source.facts["n"], test=source.facts["test"])
        if name == "gwas-ssf":
            _publish_ssf(publication, source, export, table, paths)
        elif name == "gwas-vcf":
            _publish_vcf(publication, source, table, paths)
        else:
            publication.write(paths[name], partial(_write, export, table, source.threads))


def _write(export: Export, table: pl.DataFrame, threads: int, handle: BinaryIO) -> None:
    if export.suffix == "parquet":
        table.write_parquet(handle, compression="zstd")
    elif export.is_compressed:
        write_table(
            table, handle, missing=export.missing, separator=export.separator, threads=threads
        )
    else:
        write_plain_table(table, handle, missing=export.missing)


def _publish_ssf(
    publication: Publication,
    source: Exported,
    export: Export,
    table: pl.DataFrame,
    paths: Mapping[str, Path],
) -> None:
    """The table, and its metadata with the checksum of the file."""
    name: OutFormat = "gwas-ssf"
    found: list[str] = []

    def write(handle: BinaryIO) -> None:
        _write(export, table, source.threads, handle)
        handle.seek(0)
        found.append(_checksum(handle))

    publication.write(paths[name], write)
    text = ssf_metadata(
        source.facts,
        trait=source.trait,
        file_name=paths[name].name,
        md5=found[0],
        made=source.about["started"][:10],
        version=source.version,
        smallest_frequency=source.about["options"]["maf"],
        left_out=source.left_out(table),
    )
    publication.write(paths["gwas-ssf_metadata"], lambda handle: handle.write(text.encode()))


def _checksum(handle: BinaryIO) -> str:
    """MD5 of what is left of a file, which the format asks for."""
    digest = hashlib.md5(usedforsecurity=False)
    while piece := handle.read(_PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _publish_vcf(
    publication: Publication, source: Exported, table: pl.DataFrame, paths: Mapping[str, Path]
) -> None:
    layouts: list[Layout] = []

    def write(handle: BinaryIO) -> None:
        layout = write_gwas_vcf(
            table,
            handle,
            trait=source.trait,
            samples=source.facts["n"],
            version=source.version,
            left_out=source.left_out(table),
            threads=source.threads,
        )
        layouts.append(layout)

    publication.write(paths["gwas-vcf"], write)
    if "gwas-vcf_index" in paths:
        chromosome, position = table["#CHROM"].to_numpy(), table["POS"].to_numpy()
        index = tabix_index(chromosome, position, layouts[0], VCF)
        publication.write(paths["gwas-vcf_index"], lambda handle: handle.write(index))
