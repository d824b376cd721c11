"""The log of a run: what the screen showed, without colour."""

from collections.abc import Iterable
from typing import BinaryIO


def write_log(lines: Iterable[str], handle: BinaryIO) -> None:
    """Write ``lines`` one per line, without trailing blanks."""
    for line in lines:
        handle.write(line.rstrip().encode() + b"\n")
