"""The lines of a text file, whatever program and system wrote it."""

import difflib
import errno
import os
import re
import stat
from pathlib import Path

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.genotype.unpacking import GZIP_MAGIC, unpacked

__all__ = ["BGZF_END", "GZIP_MAGIC", "check_readable", "missing_file", "read_bytes", "read_lines"]

BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends a file which bgzip wrote."""

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LINE_END = re.compile(r"\r\n|\n|\r")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked if it is compressed by gzip, bzip2 or zstd.

    Raises
    ------
    MissingFileError
        If the file is not there, is a folder, or may not be read.
    FormatError
        If its compression is damaged, or it unpacks to far more than text does.
    """
    refuse_pipe(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise missing_file(path, error) from error
    return unpacked(path, content)


def check_readable(path: Path) -> None:
    """Raise a MissingFileError if a file is not there, is a folder or pipe, or may not be read."""
    refuse_pipe(path)
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise missing_file(path, error) from error


def refuse_pipe(path: Path) -> None:
    """Raise a MissingFileError if a path is a pipe or a device, which can be read once or never.

    An input is read more than once: for its kind, its content, and its checksum.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # whoever opens it says more
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        what = "a pipe" if stat.S_ISFIFO(mode) else "a device"
        raise MissingFileError(
            f"{path} is {what}, and an input is read more than once; write its content to a file, "
            "and name that"
        )


def missing_file(path: Path, error: OSError) -> MissingFileError:
    """The sentence for a file that cannot be read."""
    if path.is_dir():
        return MissingFileError(f"{path} is a folder; expected a file: name a file inside it")
    if isinstance(error, FileNotFoundError):
        if not path.parent.is_dir():
            where = f"there is no folder {path.parent}"
        else:
            where = f"the folder {path.parent.resolve()} has no such file"
        return MissingFileError(f"{path} does not exist ({where}); {_spelling(path)}")
    is_allowed = error.errno not in (errno.EACCES, errno.EPERM)
    advice = "the disk or network that it lies on" if is_allowed else "its permissions"
    return MissingFileError(f"{path} cannot be read ({error.strerror or error}); check {advice}")


def _spelling(path: Path) -> str:
    """What to do about a name that is not there: files of the folder with a name near it."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    except OSError:
        names = []
    nearest = difflib.get_close_matches(path.name, names, n=3, cutoff=0.7)
    return f"did you mean {' or '.join(nearest)}?" if nearest else "check the spelling of the path"


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a UTF-8 text file, without their ends; line i is ``lines[i - 1]``.

    Accepts Unix, Windows and old Mac line ends, a byte order mark, compression by gzip, bzip2 or
    zstd, and a last line without an end.

    Raises
    ------
    MissingFileError
        If the file cannot be read.
    FormatError
        If it is not UTF-8 text.
    """
    file = Path(path)
    content = read_bytes(file)
    if content.startswith(_UTF16_MARKS):
        raise FormatError(
            f"{file} is UTF-16 text, as spreadsheets write it; expected UTF-8: save it again as "
            "plain or tab-separated UTF-8 text"
        )
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise FormatError(
            f"{file} is not a text file: line {line} holds a zero byte; expected lines of UTF-8 "
            "text: check that the right file is named"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FormatError(
            f"{file} is not UTF-8 text: line {line} holds the byte 0x{content[error.start]:02x}; "
            "save it again with the encoding UTF-8"
        ) from error
    lines = _LINE_END.split(text)
    if lines and not lines[-1]:
        lines.pop()
    return lines
