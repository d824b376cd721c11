"""How far a file is read, for formats that do not say how many variants they hold."""

import os
from typing import BinaryIO

from nextlmm.progress import Progress

_EVERY = 64


class ByteProgress:
    """Tells a listener of the bytes of a file that were read, compressed as they are.

    Parameters
    ----------
    content : the file, whose place whoever reads it moves.
    listener : told of the bytes.
    """

    def __init__(self, content: BinaryIO, listener: Progress) -> None:
        self._content, self._listener = content, listener
        self._told = self._variants = 0

    def start(self, label: str) -> None:
        """Begin a stage of as many units as the file has bytes."""
        self._listener.start(label, os.fstat(self._content.fileno()).st_size)

    def advance(self) -> None:
        """Report one more variant done."""
        self._variants += 1
        if self._variants % _EVERY == 0:
            at = os.lseek(self._content.fileno(), 0, os.SEEK_CUR)
            self._listener.advance(at - self._told)
            self._told = at

    def finish(self) -> None:
        """End the stage."""
        self._listener.finish()
