"""Numbers in the words of a text file, in plain digits and nothing else.

Python itself also takes ``1_000`` and digits of other scripts for numbers, which no other program
that reads these files does.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.errors import FormatError

_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_MOST_DIGITS = 20
LONGEST = 40


def are_plain(texts: Sequence[str]) -> bool:
    """Whether Python would read none of the texts as a number that is none elsewhere."""
    joined = "".join(texts)
    return joined.isascii() and "_" not in joined


def plain_numbers(texts: Sequence[str], dtype: DTypeLike) -> NDArray[np.floating]:
    """The texts as floating-point numbers.

    Raises
    ------
    ValueError
        If one is no number; the message names it.
    """
    if are_plain(texts):
        return np.array(texts, dtype=dtype)
    odd = next(text for text in texts if not are_plain([text]))
    raise ValueError(f"could not convert string to float: {excerpt(odd)!r}")


def position_bp(where: str, text: str, hint: str = "") -> int:
    """A position of a variant.

    Raises
    ------
    FormatError
        If it is no integer that 64 bits hold; the sentence begins with ``where`` and ends with
        ``hint``.
    """
    is_whole = _WHOLE.fullmatch(text) is not None
    if not is_whole or len(text) > _MOST_DIGITS or abs(int(text)) > np.iinfo(np.int64).max:
        size = " below 2^63" if is_whole else ""
        raise FormatError(
            f"{where}: the position of the variant is '{excerpt(text)}'; expected an integer "
            f"number of base pairs{size}{hint}"
        )
    return int(text)


def excerpt(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text that may be of any length."""
    return text if len(text) <= longest else f"{text[:longest]}..."
