"""Whether a path leads to the same file on another machine."""

import hashlib
import os
from dataclasses import dataclass
from typing import Self

_LOOKED_AT = 65536  # bytes at the beginning, in the middle and at the end
_UNREADABLE = -1


@dataclass(frozen=True)
class FileMark:
    """A file by its absolute path, and what it is known by: its size, and a hash of three parts.

    Genotypes are too large to be read as a whole for this.
    """

    path: str
    size: int
    digest: str

    @classmethod
    def of(cls, path: str) -> Self:
        """The mark of a file; of one that cannot be read, one that is nowhere."""
        full, found = os.path.abspath(path), hashlib.sha256()
        try:
            with open(full, "rb") as handle:
                size = os.fstat(handle.fileno()).st_size
                for start in (0, size // 2, max(0, size - _LOOKED_AT)):
                    handle.seek(start)
                    found.update(handle.read(_LOOKED_AT))
        except OSError:
            return cls(full, _UNREADABLE, "")
        return cls(full, size, found.hexdigest())

    def is_here(self) -> bool:
        """Whether this process sees the same file under the same path."""
        return self.size != _UNREADABLE and type(self).of(self.path) == self
