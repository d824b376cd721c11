"""The packed genotypes of a .bed file, read when asked for."""

import os
import threading
import weakref
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError
from nextlmm.genotype.bed_check import BED_HEADER_BYTES
from nextlmm.genotype.tables import IndexArray
from nextlmm.genotype.textfile import missing_file

PackedArray = NDArray[np.uint8]


class PackedFile:
    """Rows of a .bed file, of which none is kept; any number of threads may read.

    The file is read, not mapped into memory: a mapped file that another program shortens ends the
    process without a word, and a mapped page costs as much as a read one.

    Parameters
    ----------
    path : a .bed file that was checked.
    shape : number of variants, and bytes of each.

    Raises
    ------
    MissingFileError
        If the file cannot be opened.
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise missing_file(path, error) from error
        self._path = path
        self._lock = threading.Lock()
        self.shape: tuple[int, ...] = shape
        weakref.finalize(self, self._file.close)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the path; whoever unpickles opens the file again."""
        return PackedFile, (Path(self.path), self.shape)

    @property
    def path(self) -> str:
        """Where the file is, whatever the working directory becomes."""
        return os.path.abspath(self._path)

    def __getitem__(self, variants: IndexArray | slice, /) -> PackedArray:
        """The rows at a slice or at positions, in that order, (b, ceil(n / 4)).

        Raises
        ------
        FormatError
            If the file ends before one of them, or cannot be read any more.

        Cost: a copy, if the operating system still holds the file in memory; one call for each run
        of neighbouring variants.
        """
        if isinstance(variants, slice):
            variants = np.arange(*variants.indices(self.shape[0]))
        rows = np.empty((len(variants), self.shape[1]), dtype=np.uint8)
        borders = [0, *(np.flatnonzero(np.diff(variants) != 1) + 1).tolist(), len(variants)]
        for start, stop in pairwise(borders) if rows.size else ():
            self._read(int(variants[start]), rows[start:stop])
        return rows

    def _read(self, first: int, rows: PackedArray) -> None:
        """Fill the rows with the variants from ``first`` on."""
        target = rows.reshape(-1)
        done = 0
        try:
            with self._lock:
                self._file.seek(BED_HEADER_BYTES + first * self.shape[1])
                while done < len(target) and (count := self._file.readinto(target[done:].data)):
                    done += count
            size = os.fstat(self._file.fileno()).st_size if done < len(target) else 0
        except OSError as error:
            raise FormatError(
                f"{self._path} cannot be read any more ({error.strerror or error}) at variant "
                f"{first + 1:,} of {self.shape[0]:,}: check the disk that it lies on"
            ) from error
        if done < len(target):
            raise FormatError(
                f"{self._path} has become shorter since it was opened: it ends after {size:,} "
                f"bytes, before variant {first + done // self.shape[1] + 1:,} of "
                f"{self.shape[0]:,}; copy it again, and do not change it during a run"
            )
