"""Files that appear under their final names together, complete, or not at all."""

import contextlib
import errno
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO, Self

from nextlmm.errors import OutputError
from nextlmm.private import give_mode, open_private, private_name, usual_mode

_ADVICE = {
    errno.ENOSPC: "free some space or choose another --out",
    errno.EDQUOT: "free some space or choose another --out",
    errno.EACCES: "check the permissions or choose another --out",
    errno.EPERM: "check the permissions or choose another --out",
    errno.EROFS: "choose another --out",
    errno.EFBIG: "the system or the shell limits the size of files (ulimit -f): raise that limit",
    errno.ENAMETOOLONG: "choose a shorter --out or trait name",
}


class Publication:
    """A set of files written under private names and moved into place when the block ends well.

    ``with Publication() as publication: publication.write(path, writer)`` writes beside the target,
    on the same file system, so that the final move is atomic. Until then only its owner can read a
    file. If the block ends with any exception,
    an interruption included, every private file is removed and no target is touched. If a file
    cannot be moved, those that were moved before are taken back, and older files of their names
    are there again. An interruption while files are moved is answered after the last one.

    Raises
    ------
    OutputError
        If a file cannot be created, filled or moved.
    """

    def __init__(self) -> None:
        self._staged: list[tuple[Path, Path]] = []
        self._modes: dict[Path, int] = {}  # of new files in each folder

    def __enter__(self) -> Self:
        return self

    def write(self, path: Path, writer: Callable[[BinaryIO], object]) -> None:
        """Let ``writer`` fill the private file of ``path``, and flush it to the disk."""
        private = private_name(path.parent)
        try:
            if path.parent not in self._modes:
                self._modes[path.parent] = usual_mode(path.parent)
            # Noted before it exists, so that an interruption in between leaves nothing behind.
            self._staged.append((private, path))
            with open_private(private) as handle:
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
        with _uninterrupted():
            try:
                if kind is None:
                    for private, path in self._staged:
                        give_mode(private, self._modes[path.parent])
                    _move_all(self._staged)
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
    try:
        usual_mode(folder)
    except OSError as error:
        raise _output_error(path, error) from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C and the request to terminate waiting until the block has ended.

    Only the main thread can, and only there does Python raise them. Handlers are replaced instead
    of blocking the signals, because another thread would receive a blocked one.
    """
    pending: list[int] = []

    def postpone(number: int, frame: FrameType | None) -> None:
        pending.append(number)

    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler is not None:  # None: not Python's, and could not be put back
                replaced[number] = handler
                signal.signal(number, postpone)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        for received in dict.fromkeys(pending):
            signal.raise_signal(received)


def _move_all(staged: Iterable[tuple[Path, Path]]) -> None:
    """Move every private file to its target, or put everything back as it was and raise."""
    backups: dict[Path, Path] = {}
    moved: list[Path] = []
    try:
        for private, path in staged:
            if os.path.lexists(path):
                backups[path] = _back_up(path)
            moved.append(path)
            _move(private, path)
    except OutputError as error:
        lost = [path for path in reversed(moved) if not _restore(path, backups.get(path))]
        if lost:
            kept = "; ".join(
                f"{path} as it was is in {backups[path]}" if path in backups else f"delete {path}"
                for path in lost
            )
            raise OutputError(f"{error} What was moved could not be taken back: {kept}.") from error
        raise
    for backup in backups.values():
        with contextlib.suppress(OSError):
            backup.unlink()


def _back_up(path: Path) -> Path:
    """Give the older file at ``path`` a second, private name."""
    backup = private_name(path.parent)
    try:
        os.link(path, backup, follow_symlinks=False)
    except (OSError, NotImplementedError):
        # A file system without hard links: for a moment there is nothing under the final name.
        _move(path, backup)
    return backup


def _restore(path: Path, backup: Path | None) -> bool:
    """Put the older file back, or remove the new one; whether that worked."""
    try:
        if backup is None:
            path.unlink(missing_ok=True)
        else:
            os.replace(backup, path)
            # Two names of one file, where nothing was moved yet: replacing has done nothing.
            backup.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _move(private: Path, path: Path) -> None:
    try:
        os.replace(private, path)
    except OSError as error:
        raise _output_error(path, error) from error


def _output_error(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0, "choose another --out")
    return OutputError(f"{path} cannot be written ({reason}); {advice}.")
