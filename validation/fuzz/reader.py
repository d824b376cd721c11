"""What a fuzzer needs of a reader, and how two answers are compared."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from validation.fuzz.mutate import Files


class UnknownError(Exception):
    """The oracle does not know what these files mean."""


class RefusedError(Exception):
    """The oracle says that these files contradict themselves."""


@dataclass(frozen=True)
class Reader:
    """A reader and its twin.

    Attributes
    ----------
    name : of the reader, on the command line.
    seeds : makes valid inputs in a folder.
    read : reads the files of a folder; what it returns is compared.
    oracle : reads the same files in the simplest way, from their bytes; raises UnknownError where
        it cannot say, RefusedError where the files must not be accepted.  None if there is none.
    tokens : words of the format, to be put anywhere.
    """

    name: str
    seeds: Callable[[Path], Sequence[Files]]
    read: Callable[[Path], Any]
    oracle: Callable[[Files], Any] | None = None
    tokens: tuple[str, ...] = field(default=())


def files_of(folder: Path) -> Files:
    """Every file below a folder."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def write_files(folder: Path, files: Files) -> None:
    """Write an input into a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def plain(value: Any) -> Any:
    """Arrays as lists and NaN as None, so that answers can be compared by ==."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return value.item() if isinstance(value, np.generic) else value
