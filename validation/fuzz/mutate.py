"""How a file is damaged: bytes, numbers, lines, cells, compressions, and files among each other."""

import bz2
import gzip
import random
import re
import zlib
from collections.abc import Callable, Sequence

Files = dict[str, bytes]
"""The files of one input by their names, which may have folders in them."""

_SIZES = (0, 1, -1, 2, 127, 255, 256, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**63 - 1)
_TOKENS = (
    *("", "0", "-1", "2", "1_0", "1.5", "1e400", "-1e400", "1e-400", "nan", "inf", "-inf", "NA"),
    *("2147483648", "4294967296", "1152921504606846976", "9223372036854775808", "9" * 5000),
    *("\u0663", "\u00b2", "0x10", "1,5", "+5", "--5", "-9", '"', '"a', "'", "\\", "%s", "=1+1"),
    *("\u00a0", "\u2028", "\x0b", "\x1f", "\ufeff", "\x00", "\ud7ff", "#", "##", "FID", "IID"),
    *("<script>", "a" * 300, "a" * 70000, "A" * 200_000, ".", "..", "/", "*", "[", "{", "{}"),
)
_LINE_END = re.compile(r"(\r\n|\n|\r)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SEPARATORS = re.compile(r"[\t ,;]")


def mutated(
    files: Files, rng: random.Random, others: Sequence[Files], tokens: Sequence[str]
) -> Files:
    """A copy with one to a few changes; ``others`` are inputs to take pieces from."""
    changed = dict(files)
    for _ in range(1 + int(rng.expovariate(1.2))):
        if rng.random() < 0.04:
            _among_files(changed, rng, others)
            continue
        name = rng.choice(sorted(changed))
        donor = rng.choice(others).get(name, b"") if others else b""
        changed[name] = _content(changed[name], rng, donor, tokens)
    return changed


def _among_files(files: Files, rng: random.Random, others: Sequence[Files]) -> None:
    """Lose, empty or exchange files."""
    name, other = rng.choice(sorted(files)), rng.choice(sorted(files))
    what = rng.randrange(4)
    if what == 0:
        del files[name]
        files.setdefault(other, b"")
    elif what == 1:
        files[name] = b""
    elif what == 2:
        files[name], files[other] = files[other], files[name]
    elif others:
        files[name] = rng.choice(others).get(name, b"")


def _content(content: bytes, rng: random.Random, donor: bytes, tokens: Sequence[str]) -> bytes:
    """One change of a file; one within its compression where it has one, mostly."""
    for magic, unpack, pack in _COMPRESSIONS:
        if content.startswith(magic) and rng.random() < 0.75:
            try:
                inner, donor = unpack(content), unpack(donor) if donor else b""
            except (OSError, EOFError, ValueError, zlib.error):
                break
            return pack(_content(inner, rng, donor, tokens))
    if rng.random() < 0.02:
        return rng.choice([gzip.compress(content, mtime=0), bz2.compress(content)])
    text = _text_of(content)
    if text is not None and rng.random() < 0.8:
        changed = rng.choice(_TEXT_CHANGES)(text, rng, tokens)
        return changed.encode("utf-8", "surrogatepass")
    return rng.choice(_BYTE_CHANGES)(content, rng, donor)


def _unzip(content: bytes) -> bytes:
    return gzip.decompress(content)


_COMPRESSIONS: tuple[tuple[bytes, Callable[[bytes], bytes], Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", _unzip, lambda content: gzip.compress(content, mtime=0)),
    (b"BZh", bz2.decompress, bz2.compress),
)


def _text_of(content: bytes) -> str | None:
    if b"\0" in content[:4096]:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


# Bytes


def _place(content: bytes, rng: random.Random) -> int:
    """A place, as often in the first bytes, where headers are, as anywhere."""
    reach = len(content) if rng.random() < 0.5 else min(len(content), 64)
    return rng.randrange(reach) if reach else 0


def _flip(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        changed[_place(content, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set_bytes(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    at, count = _place(content, rng), rng.choice((1, 2, 4, 16))
    value = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", rng.randbytes(1)))
    return content[:at] + value * count + content[at + count :]


def _set_number(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    """Write an odd size or count over the bytes of a number."""
    at, width = _place(content, rng), rng.choice((1, 2, 4, 8))
    number = rng.choice(_SIZES) % 256**width
    return content[:at] + number.to_bytes(width, "little") + content[at + width :]


def _add_number(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    at, width = _place(content, rng), rng.choice((1, 2, 4))
    old = int.from_bytes(content[at : at + width], "little")
    number = (old + rng.choice((-2, -1, 1, 2, 16))) % 256**width
    return content[:at] + number.to_bytes(width, "little") + content[at + width :]


def _delete(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    at = _place(content, rng)
    return content[:at] + content[at + rng.choice((1, 2, 3, 4, 8, 64, 1024)) :]


def _insert(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    at = _place(content, rng)
    return content[:at] + rng.randbytes(rng.choice((1, 2, 4, 64))) + content[at:]


def _repeat(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    at = _place(content, rng)
    piece = content[at : at + rng.choice((1, 4, 32, 256))]
    return content[:at] + piece * rng.choice((2, 3, 50)) + content[at + len(piece) :]


def _truncate(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    return content[: rng.randrange(len(content))] if content else content


def _splice(content: bytes, rng: random.Random, donor: bytes) -> bytes:
    return content[: _place(content, rng)] + donor[_place(donor, rng) :]


_BYTE_CHANGES = (
    *(_flip, _flip, _set_bytes, _set_number, _set_number, _add_number),
    *(_delete, _insert, _repeat, _truncate, _splice),
)


# Text


def _lines(text: str) -> list[str]:
    """Lines and their ends, alternating."""
    return _LINE_END.split(text)


def _change_lines(text: str, rng: random.Random, tokens: Sequence[str]) -> str:
    """Double, delete, exchange or empty a line."""
    parts = _lines(text)
    numbers = range(0, len(parts), 2)
    one, two = 2 * rng.randrange(len(numbers)), 2 * rng.randrange(len(numbers))
    what = rng.randrange(5)
    if what == 0:
        parts[one] = f"{parts[one]}\n{parts[one]}"
    elif what == 1:
        del parts[one : one + 2]
    elif what == 2:
        parts[one], parts[two] = parts[two], parts[one]
    elif what == 3:
        parts[one] = ""
    else:
        parts[one : one + 1] = [parts[one], rng.choice(("\n", "\r\n", "\r", "\n\n"))]
    return "".join(parts)


def _change_cells(text: str, rng: random.Random, tokens: Sequence[str]) -> str:
    """Replace, double, delete or exchange a cell of a line."""
    parts = _lines(text)
    at = 2 * rng.randrange((len(parts) + 1) // 2)
    separator = next(iter(_SEPARATORS.findall(parts[at])), " ")
    cells = parts[at].split(separator)
    one, two = rng.randrange(len(cells)), rng.randrange(len(cells))
    what = rng.randrange(6)
    if what <= 1:
        cells[one] = _token(rng, tokens)
    elif what == 2:
        cells.insert(one, cells[two])
    elif what == 3:
        del cells[one]
    elif what == 4:
        cells[one], cells[two] = cells[two], cells[one]
    else:
        cells[one] += _token(rng, tokens)
    parts[at] = separator.join(cells)
    return "".join(parts)


def _token(rng: random.Random, tokens: Sequence[str]) -> str:
    return rng.choice(tokens) if tokens and rng.random() < 0.4 else rng.choice(_TOKENS)


def _change_number(text: str, rng: random.Random, tokens: Sequence[str]) -> str:
    """Replace a number of the text."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    chosen = rng.choice(found)
    what = rng.random()
    if what < 0.4:
        number = str(rng.choice(_SIZES))
    elif what < 0.7:
        number = str(int(float(chosen[0])) + rng.choice((-1, 1))) if len(chosen[0]) < 19 else "0"
    else:
        number = _token(rng, tokens)
    return text[: chosen.start()] + number + text[chosen.end() :]


def _change_separators(text: str, rng: random.Random, tokens: Sequence[str]) -> str:
    one, other = rng.choice("\t ,;\n"), rng.choice(("\t", " ", ",", ";", "  ", "\r", "\r\n", ""))
    return text.replace(one, other, rng.choice((1, 3, -1)))


def _change_start(text: str, rng: random.Random, tokens: Sequence[str]) -> str:
    return rng.choice(("\ufeff", "\n", "#", " ", '"')) + text


def _insert_token(text: str, rng: random.Random, tokens: Sequence[str]) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + _token(rng, tokens) + text[at:]


def _delete_text(text: str, rng: random.Random, tokens: Sequence[str]) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.choice((1, 1, 2, 10, 100)) :]


_TEXT_CHANGES = (
    *(_change_lines, _change_lines, _change_cells, _change_cells, _change_cells),
    *(_change_number, _change_number, _change_separators, _change_start, _insert_token),
    _delete_text,
)
