"""PLINK 2 genotypes: .pgen with .pvar (or .pvar.zst) and .psam, or with .bim and .fam.

Dosages are read where a genotype has one, and its call otherwise.  A variant with several
alternative alleles becomes one row for each of them, which counts its copies.
"""

import os
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.genotype.conversion import what_exists_instead
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.packages import reader_package
from nextlmm.genotype.plink_tables import read_bim, read_fam
from nextlmm.genotype.sample_tables import read_psam
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable, string_array
from nextlmm.genotype.textfile import check_readable
from nextlmm.genotype.unpacking import check_unpacked_size

_EXTENSION = ".pgen"
_VARIANT_TABLES = (".pvar", ".pvar.zst", ".bim")
_SAMPLE_TABLES = (".psam", ".fam")
_MISSING = -9.0
_MAGIC, _HEADER_BYTES = b"\x6c\x1b", 12


@dataclass(frozen=True, eq=False)
class PgenSource:
    """PLINK 2 genotypes, read block by block.

    Attributes
    ----------
    path : the path of the .pgen file.
    samples, variants : the two axes.
    record, allele : (m,) which record of the file a variant is, and which of its alleles it counts.
    files : path of each of the three files.
    """

    path: str
    samples: SampleTable
    variants: VariantTable
    record: NDArray[np.uint32]
    allele: NDArray[np.intp]
    files: Mapping[str, str]
    _reader: Any = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __repr__(self) -> str:
        return f"<{self.path}: {len(self.samples):,} samples, {len(self.variants):,} variants>"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path alone; whoever unpickles reads the tables again."""
        return open_pgen, (os.path.abspath(self.path),)

    def dosages(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> NDArray[np.float32]:
        """Copies of the effect allele, (n_samples, n_variants) in Fortran order, NaN if missing.

        Raises
        ------
        FormatError
            If a record cannot be read.
        """
        values = np.empty((len(variants), len(self.samples)), np.float32)
        with self._lock:  # the library's reader has one buffer
            for row, variant in zip(values, variants, strict=True):
                self._read(row, int(variant))
        values[values == _MISSING] = np.nan
        return (values if samples is None else values.take(samples, axis=1)).T

    def _read(self, row: NDArray[np.float32], variant: int) -> None:
        try:
            self._reader.read_dosages(int(self.record[variant]), row, int(self.allele[variant]))
        except RuntimeError as error:
            raise FormatError(
                f"{self.path}: variant {variant + 1} ({self.variants.variant_id[variant]}) cannot "
                f"be read ({_said(error)}); the file is damaged or truncated: copy it again"
            ) from error


def open_pgen(path: str | os.PathLike[str]) -> PgenSource:
    """Open PLINK 2 files by their prefix or by the path of the .pgen file.

    Raises
    ------
    MissingFileError, FormatError
        If a file is missing, damaged, or does not fit the other two.
    UsageError
        If the package that reads them is not installed.

    Cost: reads the two tables; the .pgen file stays open until the source is forgotten.
    """
    prefix = os.fspath(path).removesuffix(_EXTENSION)
    pgen = Path(prefix + _EXTENSION)
    conversion = None if pgen.is_file() else what_exists_instead(Path(prefix))
    if conversion is not None:
        raise MissingFileError(f"{pgen} does not exist; {conversion}")
    check_readable(pgen)
    library = reader_package("pgenlib", extra="pgen", of="PLINK 2 .pgen files")
    table, listed = _beside(prefix, _VARIANT_TABLES), _beside(prefix, _SAMPLE_TABLES)
    samples = read_fam(listed) if listed.suffix == ".fam" else read_psam(listed)
    if table.suffix == ".bim":
        variants = read_bim(table)
        record, allele, offsets = np.arange(len(variants)), np.ones(len(variants), int), None
        n_records = len(variants)
    else:
        variants, record, allele, offsets = _read_pvar(library, table)
        n_records = int(record[-1]) + 1 if len(record) else 0
    _check_header(pgen, {listed: ("samples", len(samples)), table: ("variants", n_records)})
    reader = _open_reader(library, pgen, len(samples), offsets)
    files = {"pgen": str(pgen), "pvar": str(table), "psam": str(listed)}
    return PgenSource(str(pgen), samples, variants, record.astype(np.uint32), allele, files, reader)


def _beside(prefix: str, extensions: tuple[str, ...]) -> Path:
    """The first of some files that is there, or else the first, of which the reader complains."""
    paths = [Path(prefix + extension) for extension in extensions]
    found = next((path for path in paths if path.is_file()), paths[0])
    check_readable(found)
    return found


def _read_pvar(
    library: Any, path: Path
) -> tuple[VariantTable, IndexArray, IndexArray, NDArray[Any] | None]:
    """The variants, one for each alternative allele: table, record, allele; and the offsets."""
    check_unpacked_size(path)
    try:
        reader = library.PvarReader(os.fsencode(path))
    except RuntimeError as error:
        raise FormatError(
            f"{path} cannot be read ({_said(error)}); expected a .pvar file: correct that line, or "
            "write the file again"
        ) from error
    count = reader.get_variant_ct()
    offsets = reader.get_allele_idx_offsets()
    n_alleles = np.full(count, 2) if offsets is None else np.diff(offsets).astype(np.intp)
    record = np.repeat(np.arange(count), n_alleles - 1)
    first = np.repeat(np.cumsum(n_alleles - 1) - (n_alleles - 1), n_alleles - 1)
    allele = np.arange(len(record)) - first + 1

    def texts(values: Any) -> NDArray[np.object_]:
        return string_array(value.decode("utf-8", "surrogateescape") for value in values)

    rows = record.tolist()
    pairs = list(zip(rows, allele.tolist(), strict=True))
    table = VariantTable(
        chromosome=texts(reader.get_variant_chrom(i) for i in rows),
        variant_id=texts(reader.get_variant_id(i) for i in rows),
        position_bp=np.array([reader.get_variant_pos(i) for i in rows], dtype=np.int64),
        effect_allele=texts(reader.get_allele_code(i, k) for i, k in pairs),
        other_allele=texts(reader.get_allele_code(i, 0) for i in rows),
    )
    return table, record, allele, offsets


def _check_header(pgen: Path, listed: Mapping[Path, tuple[str, int]]) -> None:
    """Check the first bytes of a file, and its numbers of samples and of variants."""
    with pgen.open("rb") as content:
        start = content.read(_HEADER_BYTES)
    if not start.startswith(_MAGIC) or len(start) < _HEADER_BYTES:
        raise FormatError(
            f"{pgen} begins with the bytes {start[:3].hex(' ')}; expected 6c 1b, as a PLINK 2 "
            ".pgen file does: check that the right file is named and complete"
        )
    n_variants, n_samples = struct.unpack("<II", start[3:11])
    for (path, (what, count)), held in zip(listed.items(), (n_samples, n_variants), strict=True):
        if count != held:
            raise FormatError(
                f"{pgen} holds {held:,} {what} and {path} lists {count:,}; they must agree: check "
                "that the three files belong together"
            )


def _open_reader(library: Any, pgen: Path, n: int, offsets: NDArray[Any] | None) -> Any:
    try:
        return library.PgenReader(os.fsencode(pgen), n, allele_idx_offsets=offsets)
    except (RuntimeError, MemoryError) as error:
        raise FormatError(
            f"{pgen} cannot be opened ({_said(error)}); expected a PLINK 2 .pgen file of "
            f"{n:,} samples: check that the three files belong together and are complete"
        ) from error


def _said(error: Exception) -> str:
    """What the library says, as text without a full stop."""
    said = error.args[0] if error.args else error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return excerpt(" ".join(text.split()).rstrip("."), 200)
