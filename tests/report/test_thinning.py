import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.report.thinning import worth_showing


def genome(m: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.random(m)), -np.log10(rng.random(m))


@given(st.integers(1, 3000), st.integers(100, 400), st.integers(0, 5))
def test_worth_showing__is_within_its_places(m: int, places: int, seed: int) -> None:
    x, strength = genome(m, seed)
    kept = worth_showing(x, strength, places)
    assert len(kept) <= places
    assert (np.diff(kept) > 0).all()
    if m <= places:
        assert len(kept) == m


def test_worth_showing__keeps_every_strong_variant() -> None:
    x, strength = genome(200_000)
    kept = worth_showing(x, strength, 42_000)
    assert set(np.flatnonzero(strength > 3.0)) <= set(kept.tolist())


def test_worth_showing__keeps_the_strongest_where_there_is_no_room_for_all() -> None:
    x, strength = genome(50_000)
    strength += 10.0
    kept = worth_showing(x, strength, 1_000)
    assert set(np.argsort(-strength)[:299]) <= set(kept.tolist())
    assert len(kept) <= 1_000


def test_worth_showing__paints_the_same_pixels() -> None:
    x, strength = genome(1_000_000)
    kept = worth_showing(x, strength, 42_000)

    def painted(rows: np.ndarray) -> np.ndarray:
        """Pixels of a plot 1,000 wide and 300 high for 8 units, by dots 3 pixels across."""
        image = np.zeros((1004, 304), bool)
        column = (x[rows] * 1000).astype(int)
        row = (strength[rows] / 8.0 * 300).astype(int)
        for right in range(3):
            for up in range(3):
                image[column + right, row + up] = True
        return image

    everything, shown = painted(np.arange(len(x))), painted(kept)
    assert not (shown & ~everything).any()
    assert np.count_nonzero(shown) > 0.85 * np.count_nonzero(everything)


def test_worth_showing__takes_variants_from_anywhere_in_a_mesh() -> None:
    x, strength = genome(1_000_000)
    kept = worth_showing(x, strength, 42_000)
    weak = kept[strength[kept] < 1.0]
    places = 42_000 - 12_600
    columns = places // int(np.sqrt(places / 9.0))
    inside = x[weak] * columns % 1.0
    assert inside.mean() == pytest.approx(0.5, abs=0.02)  # 10,000 of them: 7 standard errors
