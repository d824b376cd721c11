"""Values in files: back to the last bit, or refused."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.errors import FormatError
from nextlmm.output.stored import packed, settled, unpacked, write_atomically


@dataclass(frozen=True)
class Inner:
    name: str
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Outer:
    inner: Inner
    pair: tuple[float, float] | None
    all: list[Inner]
    facts: dict[str, object]


KINDS = (Inner, Outer)


def there_and_back(path: Path, value: object) -> Any:
    write_atomically(path, packed(value, KINDS))
    return unpacked(path, KINDS)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.array([np.nan, -0.0, np.inf, 5e-324]),
        np.array([[True, False]]),
        np.empty((0, 3)),
        np.array(7.0),
        np.arange(5, dtype=np.float32)[::2],
        np.array(["ok", "collinear", "ok"], dtype=object),
        np.array([], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_with_their_bits_and_their_order(tmp_path: Path, array: Any) -> None:
    found = there_and_back(tmp_path / "a", array)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tolist() == array.tolist() or found.tobytes() == array.tobytes()
    assert found.flags.writeable
    if array.flags.f_contiguous or array.flags.c_contiguous:
        assert found.flags.f_contiguous == array.flags.f_contiguous
        assert found.flags.c_contiguous == array.flags.c_contiguous


def test_values_of_values_come_back(tmp_path: Path) -> None:
    inner = Inner("ä\n", np.arange(3))
    value = Outer(inner, (1.0 / 3.0, -0.0), [inner, inner], {"n": 1, "what": None, "is": True})
    found = there_and_back(tmp_path / "a", value)
    assert isinstance(found, Outer)
    assert found.pair == value.pair
    assert str(found.pair[1]) == "-0.0"
    assert found.facts == value.facts
    assert [each.name for each in found.all] == ["ä\n", "ä\n"]
    np.testing.assert_array_equal(found.inner.values, inner.values)


@given(number=st.floats(), count=st.integers())
def test_numbers_come_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, number: float, count: int
) -> None:
    path = tmp_path_factory.mktemp("n") / "a"
    back, same, exact = there_and_back(path, (number, count, np.float64(number)))
    assert np.float64(back).tobytes() == np.float64(number).tobytes() or np.isnan(number)
    assert same == count
    assert type(exact) is np.float64
    assert exact.tobytes() == np.float64(number).tobytes()


def test_what_is_not_known_is_not_kept() -> None:
    with pytest.raises(TypeError, match="Path cannot be kept"):
        packed((1, Path("a")), KINDS)


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, packed(Inner("x", np.arange(3.0)), KINDS))
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        with pytest.raises(FormatError, match=r"damaged.*delete it"):
            unpacked(path, KINDS)


@pytest.mark.parametrize("length", [0, 1, 16, 31, 100, -1])
def test_a_shorter_file_is_noticed(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a"
    write_atomically(path, packed(Inner("x", np.arange(30.0)), KINDS))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FormatError, match="damaged"):
        unpacked(path, KINDS)


def test_a_file_is_private_and_there_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_atomically(path, packed(1, ()))
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, packed(2, ()))
    monkeypatch.undo()
    assert unpacked(path, ()) == 1
    assert os.listdir(tmp_path) == ["a"]


def test_settled__is_what_comes_back(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4)[:, 1]
    value = Inner("x", array)
    found = settled(value)
    assert found.values.flags.c_contiguous
    assert settled(found) is found
    assert there_and_back(tmp_path / "a", found).values.strides == found.values.strides
