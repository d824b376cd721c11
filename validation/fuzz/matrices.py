"""Fuzzed readers of relationship matrices."""

import gzip
import io
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nextlmm.relatedness.grm_files import read_relationships
from nextlmm.relatedness.grm_set import open_relationship_set
from validation.fuzz.genotypes import lines_of
from validation.fuzz.mutate import Files
from validation.fuzz.reader import Reader, RefusedError, UnknownError, files_of
from validation.fuzz.tables import sample_list

N = 6
_TOLERANCE = 1e-6
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[0-9]+")


def _k() -> np.ndarray:
    z = np.random.default_rng(4).normal(size=(N, 20))
    return z @ z.T / 20


def _npy(values: np.ndarray) -> bytes:
    handle = io.BytesIO()
    np.save(handle, values)
    return handle.getvalue()


def _seeds(folder: Path) -> list[Files]:
    k, ids = _k(), "".join(f"F{i}\tI{i}\n" for i in range(N)).encode()
    lower, below = np.tril_indices(N), np.tril_indices(N, -1)
    square = "".join("\t".join(map(repr, row)) + "\n" for row in k.tolist()).encode()
    triangle = "".join(" ".join(map(repr, k[i, : i + 1].tolist())) + "\n" for i in range(N))
    pairs = list(zip(*(each.tolist() for each in lower), strict=True))
    text = "".join(f"{i + 1}\t{j + 1}\t100\t{k[i, j].item()!r}\n" for i, j in pairs)
    few = "".join(f"{i}\t{i}\t1.0\n" for i in range(N)) + "3\t1\t0.25\n"
    market = "%%MatrixMarket matrix coordinate real symmetric\n%\n"
    market += f"{N} {N} {N + 1}\n" + "".join(f"{i + 1} {i + 1} 1.0\n" for i in range(N))
    king = "#FID1\tIID1\tFID2\tIID2\tKINSHIP\n"
    king += "".join(f"F{i}\tI{i}\tF{j}\tI{j}\t{k[i, j] / 9:.6f}\n" for i, j in pairs if i != j)
    return [
        {"m.grm.bin": k[lower].astype("<f4").tobytes(), "m.grm.id": ids},
        {"m.grm.gz": gzip.compress(text.encode(), mtime=0), "m.grm.id": ids},
        {"m.grm.sp": few.encode(), "m.grm.id": ids},
        {"m.rel.bin": k.astype("<f8").tobytes(), "m.rel.id": ids},
        {"m.rel.bin": k[lower].astype("<f8").tobytes(), "m.rel.id": ids},
        {"m.rel": square, "m.rel.id": b"#FID\tIID\n" + ids},
        {"m.rel": triangle.encode(), "m.rel.id": ids},
        {"m.king.bin": k[below].astype("<f8").tobytes(), "m.king.id": ids},
        {"m.king": square, "m.king.id": ids},
        {"m.cXX.txt": square.replace(b"\t", b","), "m.cXX.id": ids},
        {"m.npy": _npy(k), "m.id": ids},
        {"m.npy": _npy(k.astype("<f4").T), "m.id": ids},
        {"m.mtx": (market + "2 1 0.25\n").encode(), "m.mtx.sampleIDs.txt": ids},
        {"m.kin0": king.encode()},
        {"m.kin0": king.replace("\t", " ").encode(), "m.kin": king.encode()},
    ]


_ENDS = (
    *(".grm.bin", ".grm.gz", ".grm.sp", ".rel.bin", ".rel", ".king.bin", ".king", ".kin0", ".kin"),
    *(".mtx", ".npy", ".cXX.txt"),
)


def _read(folder: Path) -> dict[str, Any]:
    name = _name(files_of(folder))
    found = read_relationships(folder / name, held_bytes=2**28)
    family = found.samples.family_id
    return {
        "family": None if family is None else family.tolist(),
        "sample": found.samples.sample_id.tolist(),
        "values": found.among(np.arange(len(found.samples))),
    }


def _name(files: Files) -> str:
    return next((f"m{end}" for end in _ENDS if f"m{end}" in files), "m.grm.bin")


# The oracle


