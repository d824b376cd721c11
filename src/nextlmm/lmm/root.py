"""Where a function of one number changes its sign."""

from collections.abc import Callable


def root_between(
    function: Callable[[float], float], low: float, high: float, *, tolerance: float
) -> float:
    """A place within ``tolerance`` of where a continuous ``function`` changes its sign.

    By inverse quadratic interpolation where the last three points allow it, else by bisection
    (T. R. Chandrupatla, Advances in Engineering Software 28:145-149, 1997), after one secant.
    SciPy has such a search in a package that takes a tenth of a second to load.

    Cost: half a dozen evaluations for a smooth function, ends included.

    Raises
    ------
    ValueError
        If the function has the same sign at both ends.
    """
    near, far = float(high), float(low)  # the last point, and the other end of the bracket
    at_near, at_far = function(near), function(far)
    if at_near * at_far > 0.0:
        raise ValueError(f"the function has the same sign at {low} and {high}")
    share = at_near / (at_near - at_far) if at_near else 0.0  # of the bracket, from the last point
    while at_near != 0.0 and abs(far - near) > tolerance:
        least = 0.5 * tolerance / abs(far - near)
        new = near + min(max(share, least), 1.0 - least) * (far - near)
        at_new = function(new)
        older, at_older = near, at_near
        if (at_new > 0.0) != (at_near > 0.0):
            older, at_older, far, at_far = far, at_far, near, at_near
        near, at_near = new, at_new
        share = _interpolated((near, far, older), (at_near, at_far, at_older))
    return near if abs(at_near) <= abs(at_far) else far


def _interpolated(at: tuple[float, float, float], values: tuple[float, float, float]) -> float:
    """Next point as a share of the way from the first to the second; a half where in doubt."""
    (x, y, z), (fx, fy, fz) = at, values
    xi, phi = (x - y) / (z - y), (fx - fy) / (fz - fy)
    if not (phi * phi < xi and (1.0 - phi) ** 2 < 1.0 - xi):
        return 0.5
    return fx / (fy - fx) * fz / (fy - fz) + (z - x) / (y - x) * fx / (fz - fx) * fy / (fz - fy)
