"""Files that nobody else can read until they are complete and have their final names."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

_BINARY = getattr(os, "O_BINARY", 0)  # only Windows distinguishes text from binary
_OWNER, _EVERYONE = 0o600, 0o666


def private_name(folder: Path) -> Path:
    """A name in a folder that nobody can foresee, and short, so that it is legal everywhere."""
    return folder / f".nextlmm-{secrets.token_hex(8)}.part"


def open_private(path: Path) -> BinaryIO:
    """Make a file that only its owner can read, to write and to read again.

    Raises
    ------
    OSError
        If it cannot be made, or there is something of that name, a link included.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY, _OWNER)
    return os.fdopen(descriptor, "w+b")


def usual_mode(folder: Path) -> int:
    """Permissions that a new file of a folder has: by the umask, or by the lists of the folder.

    Found by making an empty file there and removing it, since the system tells in no other way.

    Raises
    ------
    OSError
        If no file can be made there.
    """
    path = private_name(folder)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _EVERYONE)
    try:
        return os.fstat(descriptor).st_mode & 0o7777
    finally:
        os.close(descriptor)
        path.unlink()


def give_mode(path: Path, mode: int) -> None:
    """Let others have a file as its folder would, on file systems that know of it."""
    with contextlib.suppress(OSError):
        path.chmod(mode)
