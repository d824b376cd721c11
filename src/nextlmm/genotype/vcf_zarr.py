"""VCF-Zarr genotypes (version 0.4 of the specification, as bio2zarr writes it).

The same fields, alleles and codings as in :mod:`nextlmm.genotype.vcf`, read chunk by chunk.
"""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError, MissingFileError, NextlmmError
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.held import Collector, PackedSource, TooLargeError
from nextlmm.genotype.kinds import VcfField
from nextlmm.genotype.packages import reader_package
from nextlmm.genotype.sample_tables import without_families
from nextlmm.genotype.tables import StringArray, VariantTable, string_array
from nextlmm.genotype.vcf_fields import (
    check_calls,
    check_probabilities,
    chosen_field,
    copies_of_calls,
    copies_of_dosages,
    copies_of_probabilities,
    no_calls,
)
from nextlmm.progress import Progress

_ARRAYS = {"DS": "call_DS", "GP": "call_GP", "GT": "call_genotype"}
_NEEDED = ("sample_id", "contig_id", "variant_contig", "variant_position", "variant_allele")
_KINDS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "sample_id": ("OTU", (1,)),
    "contig_id": ("OTU", (1,)),
    "variant_contig": ("iu", (1,)),
    "variant_position": ("iu", (1,)),
    "variant_allele": ("OTU", (2,)),
    "variant_id": ("OTU", (1,)),
}
"""Type and number of axes of each array but those of genotypes."""

