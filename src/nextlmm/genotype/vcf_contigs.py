"""Names of the contigs of a VCF file, in its header and on its lines.

The library that reads VCF files goes on with the first record of a contig that the header lacks,
even if the rest of it could not be parsed, and that ends the process.  A header that has all of
them is the cure.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nextlmm.errors import FormatError
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.unpacking import FREE_BYTES, GZIP_MAGIC

_DECLARED = re.compile(r"^##contig=<(?:[^>\n]*,)?ID=([^,>\n]+)[^\n]*>$", re.MULTILINE)
# Section 1.4.7 of the VCF specification, version 4.3.
_NAME = re.compile(r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")
_PIECE = 2**20
_BINARY = b"BCF"
_CELL_BYTES = 2**12  # of a sample on a line


def declared_contigs(header: str) -> set[str]:
    """The contigs that a header has."""
    return set(_DECLARED.findall(header))


def used_contigs(path: Path) -> list[str]:
    """The contigs that the lines of a VCF file are of, by first mention; none of a BCF file.

    Raises
    ------
    FormatError
        If one has a name that no header can have, a line is blank, or the file cannot be unpacked.

    Cost: unpacking the file.
    """
    names: dict[str, None] = {}
    with path.open("rb") as content:
        is_packed = content.read(2) == GZIP_MAGIC
        content.seek(0)
        lines = gzip.GzipFile(fileobj=content) if is_packed else content
        try:
            for name in _first_cells(path, lines):
                names[name] = None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError(
                f"{path} cannot be unpacked ({error}); it is probably truncated: copy it again"
            ) from error
    odd = next((name for name in names if not _NAME.fullmatch(name)), None)
    if odd is not None:
        raise FormatError(
            f"{path} has a line that begins with {excerpt(odd)!r}; expected the name of a "
            "chromosome: the file is damaged, copy it again"
        )
    return list(names)


def _first_cells(path: Path, lines: "BinaryIO | gzip.GzipFile") -> Iterator[str]:
    """What stands before the first tab of every line below the header; a line is never held."""
    is_start = is_header = True
    n_columns, read, most = 0, 0, FREE_BYTES  # of the line, or of all lines of the header
    while piece := lines.readline(_PIECE):
        if is_header and is_start:
            if piece.startswith(_BINARY):
                return
            # The header ends with the line of columns, the first with one # alone.
            is_last = not piece.startswith(b"##") and bool(piece.strip())
        elif is_start:
            read = 0
            yield piece.split(b"\t", 1)[0].decode("utf-8", "backslashreplace").rstrip("\r\n")
        read += len(piece)
        if read > most:
            what = "a header" if is_header else "a line"
            raise FormatError(
                f"{path} has {what} of more than {most:,} bytes; expected genotypes of "
                f"{n_columns:,} columns: check what the file is"
            )
        is_start = piece.endswith(b"\n")
        if is_header and is_last:
            n_columns += piece.count(b"\t")
            is_header = not is_start
            most = FREE_BYTES + _CELL_BYTES * n_columns
