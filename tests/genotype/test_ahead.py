"""One value is read ahead of its use, no more, and errors come in their turn."""

import threading

import pytest

from nextlmm.genotype.ahead import read_ahead


def test_values_come_in_order_with_their_items():
    assert list(read_ahead(lambda x: x * x, range(5))) == [(x, x * x) for x in range(5)]
    assert list(read_ahead(lambda x: x, [])) == []


def test_the_next_one_is_read_while_one_is_used():
    begun = {item: threading.Event() for item in range(3)}

    def read(item):
        begun[item].set()
        return item

    values = read_ahead(read, range(3))
    assert next(values) == (0, 0)
    assert begun[1].wait(10.0)  # without the next one being asked for
    assert not begun[2].wait(0.05)
    assert next(values) == (1, 1)
    assert begun[2].wait(10.0)


def test_an_error_comes_in_the_turn_of_its_item():
    def read(item):
        if item == 2:
            raise OSError("gone")
        return item

    values = read_ahead(read, range(4))
    assert [next(values), next(values)] == [(0, 0), (1, 1)]
    with pytest.raises(OSError, match="gone"):
        next(values)


def test_stopping_early_leaves_no_thread():
    before = threading.active_count()
    values = read_ahead(lambda item: item, range(100))
    next(values)
    values.close()
    assert threading.active_count() == before
