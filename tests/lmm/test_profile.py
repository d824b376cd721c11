import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.errors import ConvergenceError
from nextlmm.lmm.profile import GRID, LOG_RATIO_LIMIT, crossings, maximise


class Counted:
    def __init__(self, function):
        self.function, self.seen = function, {}

    def __call__(self, t):
        if t not in self.seen:
            self.seen[t] = self.function(t)
        return self.seen[t]


def bump(centre, scale, height=1.0):
    """Analytic in the strip of width pi, as a profile likelihood is."""
    return lambda t: -height * (np.log1p(np.exp(t - centre)) + scale * np.log1p(np.exp(centre - t)))


@given(st.floats(-9, 9), st.floats(0.2, 5), st.floats(0.5, 1e4))
def test_maximise__finds_position_and_curvature(centre, scale, height):
    function = Counted(bump(centre, scale, height))
    found = maximise(function)
    t = centre + np.log(scale)  # where scale (1 - s) = s for s the logistic function
    share = scale / (1.0 + scale)
    assert found.boundary is None
    assert found.t == pytest.approx(t, abs=1e-5)
    assert found.curvature == pytest.approx(
        -height * (1.0 + scale) * share * (1.0 - share), rel=1e-4
    )
    assert len(function.seen) <= 26


@pytest.mark.parametrize(("sign", "side"), [(-1.0, "lower"), (1.0, "upper")])
def test_maximise__flags_the_ends(sign, side):
    found = maximise(lambda t: sign * np.arctan(t))
    assert found.boundary == side
    assert found.t == sign * LOG_RATIO_LIMIT
    assert found.curvature is None


@pytest.mark.parametrize(("t", "side"), [(-11.2, None), (11.0, None)])
def test_maximise__an_interior_maximum_beside_an_end_is_not_the_end(t, side):
    found = maximise(lambda x: -((x - t) ** 2))
    assert found.boundary is side
    assert found.t == pytest.approx(t, abs=1e-8)
    assert found.curvature == pytest.approx(-2.0, rel=1e-6)


@pytest.mark.parametrize("higher", [0, 1])
def test_maximise__takes_the_highest_of_several(higher):
    heights = [1.0, 1.0]
    heights[higher] = 1.3

    def two_peaks(t):
        return heights[0] / np.cosh(t + 5.0) + heights[1] / np.cosh(t - 6.0)

    assert maximise(two_peaks).t == pytest.approx((-5.0, 6.0)[higher], abs=1e-3)


def test_maximise__refuses_what_is_not_smooth():
    noise = np.random.default_rng(0).standard_normal(10_000)
    with pytest.raises(ConvergenceError, match="no clear maximum"):
        maximise(lambda t: float(noise[round(1e3 * t) % 10_000]) + 0.1 * float(t > 100))


@given(st.floats(-6, 6), st.floats(0.5, 3), st.floats(20, 1000))
def test_crossings__are_where_the_function_has_dropped(centre, scale, height):
    function = Counted(bump(centre, scale, height))
    best = maximise(function)
    ends = crossings(function, best, 1.92, np.append(list(function.seen), best.t))
    assert ends[0] < best.t < ends[1]
    for end in ends:
        slope = abs(function(end + 1e-4) - function(end - 1e-4)) / 2e-4
        assert function(end) == pytest.approx(best.value - 1.92, abs=2e-3 * slope + 1e-6)


def test_crossings__beyond_the_line_are_infinite():
    best = maximise(lambda t: -0.001 * t * t)
    ends = crossings(lambda t: -0.001 * t * t, best, 1.92, np.append(GRID, best.t))
    assert ends.tolist() == [-np.inf, np.inf]
