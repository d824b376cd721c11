"""Pieces on workers: all of them, evenly, and none moved without need."""

from hypothesis import given
from hypothesis import strategies as st

from nextlmm.cluster.placement import placed

WORKERS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 16), min_size=1)


@given(st.integers(1, 80), WORKERS)
def test_every_piece_is_placed_once_in_proportion_to_threads(count, threads):
    where = placed(count, threads, {})
    assert sorted(number for numbers in where.values() for number in numbers) == list(range(count))
    for name, numbers in where.items():
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True
        assert abs(len(numbers) - count * threads[name] / sum(threads.values())) < 1.0


@given(st.integers(1, 80), WORKERS, WORKERS)
def test_nothing_moves_but_what_has_to(count, before, after):
    held = placed(count, before, {})
    where = placed(count, after, held)
    assert sorted(number for numbers in where.values() for number in numbers) == list(range(count))
    for name in where.keys() & held.keys():
        stayed = len(set(where[name]) & set(held[name]))
        assert stayed == min(len(where[name]), len(held[name]))


@given(st.integers(1, 80), WORKERS)
def test_the_same_workers_keep_what_they_hold(count, threads):
    where = placed(count, threads, {})
    assert placed(count, threads, where) == where
