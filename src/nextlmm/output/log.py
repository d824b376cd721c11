"""Plain text for logs and pipes: nothing that needs more than ASCII, except the user's own names."""

from collections.abc import Iterable
from typing import BinaryIO

_PLAIN = str.maketrans(
    {
        "±": "+/-",
        "−": "-",
        "–": "-",
        "—": "-",
        "…": "...",
        "×": "x",
        "·": "*",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "²": "2",
        "χ": "chi",
        "λ": "lambda",
        "σ": "sigma",
    }
)


def plain(text: str) -> str:
    """``text`` with the program's own special characters spelled in ASCII."""
    return text.translate(_PLAIN)


def write_log(lines: Iterable[str], handle: BinaryIO) -> None:
    """Write ``lines`` as plain text, one per line."""
    for line in lines:
        handle.write(plain(line).rstrip().encode() + b"\n")
