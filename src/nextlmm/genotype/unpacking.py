"""Unpacking what gzip, bzip2 and zstd packed, but no more than a file of its size can mean.

A few megabytes can be made that unpack to more than any memory holds.  Tables of text shrink to a
tenth, seldom to a hundredth; what is less than 256 MiB is unpacked in any case.
"""

import bz2
import gzip
import io
import struct
import zlib
from pathlib import Path

import polars as pl

from nextlmm.errors import FormatError

GZIP_MAGIC = b"\x1f\x8b"
BZIP2_MAGIC, ZSTD_MAGIC = b"BZh", b"\x28\xb5\x2f\xfd"
FREE_BYTES = 256 * 2**20
"""What every file may unpack to."""
MOST_TIMES = 200
"""How many times its size a file may unpack to beyond that."""

_COMPRESSED = {"gzip": GZIP_MAGIC, "bzip2": BZIP2_MAGIC, "zstd": ZSTD_MAGIC}
_ZLIB = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_NOWHERE = "\x1f"  # a separator that no text has
_SKIPPABLE = b"\x2a\x4d\x18"  # after a first byte of 50 to 5f
_BLOCK_BYTES = 128 * 2**10  # most that a block of zstd unpacks to
_RAW, _REPEATED, _RESERVED = 0, 1, 3


def unpacked(path: Path, content: bytes) -> bytes:
    """The content of a file, unpacked if it is compressed by gzip, bzip2 or zstd.

    Raises
    ------
    FormatError
        If its compression is damaged, or it unpacks to far more than text does.
    """
    name = next((name for name, magic in _COMPRESSED.items() if content.startswith(magic)), None)
    if name is None:
        return content
    text = _unpacked_once(path, content, name)
    if text.startswith(tuple(_COMPRESSED.values())):
        raise FormatError(
            f"{path} is compressed twice; expected text within {name}: unpack it once, and name "
            "the result"
        )
    return text


def _unpacked_once(path: Path, content: bytes, name: str) -> bytes:
    most = most_bytes(len(content))
    try:
        if name == "zstd":
            if zstd_bytes(content) > most:
                raise too_large(path, len(content))
            return _zstd_lines(content)
        packed = io.BytesIO(content)
        with gzip.GzipFile(fileobj=packed) if name == "gzip" else bz2.BZ2File(packed) as file:
            text = file.read(most + 1)
    except (OSError, EOFError, ValueError, zlib.error, pl.exceptions.PolarsError) as error:
        raise FormatError(
            f"{path} is {name}-compressed but cannot be unpacked after {len(content):,} bytes "
            f"({' '.join(str(error).split())}); it is probably truncated: copy or download it again"
        ) from error
    if len(text) > most:
        raise too_large(path, len(content))
    return text


def check_unpacked_size(path: Path) -> None:
    """Refuse a file in zstd, which a library is about to unpack, if that is far more than text is.

    Raises
    ------
    FormatError
        If it is, or if the file is damaged.
    """
    content = path.read_bytes()
    if not content.startswith(ZSTD_MAGIC):
        return
    try:
        n_bytes = zstd_bytes(content)
    except ValueError as error:
        raise FormatError(
            f"{path} is zstd-compressed but cannot be unpacked ({error}); it is probably "
            "truncated: copy or download it again"
        ) from error
    if n_bytes > most_bytes(len(content)):
        raise too_large(path, len(content))


def plain_text(path: Path, content: bytes) -> bytes:
    """The content, unless it begins as an archive that the library of tables unpacks by itself.

    Raises
    ------
    FormatError
        If it does.
    """
    if content.startswith(_ZLIB):
        raise FormatError(
            f"{path} begins as data compressed by zlib; expected text: unpack it, and name the "
            "result"
        )
    return content


def most_bytes(n_packed: int) -> int:
    """How much a compressed file of some bytes may unpack to."""
    return max(FREE_BYTES, MOST_TIMES * n_packed)


def too_large(path: Path, n_packed: int) -> FormatError:
    """The sentence for a file that unpacks to far more than text does."""
    return FormatError(
        f"{path} of {n_packed:,} bytes unpacks to more than {most_bytes(n_packed):,}; no text of "
        "samples or variants is so repetitive: check what the file is, or unpack it yourself and "
        "name the result"
    )


def zstd_bytes(content: bytes) -> int:
    """An upper bound of what zstd frames unpack to, from the headers of their blocks.

    Source: RFC 8878, section 3.  It exceeds the truth by less than 128 KiB a block.

    Raises
    ------
    ValueError
        If a frame is damaged or cut short.
    """
    at = total = 0
    try:
        while at < len(content):
            if content[at + 1 : at + 4] == _SKIPPABLE and content[at] >> 4 == 5:
                at += 8 + struct.unpack_from("<I", content, at + 4)[0]
            elif content.startswith(ZSTD_MAGIC, at):
                at, size = _zstd_frame(content, at + len(ZSTD_MAGIC))
                total += size
            else:
                raise ValueError(f"there is no frame at byte {at + 1:,}")
    except (IndexError, struct.error):
        raise ValueError("the last frame is not complete") from None
    if at > len(content):
        raise ValueError("the last frame is not complete")
    return total


def _zstd_frame(content: bytes, at: int) -> tuple[int, int]:
    """Where a frame ends whose header begins at a byte, and what it unpacks to at most."""
    flags = content[at]
    is_single, has_checksum = flags >> 5 & 1, flags >> 2 & 1
    size_bytes = (is_single, 2, 4, 8)[flags >> 6]
    at += 1 + (1 - is_single) + (0, 1, 2, 4)[flags & 3] + size_bytes
    total, is_last = 0, False
    while not is_last:
        header = int.from_bytes(content[at : at + 3], "little")
        if at + 3 > len(content):
            raise IndexError
        is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise ValueError(f"the block at byte {at + 1:,} is of no known type")
        at += 3 + (1 if kind == _REPEATED else size)
        total += size if kind in (_RAW, _REPEATED) else _BLOCK_BYTES
    return at + 4 * has_checksum, total


def _zstd_lines(content: bytes) -> bytes:
    """The lines of a text compressed by zstd, which Python itself can unpack from 3.14 on only."""
    lines = pl.read_csv(
        content, separator=_NOWHERE, has_header=False, quote_char=None, infer_schema=False
    )
    if lines.width > 1:
        raise ValueError("a line holds the control character 1f")
    return "\n".join(line or "" for line in lines.to_series()).encode()