_SHARDED = "sharding_indexed"
_CODECS = frozenset(
    {
        *("blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "crc32c", "vlen-utf8", "bytes"),
        *("delta", "shuffle", "packbits", "fixedscaleoffset", "quantize", "bitround", "astype"),
        *("transpose", _SHARDED),
    }
)
"""What an array may be packed by: nothing that runs what it unpacks, as pickle does."""

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
    file = Path(path)
    store = _open(file, held_bytes)
    there = [name for name, array in _ARRAYS.items() if array in store]
    chosen = chosen_field(str(path), there, field)
    calls, n_variants = store[_ARRAYS[chosen]], int(store["variant_position"].shape[0])
    with _reading(file):
        samples = without_families(_texts(store["sample_id"]), file)
        record, allele, variants = _variants(store)
    collector = Collector(str(path), len(samples), held_bytes)
    progress.start("Reading genotypes", n_variants)
    step = int(calls.chunks[0])
    n_read = n_variants if most is None else min(n_variants, -(-most // step) * step)
    for start in range(0, n_read, step):
        stop = min(start + step, n_read)
        rows = slice(*np.searchsorted(record, [start, stop]).tolist())
        with _reading(file, f" of the variants {start + 1:,} to {stop:,}"):
            block = _block(store, chosen, slice(start, stop), record[rows] - start, allele[rows])
        collector.add(block)
        progress.advance(stop - start)
    progress.finish()
    if n_read < n_variants:
        variants = variants.take(np.flatnonzero(record < n_read))
    return collector.source(samples, variants, {})


@contextmanager
def _reading(path: Path, where: str = "") -> Iterator[None]:
    """Where chunks are unpacked, for which the library raises whatever its codecs do."""
    try:
        yield
    except NextlmmError:
        raise
    except Exception as error:
        raise FormatError(
            f"{path}: an array{where} cannot be read ({_said(error)}); the store is damaged: copy "
            "it again"
        ) from error


def _said(error: Exception) -> str:
    return excerpt(" ".join(str(error).split()) or type(error).__name__, 200)


def _open(path: Path, held_bytes: float) -> dict[str, Any]:
    """The arrays of a store that are used, each of the type and shape that it must have."""
    library = reader_package("zarr", extra="zarr", of="VCF-Zarr stores")
    if not path.exists():
        raise MissingFileError(f"{path} does not exist; check the spelling of the path")
    try:
        store = library.open_group(os.path.abspath(path), mode="r")
        arrays = {name: store[name] for name in (*_KINDS, *_ARRAYS.values()) if name in store}
    except Exception as error:  # the library raises many kinds
        raise FormatError(
            f"{path} cannot be read as a Zarr store ({_said(error)}); check that the right folder "
            "or .zip file is named"
        ) from error
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise FormatError(
            f"{path} has no array {missing[0]}; expected those of the VCF-Zarr specification, as "
            "bio2zarr writes them: check that the right store is named"
        )
    for name, array in arrays.items():
        _check_array(path, name, array, held_bytes)
    _check_shapes(path, arrays)
    return arrays


def _check_array(path: Path, name: str, array: Any, held_bytes: float) -> None:
    """Refuse what is no array of its type, could run a program, or needs too much memory."""
    kinds, n_axes = _KINDS.get(name, ("if", (2, 3)))
    if not hasattr(array, "metadata") or not hasattr(array, "chunks"):
        raise FormatError(f"{path}: {name} is a group; expected an array: write the store anew")
    if array.dtype.kind not in kinds or len(array.shape) not in n_axes:
        raise FormatError(
            f"{path}: {name} has {len(array.shape)} axes of type {array.dtype}; expected "
            f"{' or '.join(map(str, n_axes))} of {'text' if 'U' in kinds else 'numbers'}, as the "
            "VCF-Zarr specification has it: write the store anew"
        )
    unknown = sorted(set(_codecs(array)) - _CODECS)
    if unknown:
        raise FormatError(
            f"{path}: {name} is packed by {excerpt(unknown[0])}, which is not unpacked here; "
            f"expected one of {', '.join(sorted(_CODECS))}: write the store anew"
        )
    chunk = math.prod(min(*sizes) for sizes in zip(array.chunks, array.shape, strict=True))
    whole = chunk if name in _ARRAYS.values() else math.prod(array.shape)
    n_bytes = max(whole, math.prod(array.chunks)) * max(array.dtype.itemsize, 1)
    if n_bytes > held_bytes:
        raise TooLargeError(
            f"{path}: {name} of shape {array.shape} in chunks of {array.chunks} needs "
            f"{n_bytes / 2**30:,.2f} GiB at a time, and genotypes may take "
            f"{held_bytes / 2**30:.2f} GiB; allow more (--memory), or write the store in smaller "
            "chunks"
        )


def _codecs(array: Any) -> Iterator[str]:
    """Names of what packed an array."""
    described = array.metadata.to_dict()
    parts = [*(described.get("filters") or ()), *(described.get("codecs") or ())]
    waiting = [part for part in (*parts, described.get("compressor")) if part is not None]
    while waiting:
        part = waiting.pop()
        described = part if isinstance(part, dict) else part.to_dict()
        name = str(described.get("name", described.get("id")))
        yield name
        if name == _SHARDED:
            inner = described["configuration"]
            waiting += [*inner["codecs"], *inner["index_codecs"]]


def _check_shapes(path: Path, arrays: Mapping[str, Any]) -> None:
    """Refuse arrays that are not of the same variants and samples."""
    n_variants = int(arrays["variant_position"].shape[0])
    n_samples = int(arrays["sample_id"].shape[0])
    for name, array in arrays.items():
        expected: tuple[int, ...] = ()
        if name.startswith("variant_"):
            expected = (n_variants,)
        elif name.startswith("call_"):
            expected = (n_variants, n_samples)
        if array.shape[: len(expected)] != expected:
            raise FormatError(
                f"{path}: {name} has shape {array.shape}; expected {n_variants:,} variants "
                f"and {n_samples:,} samples, as the other arrays have: write the store anew"
            )


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
    contig = np.asarray(store["variant_contig"][:], dtype=np.intp)
    if contig.min(initial=0) < 0 or contig.max(initial=-1) >= len(contigs):
        raise ValueError(f"variant_contig names other contigs than the {len(contigs):,} there are")
    names = (
        _texts(store["variant_id"]) if "variant_id" in store else string_array(["."] * len(alleles))
    )
    table = VariantTable(
        chromosome=contigs[contig[record]],
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
    if calls.ndim == 2:  # without an axis of ploidy, all haploid
        calls = calls[:, :, None]
    check_calls(calls.reshape(len(calls) * n, -1), n_alleles - 1)
    if field == "GP":
        check_probabilities(values.reshape(len(values) * n, -1))
    block = np.empty((len(record), n), np.float32)
    for row, at, chosen in zip(block, record.tolist(), allele.tolist(), strict=True):
        if field == "GT":
            row[:] = copies_of_calls(calls[at], chosen)
        elif field == "DS":
            row[:] = copies_of_dosages(values[at].reshape(n, -1), calls[at], chosen)
        else:
            row[:] = copies_of_probabilities(values[at], calls[at], chosen, n_alleles)
    return block
