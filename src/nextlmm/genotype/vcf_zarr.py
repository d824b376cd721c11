"""VCF-Zarr genotypes (version 0.4 of the specification, as bio2zarr writes it).

The same fields, alleles and codings as in :mod:`nextlmm.genotype.vcf`, read chunk by chunk.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.held import Collector, PackedSource
from nextlmm.genotype.kinds import VcfField
from nextlmm.genotype.packages import reader_package
from nextlmm.genotype.sample_tables import without_families
from nextlmm.genotype.tables import StringArray, VariantTable, string_array
from nextlmm.genotype.vcf_fields import (
    chosen_field,
    copies_of_calls,
    copies_of_dosages,
    copies_of_probabilities,
    no_calls,
)
from nextlmm.progress import Progress

_ARRAYS = {"DS": "call_DS", "GP": "call_GP", "GT": "call_genotype"}
_NEEDED = ("sample_id", "contig_id", "variant_contig", "variant_position", "variant_allele")
_DIPLOID = 2


def open_vcf_zarr(
    path: str | os.PathLike[str],
    *,
    field: VcfField = "auto",
    held_bytes: float,
    progress: Progress,
    most: int | None = None,
) -> PackedSource | ArraySource:
    """Read a VCF-Zarr store, a folder or a .zip file, into memory.

    Parameters
    ----------
    path : of the store.
    field : what the genotypes are read from; the first of DS, GP and GT that there is if "auto".
    held_bytes : most memory that the genotypes may take.
    progress : told of the variants done.
    most : records to read at most, in whole chunks; all unless given.

    Raises
    ------
    MissingFileError, FormatError
        If the store is missing, or arrays of it are missing or do not fit together.
    UsageError
        If the package that reads it is not installed.

    Cost: decompression of the whole store on one core.
    """
    store = _open(Path(path))
    there = [name for name, array in _ARRAYS.items() if array in store]
    chosen = chosen_field(str(path), there, field)
    calls, n_variants = store[_ARRAYS[chosen]], int(store["variant_position"].shape[0])
    samples = without_families(_texts(store["sample_id"]), Path(path))
    if calls.shape[:2] != (n_variants, len(samples)):
        raise FormatError(
            f"{path}: {_ARRAYS[chosen]} has shape {calls.shape}; expected {n_variants:,} variants "
            f"and {len(samples):,} samples, as the other arrays have: write the store anew"
        )
    record, allele, variants = _variants(store)
    collector = Collector(str(path), len(samples), held_bytes)
    progress.start("Reading genotypes", n_variants)
    step = int(calls.chunks[0])
    n_read = n_variants if most is None else min(n_variants, -(-most // step) * step)
    for start in range(0, n_read, step):
        stop = min(start + step, n_read)
        rows = slice(*np.searchsorted(record, [start, stop]).tolist())
        block = _block(store, chosen, slice(start, stop), record[rows] - start, allele[rows])
        collector.add(block)
        progress.advance(stop - start)
    progress.finish()
    if n_read < n_variants:
        variants = variants.take(np.flatnonzero(record < n_read))
    return collector.source(samples, variants, {})


def _open(path: Path) -> Mapping[str, Any]:
    library = reader_package("zarr", extra="zarr", of="VCF-Zarr stores")
    if not path.exists():
        raise MissingFileError(f"{path} does not exist; check the spelling of the path")
    try:
        store: Mapping[str, Any] = library.open_group(str(path), mode="r")
    except Exception as error:  # the library raises many kinds
        raise FormatError(
            f"{path} cannot be read as a Zarr store ({' '.join(str(error).split())}); check that "
            "the right folder or .zip file is named"
        ) from error
    missing = [name for name in _NEEDED if name not in store]
    if missing:
        raise FormatError(
            f"{path} has no array {missing[0]}; expected those of the VCF-Zarr specification, as "
            "bio2zarr writes them: check that the right store is named"
        )
    return store


def _texts(array: Any) -> StringArray:
    return string_array(str(value) for value in np.asarray(array[:]).tolist())


def _variants(
    store: Mapping[str, Any],
) -> tuple[NDArray[np.intp], NDArray[np.intp], VariantTable]:
    """One variant for each alternative allele: which record and allele it is, and the table."""
    alleles = np.asarray(store["variant_allele"][:]).astype(str)
    is_there = np.char.str_len(alleles) > 0
    is_there[:, :_DIPLOID] = True
    alleles = np.where(np.char.str_len(alleles) > 0, alleles, ".")
    record, column = np.nonzero(is_there[:, 1:])
    contigs = _texts(store["contig_id"])
    names = (
        _texts(store["variant_id"]) if "variant_id" in store else string_array(["."] * len(alleles))
    )
    table = VariantTable(
        chromosome=contigs[np.asarray(store["variant_contig"][:], dtype=np.intp)[record]],
        variant_id=names[record],
        position_bp=np.asarray(store["variant_position"][:], dtype=np.int64)[record],
        effect_allele=string_array(alleles[record, column + 1].tolist()),
        other_allele=string_array(alleles[record, 0].tolist()),
    )
    return record, column + 1, table


def _block(
    store: Mapping[str, Any],
    field: str,
    records: slice,
    record: NDArray[np.intp],
    allele: NDArray[np.intp],
) -> NDArray[np.float32]:
    """Copies of the alternative alleles of some records, (b, n), NaN where missing."""
    values = np.asarray(store[_ARRAYS[field]][records])
    n = values.shape[1]
    calls = np.broadcast_to(no_calls(n), (len(values), n, _DIPLOID))
    if _ARRAYS["GT"] in store:
        calls = values if field == "GT" else np.asarray(store[_ARRAYS["GT"]][records])
    n_alleles = int(store["variant_allele"].shape[1])
    block = np.empty((len(record), n), np.float32)
    for row, at, chosen in zip(block, record.tolist(), allele.tolist(), strict=True):
        if field == "GT":
            row[:] = copies_of_calls(calls[at], chosen)
        elif field == "DS":
            row[:] = copies_of_dosages(values[at].reshape(n, -1), calls[at], chosen)
        else:
            row[:] = copies_of_probabilities(values[at], calls[at], chosen, n_alleles)
    return block
