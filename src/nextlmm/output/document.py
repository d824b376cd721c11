"""The result document: everything of a run but its tables, as JSON."""

import json
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

_NUMBERS = re.compile(r"\[\n *((?:-?\d[^\s,]*|null)(?:,\n *(?:-?\d[^\s,]*|null))*)\n *\]")
_BREAK = re.compile(r",\n *")


def write_document(document: Mapping[str, Any], handle: BinaryIO) -> None:
    """Write ``document`` as indented UTF-8 JSON in the order of its keys.

    A list of numbers is on one line.

    Raises
    ------
    ValueError
        If a number is not finite: JSON has no such numbers, and the document says null for what is
        not known.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    # No text holds a line break of its own, so that what is matched is never a part of one.
    text = _NUMBERS.sub(lambda found: f"[{_BREAK.sub(', ', found[1])}]", text)
    # A path that is not UTF-8 holds lone surrogates; the backslash escape of Python is JSON's too.
    handle.write(text.encode(errors="backslashreplace") + b"\n")
