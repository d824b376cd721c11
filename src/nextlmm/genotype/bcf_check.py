"""Checks that the records of a BCF file are what its library takes for granted.

The library ends the process where a FORMAT field has no type.  So the fields of every record are
gone through before, which is quick: lengths alone are read.

Source: section 6.3 of the VCF specification, version 4.3.
"""

import gzip
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from nextlmm.errors import FormatError
from nextlmm.genotype.unpacking import FREE_BYTES, GZIP_MAGIC

_MAGIC = b"BCF"
_FIXED_BYTES = 24  # of a record, before its identifier
_MOST_BYTES = 2**30  # of a record
_WIDTH = {1: 1, 2: 2, 3: 4, 5: 4, 7: 1}  # bytes of a number or letter of each type
_WHOLE = {1: "<b", 2: "<h", 3: "<i"}
_LONG = 15  # in place of a length that follows


def check_bcf(path: Path) -> None:
    """Go through the records of a file, if it is BCF.

    Raises
    ------
    FormatError
        If a record is damaged; the sentence says which.

    Cost: unpacking the file, and some microseconds a record.
    """
    with path.open("rb") as content:
        is_packed = content.read(2) == GZIP_MAGIC
        content.seek(0)
        file = gzip.GzipFile(fileobj=content) if is_packed else content
        number = 0
        try:
            if file.read(5)[:3] != _MAGIC:
                return
            _skip_header(file)
            while head := file.read(8):
                number += 1
                _check_record(file, head)
        except (EOFError, zlib.error, gzip.BadGzipFile, ValueError, IndexError, struct.error) as e:
            where = f"variant {number:,}" if number else "the header"
            raise FormatError(
                f"{path}: {where} cannot be read ({e}); the file is damaged or cut short there: "
                "copy it again"
            ) from e


def _skip_header(file: "BinaryIO | gzip.GzipFile") -> None:
    size = struct.unpack("<I", file.read(4))[0]
    if size > FREE_BYTES:
        raise ValueError(f"it claims {size:,} bytes")
    if len(file.read(size)) != size:
        raise ValueError("it is cut short")


def _check_record(file: "BinaryIO | gzip.GzipFile", head: bytes) -> None:
    shared_bytes, own_bytes = struct.unpack("<II", head)
    if not _FIXED_BYTES <= shared_bytes <= _MOST_BYTES or own_bytes > _MOST_BYTES:
        raise ValueError(f"it claims {shared_bytes:,} and {own_bytes:,} bytes")
    shared, fields = file.read(shared_bytes), file.read(own_bytes)
    if len(shared) != shared_bytes or len(fields) != own_bytes:
        raise ValueError("it is cut short")
    counts = struct.unpack_from("<I", shared, 20)[0]
    n_fields, n_samples = counts >> 24, counts & 0xFFFFFF
    at = 0
    for field in range(n_fields):
        _, at = _whole(fields, at)
        kind, size, at = _typed(fields, at)
        if kind not in _WIDTH:
            raise ValueError(f"field {field + 1} of its genotypes is of the unknown type {kind}")
        at += n_samples * size * _WIDTH[kind]
    if at != len(fields):
        raise ValueError(f"its genotypes take {at:,} of {len(fields):,} bytes")


def _typed(block: bytes, at: int) -> tuple[int, int, int]:
    """Type and length of what follows, and where it begins."""
    kind, size = block[at] & 15, block[at] >> 4
    if size == _LONG:
        size, at = _whole(block, at + 1)
        return kind, size, at
    return kind, size, at + 1


def _whole(block: bytes, at: int) -> tuple[int, int]:
    """One integer of at least 0, and where it ends."""
    kind, size = block[at] & 15, block[at] >> 4
    if kind not in _WHOLE or size != 1:
        raise ValueError("an integer is expected and something else is there")
    value = struct.unpack_from(_WHOLE[kind], block, at + 1)[0]
    if value < 0:
        raise ValueError(f"a length is {value}")
    return value, at + 1 + _WIDTH[kind]
