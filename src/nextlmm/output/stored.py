"""Values in files that are whole, checked, and of one run, or refused; nothing in them is executed.

A file is a line that says what it is, the length of a tree, the tree in JSON, the arrays that the
tree speaks of, each from a multiple of 64 bytes on, and the SHA-256 of all that.  Numbers come back
to the last bit, and arrays in the order in memory that they had, on which sums may depend.
"""

import contextlib
import hashlib
import json
import os
import secrets
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from nextlmm.errors import FormatError

Value = TypeVar("Value")

_HEAD = b"nextlmm stage 1\n"
_LENGTH = struct.Struct("<Q")
_CHECKSUM_BYTES = hashlib.sha256().digest_size
_ALIGNED = 64
_BINARY = getattr(os, "O_BINARY", 0)  # only Windows distinguishes text from binary
PRIVATE = ".nextlmm-"
"""How the names of files begin that are not complete."""


def settled(value: Value) -> Value:
    """The same value with every array contiguous, as it would come back from a file."""
    if isinstance(value, np.ndarray):
        is_one = value.flags.c_contiguous or value.flags.f_contiguous
        return value if is_one else cast("Value", np.ascontiguousarray(value))
    if type(value) in (tuple, list):
        old = list(cast("Sequence[Any]", value))
        new = [settled(item) for item in old]
        is_same = all(one is other for one, other in zip(old, new, strict=True))
        return value if is_same else cast("Value", tuple(new) if type(value) is tuple else new)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        changed = {name: new for name, old in parts.items() if (new := settled(old)) is not old}
        return replace(value, **changed) if changed else value
    return value


def packed(value: object, kinds: Sequence[type]) -> list[memoryview]:
    """The bytes of a value in pieces.

    Raises
    ------
    TypeError
        If it holds anything but numbers, texts, arrays, sequences of them and ``kinds``.
    """
    packer = _Packer(kinds)
    tree = packer.tree(value)
    places, at = [], 0
    for array in packer.arrays:
        at += -at % _ALIGNED
        order = "C" if array.flags.c_contiguous else "F"
        places.append([array.dtype.str, list(array.shape), order, at])
        at += array.nbytes
    text = json.dumps({"value": tree, "arrays": places}, ensure_ascii=False).encode()
    start = len(_HEAD) + _LENGTH.size + len(text)
    pieces: list[bytes | memoryview] = [
        _HEAD,
        _LENGTH.pack(len(text)),
        text,
        bytes(-start % _ALIGNED),
    ]
    at = 0
    for array in packer.arrays:
        pieces += [bytes(-at % _ALIGNED), array.reshape(-1, order="A").view(np.uint8).data]
        at += -at % _ALIGNED + array.nbytes
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return [memoryview(piece) for piece in (*pieces, digest.digest())]


def unpacked(path: Path, kinds: Sequence[type]) -> Any:
    """The value in a file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If the file is not as it was written.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FormatError(
            f"{path} cannot be read ({error.strerror}); delete it, so that what it held is "
            "computed again."
        ) from error
    body = len(content) - _CHECKSUM_BYTES
    start = len(_HEAD) + _LENGTH.size
    found = content[max(body, 0) :].tobytes()
    if body < start or hashlib.sha256(content[:body].data).digest() != found:
        raise FormatError(
            f"{path} is damaged: its {len(content):,} bytes do not have the checksum that they "
            "were written with; delete it, so that what it held is computed again."
        )
    if content[: len(_HEAD)].tobytes() != _HEAD:
        raise FormatError(
            f"{path} was written by another version of nextlmm; delete it, so that what it held is "
            "computed again."
        )
    (length,) = _LENGTH.unpack(content[len(_HEAD) : start].tobytes())
    document = json.loads(content[start : start + length].tobytes())
    first = start + length + -(start + length) % _ALIGNED
    arrays = [_array(content, first, *place) for place in document["arrays"]]
    return _Unpacker(kinds, arrays).value(document["value"])


def write_atomically(path: Path, pieces: Sequence[memoryview]) -> None:
    """Write a file that only its owner can read, which is there as a whole or not at all.

    Raises
    ------
    OSError
        If that cannot be done; then nothing is left behind.
    """
    private = path.parent / f"{PRIVATE}{secrets.token_hex(8)}.part"
    try:
        descriptor = os.open(private, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            for piece in pieces:
                handle.write(piece)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(private, path)
        _flush_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            private.unlink()
        raise


def _flush_folder(folder: Path) -> None:
    """Have the name of a file outlive a loss of power, where folders can be flushed."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _array(
    content: np.ndarray, first: int, dtype: str, shape: list[int], order: str, at: int
) -> np.ndarray:
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64))
    flat = np.frombuffer(content.data, kind, size, first + at)
    return flat.reshape(shape, order=cast("Any", order))


class _Packer:
    """A tree of JSON values, and the arrays that it speaks of by their numbers."""

    def __init__(self, kinds: Sequence[type]) -> None:
        self._kinds = frozenset(kinds)
        self.arrays: list[np.ndarray] = []

    def tree(self, value: object) -> object:
        if value is None or type(value) in (bool, int, float, str):
            return value
        for kind, write in self._writers():
            if isinstance(value, kind):
                return write(value)
        raise TypeError(f"a {type(value).__name__} cannot be kept")

    def _writers(self) -> Iterator[tuple[type, Callable[[Any], object]]]:
        yield np.generic, lambda value: {"scalar": self._put(np.asarray(value))}
        yield np.ndarray, self._array
        yield tuple, lambda value: {"tuple": [self.tree(item) for item in value]}
        yield list, lambda value: [self.tree(item) for item in value]
        yield dict, lambda value: {"dict": [[key, self.tree(each)] for key, each in value.items()]}
        yield object, self._object

    def _put(self, array: np.ndarray) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1

    def _array(self, value: np.ndarray) -> object:
        if value.dtype != object:
            return {"array": self._put(settled(value))}
        words, codes = np.unique(value.astype(str), return_inverse=True)
        codes = codes.reshape(value.shape).astype(np.uint8 if len(words) < 256 else np.uint32)
        return {"words": words.tolist(), "codes": self._put(codes)}

    def _object(self, value: Any) -> object:
        if type(value) not in self._kinds:
            raise TypeError(f"a {type(value).__name__} cannot be kept")
        own = {each.name: self.tree(getattr(value, each.name)) for each in fields(value)}
        return {"kind": type(value).__name__, "fields": own}


class _Unpacker:
    """Values from a tree and its arrays."""

    def __init__(self, kinds: Sequence[type], arrays: Sequence[np.ndarray]) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}
        self._arrays = arrays

    def value(self, tree: object) -> Any:
        if isinstance(tree, list):
            return [self.value(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        return self._tagged(tree)

    def _tagged(self, tree: Mapping[str, Any]) -> Any:
        if "array" in tree:
            return self._arrays[tree["array"]]
        if "scalar" in tree:
            return self._arrays[tree["scalar"]].reshape(())[()]
        if "tuple" in tree:
            return tuple(self.value(item) for item in tree["tuple"])
        if "dict" in tree:
            return {key: self.value(each) for key, each in tree["dict"]}
        if "words" in tree:
            words = np.array(tree["words"], dtype=object)
            return words[self._arrays[tree["codes"]]]
        own = {name: self.value(each) for name, each in tree["fields"].items()}
        return self._kinds[tree["kind"]](**own)