def _read_simply(files: Files) -> dict[str, Any]:
    name = _name(files)
    if name not in files:
        raise RefusedError("no matrix")
    if name.endswith((".kin0", ".kin")):
        return _pairs_simply(files, name)
    lists = [key for key in files if key.endswith((".id", "sampleIDs.txt"))]
    if len(lists) != 1:
        raise RefusedError("no list of samples")
    family, sample = sample_list(files[lists[0]])
    n = len(sample)
    end = next(end for end in _ENDS if name == f"m{end}")
    values = _BY_END[end](files[name], n)
    if end in (".king", ".king.bin"):
        values = [
            [1.0 if i == j else 2.0 * v for j, v in enumerate(row)] for i, row in enumerate(values)
        ]
    _check(values)
    return {"family": family, "sample": sample, "values": values}


def _check(values: list[list[float]]) -> None:
    if not all(math.isfinite(v) for row in values for v in row):
        raise RefusedError("a number that is not finite")
    size = max((abs(v) for row in values for v in row), default=0.0)
    for i, row in enumerate(values):
        for j in range(i):
            if abs(row[j] - values[j][i]) > _TOLERANCE * size * (1 + 1e-9):
                raise RefusedError("not symmetric")


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise RefusedError("no number")
    return float(text)


def _place(text: str, n: int, first: int) -> int:
    value = _number(text)
    if value != int(value) or not first <= value < n + first:
        raise RefusedError("no position")
    return int(value) - first


def _filled(lower: Iterator[float], n: int, *, with_diagonal: bool) -> list[list[float]]:
    values = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1 if with_diagonal else i):
            values[i][j] = values[j][i] = next(lower)
    return values


def _binary(kinds: tuple[str, ...], *, with_diagonal: bool = True) -> Callable[[bytes, int], Any]:
    def read(content: bytes, n: int) -> list[list[float]]:
        count = n * (n + 1) // 2 if with_diagonal else n * (n - 1) // 2
        for kind in kinds:
            numbers = np.frombuffer(content, kind) if len(content) % int(kind[2]) == 0 else ()
            if len(numbers) == count:
                values = map(float, numbers)
                return _filled(iter(values), n, with_diagonal=with_diagonal)
            if len(numbers) == n * n:
                return [[float(v) for v in row] for row in np.reshape(numbers, (n, n))]
        raise RefusedError("another size")

    return read


def _text(*, with_diagonal: bool = True) -> Callable[[bytes, int], Any]:
    def read(content: bytes, n: int) -> list[list[float]]:
        if any(mark in content for mark in (b"\x0b", b"\x0c", b"\x1c", b"\xc2\x85", b"\xe2\x80")):
            raise UnknownError
        lines = [line.replace(",", " ").split() for line in lines_of(content)]
        rows = [[_number(cell) for cell in line] for line in lines if line]
        lengths = [len(row) for row in rows]
        if lengths == [n] * n:
            return rows
        if lengths == list(range(1, n + 1 if with_diagonal else n)):
            return _filled((v for row in rows for v in row), n, with_diagonal=with_diagonal)
        raise RefusedError("neither a square nor a triangle")

    return read


def _entries(content: bytes, n: int, width: int, first: int) -> dict[tuple[int, int], float]:
    if b'"' in content:
        raise UnknownError
    found: dict[tuple[int, int], float] = {}
    for line in lines_of(content):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != width:
            raise RefusedError("another number of columns")
        i, j = (_place(cell.strip(" "), n, first) for cell in cells[:2])
        value = _number(cells[-1].strip(" "))
        if width == 4 and not _number(cells[2].strip(" ")) >= 0:
            raise RefusedError("no number of variants")
        pair = max(i, j), min(i, j)
        if width == 4 and pair in found:
            raise RefusedError("a pair twice")
        found.setdefault(pair, value)
    return found


def _gcta_text(content: bytes, n: int) -> list[list[float]]:
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    found = _entries(content, n, 4, 1)
    if len(found) != n * (n + 1) // 2:
        raise RefusedError("another number of pairs")
    values = (found[i, j] for i in range(n) for j in range(i + 1))
    return _filled(values, n, with_diagonal=True)


def _gcta_sparse(content: bytes, n: int) -> list[list[float]]:
    found = _entries(content, n, 3, 0)
    values = (found.get((i, j), 0.0) for i in range(n) for j in range(i + 1))
    square = _filled(values, n, with_diagonal=True)
    if not all(square[i][i] for i in range(n)):
        raise RefusedError("a sample without itself")
    return square


