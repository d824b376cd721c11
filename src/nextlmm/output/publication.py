"""Files that appear under their final names together, complete, or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from nextlmm.errors import OutputError

_ADVICE = {
    errno.ENOSPC: "free some space or choose another --out",
    errno.EDQUOT: "free some space or choose another --out",
    errno.EACCES: "check the permissions or choose another --out",
    errno.EPERM: "check the permissions or choose another --out",
    errno.EROFS: "choose another --out",
    errno.ENAMETOOLONG: "choose a shorter --out or trait name",
}


class Publication:
    """A set of files written under private names and moved into place when the block ends well.

    ``with Publication() as publication: publication.write(path, writer)`` writes beside the target,
    on the same file system, so that the final move is atomic. If the block ends with any exception,
    an interruption included, every private file is removed and no target is touched.

    Raises
    ------
    OutputError
        If a file cannot be created, filled or moved.
    """

    def __init__(self) -> None:
        self._staged: list[tuple[Path, Path]] = []

    def __enter__(self) -> Self:
        return self

    def write(self, path: Path, writer: Callable[[BinaryIO], object]) -> None:
        """Let ``writer`` fill the private file of ``path``, and flush it to the disk."""
        private = _private_name(path)
        try:
            descriptor = os.open(private, os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY, 0o666)
            self._staged.append((private, path))
            with os.fdopen(descriptor, "w+b") as handle:
                writer(handle)
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise _output_error(path, error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Move every file into place, or remove them all."""
        try:
            if kind is None:
                for private, path in self._staged:
                    _move(private, path)
        finally:
            for private, _ in self._staged:
                with contextlib.suppress(OSError):
                    private.unlink()


def check_writable(paths: Iterable[Path]) -> None:
    """Prove, before any work, that every one of ``paths`` can be written.

    Creates and removes a private file in each folder; nothing is left behind.

    Raises
    ------
    OutputError
        If a folder is missing or not writable, or a path is a folder or has too long a name.
    """
    folders = set()
    for path in paths:
        _check_target(path)
        if path.parent not in folders:
            _check_folder(path)
            folders.add(path.parent)


_BINARY = getattr(os, "O_BINARY", 0)  # only Windows distinguishes text from binary


def _private_name(path: Path) -> Path:
    # Short whatever the target's length, so that a target of the longest legal name works too.
    return path.parent / f".nextlmm-{secrets.token_hex(8)}.part"


def _check_target(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _output_error(path, error) from error
    if stat.S_ISDIR(mode):
        raise OutputError(
            f"{path} is a folder, but a result file of that name is to be written; "
            "choose another --out."
        )


def _check_folder(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        found = "is not a folder" if folder.exists() else "does not exist"
        raise OutputError(
            f"{path} cannot be written, because {folder} {found}; "
            "create it or choose another --out."
        )
    private = _private_name(path)
    try:
        os.close(os.open(private, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        private.unlink()
    except OSError as error:
        raise _output_error(path, error) from error


def _move(private: Path, path: Path) -> None:
    try:
        os.replace(private, path)
    except OSError as error:
        raise _output_error(path, error) from error


def _output_error(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0, "choose another --out")
    return OutputError(f"{path} cannot be written ({reason}); {advice}.")
