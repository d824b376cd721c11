"""The log of a run: what the screen showed, without colour."""

from collections.abc import Iterable
from typing import BinaryIO


def write_log(lines: Iterable[str], handle: BinaryIO) -> None:
    """Write ``lines`` one per line, without trailing blanks.

    Bytes of a path that are not UTF-8 are written as backslash escapes.
    """
    for line in lines:
        handle.write(line.rstrip().encode(errors="backslashreplace") + b"\n")
