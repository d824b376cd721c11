import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.lmm.root import root_between


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-12])
@given(st.floats(-5, 5), st.floats(0.1, 4), st.floats(0.1, 4), st.sampled_from([0.3, 1.0, 3.0]))
def test_root__is_within_the_tolerance(tolerance, at, left, right, power):
    def function(x):
        return np.sign(x - at) * np.abs(x - at) ** power

    found = root_between(function, at - left, at + right, tolerance=tolerance)
    # beyond the tolerance, only the rounding of positions up to 10 is left
    assert abs(found - at) <= tolerance + 1e-14
    assert root_between(lambda x: -function(x), at - left, at + right, tolerance=tolerance) == found


def test_root__of_a_smooth_function_takes_few_evaluations():
    seen = []

    def function(x):
        seen.append(x)
        return 2.0 - np.sqrt(x)

    assert root_between(function, 0.5, 9.0, tolerance=1e-3) == pytest.approx(4.0, abs=1e-3)
    assert len(seen) <= 8  # bisection alone takes two ends and 14 halvings


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_root__may_be_an_end(end):
    assert root_between(lambda x: x - end, 0.0, 1.0, tolerance=1e-6) == end


def test_root__needs_a_change_of_sign():
    with pytest.raises(ValueError, match="same sign"):
        root_between(lambda x: 1.0 + x * x, -1.0, 1.0, tolerance=1e-3)
