"""Quadratic forms of one variant and a trait under diagonal weights, and what follows from them.

Notation of ``per_variant``: q the basis of the covariates, x a variant, y the trait, H diagonal,
A = H - I, weights w (H^-1), w v (H^-1 A H^-1) and w v^2 (H^-1 A H^-1 A H^-1).  All sums over
samples come in as ``Gram`` values; here are only small matrices, batches of them in leading axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.linalg.covariance import FloatArray

IndexArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Gram:
    """Weighted inner products: qq (..., c, c), qx and qy (..., c), xx, xy and yy (...)."""

    qq: FloatArray
    qx: FloatArray
    qy: FloatArray
    xx: FloatArray
    xy: FloatArray
    yy: FloatArray


@dataclass(frozen=True, eq=False)
class Point:
    """The model with a variant at one h2.

    value : log-likelihood, up to a constant of the variant for REML, complete for ML.
    slope, bend : its first and second derivative in t = log(h2 / (1 - h2)); bend is NaN where the
        weights w v^2 were not given.
    xpx, xpy, ypy : x'Px, x'Py and y'Py, with P of the covariates alone and H in place of Sigma.
    """

    value: FloatArray
    slope: FloatArray
    bend: FloatArray
    xpx: FloatArray
    xpy: FloatArray
    ypy: FloatArray


def gram(own: FloatArray, mixed: FloatArray, squared: FloatArray, pair: IndexArray) -> Gram:
    """Assemble weighted sums into a ``Gram``.

    own : (..., pairs) sums of products of pairs of columns of (q, y).
    mixed : (..., c + 1) sums of x with (q, y).
    squared : (...) sums of x with x.
    pair : (c + 1, c + 1) which of the pairs belongs to two columns.
    """
    c = len(pair) - 1
    full = own[..., pair]
    return Gram(
        qq=full[..., :c, :c],
        qx=mixed[..., :c],
        qy=full[..., :c, c],
        xx=squared,
        xy=mixed[..., c],
        yy=full[..., c, c],
    )


def pairs(n_columns: int) -> tuple[IndexArray, IndexArray, IndexArray]:
    """First and second column of every pair, (pairs,), and the ``pair`` array of ``gram``."""
    first, second = np.triu_indices(n_columns)
    pair = np.empty((n_columns, n_columns), dtype=np.intp)
    pair[first, second] = pair[second, first] = np.arange(len(first))
    return first, second, pair


def profile_point(
    grams: Sequence[Gram],
    *,
    logdet: FloatArray,
    traces: Sequence[FloatArray],
    n: int,
    reml: bool,
) -> Point:
    """Log-likelihood of the model with the variant, and its derivatives in t.

    Parameters
    ----------
    grams : under the weights w, w v and, for the second derivative, w v^2.
    logdet : log|H|.
    traces : sums of v and, for the second derivative, of v^2.
    n : samples.
    reml : REML, or else ML.
    """
    s = grams[0]
    inverse = np.asarray(np.linalg.inv(s.qq))
    ax, ay = _apply(inverse, s.qx), _apply(inverse, s.qy)
    xpx = s.xx - _dot(s.qx, ax)
    xpy = s.xy - _dot(s.qy, ax)
    ypy = s.yy - _dot(s.qy, ay)
    beta = xpy / xpx
    rest = ypy - beta * xpy
    first = _of_residuals(grams[1], ax, ay)
    df = n - s.qq.shape[-1] - 1 if reml else n
    trace = traces[0]
    value = logdet + df * (np.log(2.0 * np.pi * rest / df) + 1.0)
    if reml:
        trace = trace - _trace(inverse, grams[1].qq) - first.xx / xpx
        value = value + np.linalg.slogdet(s.qq)[1] + np.log(xpx)
    relative = _along(first, beta) / rest  # y'PAPy / y'Py
    bend = np.full_like(relative, np.nan)
    if len(grams) == 3:
        second = _of_residuals(grams[2], ax, ay)
        projected = _without_covariates(second, first, inverse)
        twice = _along(projected, beta) - (first.xy - beta * first.xx) ** 2 / xpx
        trace_squared = traces[1]
        if reml:
            ratio = inverse @ grams[1].qq
            in_covariates = _trace(ratio, ratio.swapaxes(-1, -2)) - 2.0 * _trace(
                inverse, grams[2].qq
            )
            in_variant = (first.xx / xpx) ** 2 - 2.0 * projected.xx / xpx
            trace_squared = trace_squared + in_covariates + in_variant
        bend = 0.5 * (trace_squared - trace + df * (relative + relative**2 - 2.0 * twice / rest))
    slope = 0.5 * (df * relative - trace)
    return Point(-0.5 * value, slope, bend, xpx, xpy, ypy)


def _along(g: Gram, beta: FloatArray) -> FloatArray:
    """The form of y - x beta with itself."""
    return g.yy - beta * (2.0 * g.xy - beta * g.xx)


def _without_covariates(second: Gram, first: Gram, inverse: FloatArray) -> Gram:
    """Forms of H^-1 A P A H^-1 from those of H^-1 A H^-1 A H^-1, P of the covariates alone."""
    cx, cy = _apply(inverse, first.qx), _apply(inverse, first.qy)
    return Gram(
        qq=second.qq,
        qx=second.qx,
        qy=second.qy,
        xx=second.xx - _dot(first.qx, cx),
        xy=second.xy - _dot(first.qx, cy),
        yy=second.yy - _dot(first.qy, cy),
    )


def _of_residuals(g: Gram, ax: FloatArray, ay: FloatArray) -> Gram:
    """Forms of x - Q ax and y - Q ay in place of x and y."""
    qx, qy = g.qx - _apply(g.qq, ax), g.qy - _apply(g.qq, ay)
    return Gram(
        qq=g.qq,
        qx=qx,
        qy=qy,
        xx=g.xx - _dot(ax, g.qx) - _dot(ax, qx),
        xy=g.xy - _dot(ay, g.qx) - _dot(ax, qy),
        yy=g.yy - _dot(ay, g.qy) - _dot(ay, qy),
    )


def _apply(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("...ij,...j->...i", matrix, vector))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("...i,...i->...", a, b))


def _trace(a: FloatArray, b: FloatArray) -> FloatArray:
    """Trace of a times b', that is of a b for symmetric b."""
    return np.asarray(np.einsum("...ij,...ij->...", a, b))
