import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.report.axis import strength_axis


def test_an_ordinary_signal_is_drawn_on_a_linear_axis() -> None:
    axis = strength_axis(80.0, 7.3)
    assert axis.knee is None
    assert axis.fraction(np.array([axis.top / 4])) == pytest.approx(0.25)


def test_an_overwhelming_signal_leaves_room_for_the_others() -> None:
    axis = strength_axis(4580.0, 7.3)
    assert axis.knee == 25.0
    low, high = axis.fraction(np.array([7.3, 4580.0]))
    assert low > 0.15
    assert high < 1.0


@given(st.floats(0.1, 1e4), st.floats(1.3, 7.3))
def test_value_undoes_fraction(largest: float, threshold: float) -> None:
    axis = strength_axis(largest, threshold)
    values = np.linspace(0.0, 1.2 * axis.top, 50)
    shares = axis.fraction(values)
    assert (np.diff(shares) > 0).all()
    np.testing.assert_allclose(axis.value(shares), values, rtol=1e-9, atol=1e-9)