def _array(content: bytes, n: int) -> list[list[float]]:
    """The array of a header as NumPy writes it; other spellings are not known here."""
    begin = re.escape(b"\x93NUMPY\x01\x00") + rb"..\{'descr': '<(f4|f8)', "
    header = re.match(
        begin + rb"'fortran_order': (True|False), 'shape': \((\d+), (\d+)\), \} *\n",
        content,
        re.DOTALL,
    )
    if header is None:
        raise UnknownError
    if (int(header[3]), int(header[4])) != (n, n):
        raise RefusedError("another shape")
    start = 10 + int.from_bytes(content[8:10], "little")
    if start != header.end():
        raise UnknownError
    size = int(header[1][1:])
    if len(content) < start + size * n * n:
        raise RefusedError("cut short")
    if len(content) > start + size * n * n:
        raise RefusedError("bytes beyond the array")
    flat = np.frombuffer(content, "<" + header[1].decode(), n * n, start).astype(float)
    square = flat.reshape((n, n), order="F" if header[2] == b"True" else "C")
    return [[float(v) for v in row] for row in square]


def _market(content: bytes, n: int) -> list[list[float]]:
    raise UnknownError


def _pairs_simply(files: Files, name: str) -> dict[str, Any]:
    raise UnknownError


_BY_END: dict[str, Callable[[bytes, int], list[list[float]]]] = {
    ".grm.bin": _binary(("<f4",)),
    ".grm.gz": _gcta_text,
    ".grm.sp": _gcta_sparse,
    ".rel.bin": _binary(("<f8", "<f4")),
    ".rel": _text(),
    ".king.bin": _binary(("<f8", "<f4"), with_diagonal=False),
    ".king": _text(with_diagonal=False),
    ".npy": _array,
    ".cXX.txt": _text(),
    ".mtx": _market,
}


# Matrices of single chromosomes


def _set_seeds(folder: Path) -> list[Files]:
    ids = "".join(f"F{i}\tI{i}\n" for i in range(N)).encode()
    lower = _k()[np.tril_indices(N)].astype("<f4")
    files: Files = {}
    for chromosome, count in (("1", 100.0), ("2", 50.0)):
        files[f"m.chr{chromosome}.grm.bin"] = (lower * count / 100).astype("<f4").tobytes()
        files[f"m.chr{chromosome}.grm.N.bin"] = np.full(len(lower), count, "<f4").tobytes()
        files[f"m.chr{chromosome}.grm.id"] = ids
    uneven = np.arange(1, len(lower) + 1, dtype="<f4").tobytes()
    return [files, {**files, "m.chr2.grm.N.bin": uneven}]


def _read_set(folder: Path) -> dict[str, Any]:
    found = open_relationship_set(str(folder / "m.chr@"))
    n = len(found.samples)
    sums = found.of(np.arange(n))
    return {"values": sums.whole, "samples": found.samples.sample_id.tolist()}


def _read_set_simply(files: Files) -> dict[str, Any]:
    prefixes = [f"m.chr{c}" for c in "12" if f"m.chr{c}.grm.bin" in files]
    if not prefixes:
        raise RefusedError("no matrix")
    total: np.ndarray | float = 0.0
    weights: np.ndarray | float = 0.0
    lists = []
    for prefix in prefixes:
        for end in (".grm.N.bin", ".grm.id"):
            if prefix + end not in files:
                raise RefusedError("a file is missing")
        lists.append(sample_list(files[prefix + ".grm.id"])[1])
        n = len(lists[0])
        read = _binary(("<f4",))
        if lists[-1] != lists[0] or len(files[prefix + ".grm.N.bin"]) != 2 * n * (n + 1):
            raise RefusedError("other samples")
        values = read(files[prefix + ".grm.bin"], n)
        counts = np.array(read(files[prefix + ".grm.N.bin"], n))
        _check(values)
        if not (np.isfinite(counts) & (counts >= 0)).all():
            raise RefusedError("no number of variants")
        total = total + np.array(values) * counts
        weights = weights + counts
    if np.min(weights) <= 0:
        raise RefusedError("a pair without a variant")
    # Sums of the same numbers in the same order, but for one multiplication where all are equal.
    return {"values": np.asarray(total / weights), "samples": lists[0]}


MATRICES = (
    Reader("grm", _seeds, _read, _read_simply, ("nan", "1e999", "general", "array", "integer")),
    Reader("grm-set", _set_seeds, _read_set, _read_set_simply),
)
