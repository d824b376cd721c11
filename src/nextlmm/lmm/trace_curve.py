"""log|h B + (1 - h) I| for every h at once, by random vectors, with its Monte-Carlo error.

B acts on a space of dimension d.  On a few orthonormal vectors U, the dominant components, the
trace of log(h B + (1 - h) I) is the sum of their measures.  On the rest it is the mean over random
signs v, projected off U, of v'log(...)v (stochastic Lanczos quadrature), less most of its variance:

- a polynomial in B close to the logarithm is subtracted from every probe, and its trace added.
  Least squares in the pooled measure of the probes are the best one, because the variance of
  v'g(B)v is 2 tr g(B)^2 up to the diagonal of g(B);
- the trace of its constant and linear part is known exactly;
- the trace of the rest, to degree 2 s, is a mean over many more probes of s products each.

Both kinds of probe are independent, and a sum over probes of what each contributes is the estimate,
so that its variance is measured.  Source: Ubaru, Chen and Saad 2017 for the quadrature; control
variates and double sampling are textbook (Cochran 1977, chapter 12).
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from scipy import linalg

from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.lanczos import IntArray, Measure

_INDEPENDENT = 1e-9  # share of its size that a polynomial must have outside those before it


def log_shifted(h: FloatArray, x: FloatArray) -> FloatArray:
    """log(h x + 1 - h), (h, x)."""
    return np.asarray(np.log1p(np.multiply.outer(h, x - 1.0)))


def log_shifted_slope(h: FloatArray, x: FloatArray) -> FloatArray:
    """Derivative of ``log_shifted`` in h, (h, x)."""
    return np.asarray((x - 1.0) / (1.0 + np.multiply.outer(h, x - 1.0)))


def inverse_shifted(h: FloatArray, x: FloatArray) -> FloatArray:
    """1 / (h x + 1 - h), (h, x)."""
    return np.asarray(1.0 / (1.0 + np.multiply.outer(h, x - 1.0)))


@dataclass(frozen=True, eq=False)
class _Pool:
    """Measures of probes on end: nodes and weights (m,), and the probe of each."""

    nodes: FloatArray
    weights: FloatArray
    probe: IntArray
    count: int

    def integrals(self, values: FloatArray) -> FloatArray:
        """(..., probes) integrals of functions with ``values`` (..., m) at the nodes."""
        sums = np.zeros((*values.shape[:-1], self.count))
        np.add.at(np.moveaxis(sums, -1, 0), self.probe, np.moveaxis(values * self.weights, -1, 0))
        return sums


def _pool(measures: tuple[Measure, ...]) -> _Pool:
    sizes = [len(measure.nodes) for measure in measures]
    return _Pool(
        np.concatenate([measure.nodes for measure in measures] or [np.empty(0)]),
        np.concatenate([measure.weights for measure in measures] or [np.empty(0)]),
        np.repeat(np.arange(len(measures)), sizes),
        len(measures),
    )


class TraceCurve:
    """The estimate, a function of h.

    Parameters
    ----------
    components : measures of orthonormal vectors U of the space, (k,).
    dimension, trace : of the space without U, and of B there.
    long : measures of probes, random signs projected on that space, at least one.
    short : measures of more such probes for polynomials to ``degree``.
    """

    def __init__(
        self,
        components: tuple[Measure, ...],
        dimension: int,
        trace: float,
        long: tuple[Measure, ...],
        short: tuple[Measure, ...],
        degree: int,
    ) -> None:
        self._degree = degree
        self._components, self._long = _pool(components), _pool(long)
        pooled = self._long.weights / self._long.count
        self._root = np.sqrt(pooled)
        self._scale = max(float(self._long.nodes.max()), np.finfo(float).tiny)
        raw = self._polynomials(self._long.nodes)
        basis, triangle = linalg.qr(self._root[:, None] * raw, mode="economic")
        size = np.linalg.norm(triangle, axis=0)
        small = np.abs(triangle.diagonal()) <= _INDEPENDENT * size[: len(triangle)]
        degrees = int(np.argmax(small)) if small.any() else len(triangle)
        self._basis, triangle = basis[:, :degrees], triangle[:degrees, :degrees]
        to_orthogonal = linalg.solve_triangular(triangle, np.eye(degrees))
        self._on_long = raw[:, :degrees] @ to_orthogonal
        self._long_moments = self._long.integrals(self._on_long.T)
        pool = _pool(short)
        on_short = self._polynomials(pool.nodes)[:, :degrees] @ to_orthogonal
        self._short_moments = pool.integrals(on_short.T)
        self._known = min(degrees, 2)
        exact = np.array([dimension, 2.0 * trace / self._scale - dimension])[: self._known]
        self._moments = np.hstack((self._long_moments, self._short_moments)).mean(axis=1)
        self._moments[: self._known] = exact @ to_orthogonal[: self._known, : self._known]

    @property
    def n_long(self) -> int:
        """Number of probes with a full measure."""
        return self._long.count

    @property
    def n_short(self) -> int:
        """Number of probes with a measure for polynomials."""
        return int(self._short_moments.shape[1])

    def values(self, h: FloatArray) -> FloatArray:
        """The estimate for each of ``h``."""
        known = log_shifted(h, self._components.nodes) @ self._components.weights
        at_nodes = log_shifted(h, self._long.nodes)
        coefficients = self._coefficients(at_nodes)
        return np.asarray(known + coefficients @ self._moments + self._rest(at_nodes).mean(axis=1))

    def slope_square(self, h: float) -> tuple[float, float]:
        """Trace of the derivative in h, and of its square; plain means, for information."""
        first = second = 0.0
        for pool in (self._components, self._long):
            slope = log_shifted_slope(np.array([h]), pool.nodes)[0]
            share = 1.0 / self._long.count if pool is self._long else 1.0
            first += share * float(slope @ pool.weights)
            second += share * float(slope**2 @ pool.weights)
        return first, second

    def errors(self, h: float) -> tuple[float, float]:
        """Monte-Carlo standard errors of the estimate and of its derivative in h."""
        at = np.array([h])
        value = self._spread(log_shifted(at, self._long.nodes))
        slope = self._spread(log_shifted_slope(at, self._long.nodes))
        return float(np.hypot(*value)), float(np.hypot(*slope))

    def difference_error(self, h: float, other: float) -> float:
        """Monte-Carlo standard error of the difference of the estimates at two h."""
        first, second = log_shifted(np.array([h, other]), self._long.nodes)
        return float(np.hypot(*self._spread((first - second)[None])))

    def per_probe(self, h: float) -> tuple[float, float]:
        """Standard deviations of the derivative in h for one probe.

        Of what is left for long probes, and of the part that short ones serve as well.
        """
        at_nodes = log_shifted_slope(np.array([h]), self._long.nodes)
        rest, shared = self._rest(at_nodes)[0], self._shared(at_nodes)[0]
        every = np.concatenate((shared, self._shared(at_nodes, short=True)[0]))
        return float(rest.std(ddof=1)), float(every.std(ddof=1))

    def _spread(self, at_nodes: FloatArray) -> tuple[float, float]:
        """Standard errors from long and from short probes, of which each adds its contribution."""
        count = self.n_long + self.n_short
        long = self._shared(at_nodes)[0] / count + self._rest(at_nodes)[0] / self.n_long
        short = self._shared(at_nodes, short=True)[0] / count
        return tuple(  # type: ignore[return-value]
            float(np.sqrt(len(x)) * x.std(ddof=1)) if len(x) > 1 else 0.0 for x in (long, short)
        )

    def _shared(self, at_nodes: FloatArray, *, short: bool = False) -> FloatArray:
        """(h, probes) what each adds through the polynomials whose trace is not known."""
        moments = self._short_moments if short else self._long_moments
        coefficients = self._coefficients(at_nodes)
        return np.asarray(coefficients[:, self._known :] @ moments[self._known :])

    def _rest(self, at_nodes: FloatArray) -> FloatArray:
        """(h, long probes) integrals of what the polynomials do not explain."""
        explained = self._coefficients(at_nodes) @ self._on_long.T
        return self._long.integrals(at_nodes - explained)

    def _coefficients(self, at_nodes: FloatArray) -> FloatArray:
        """(h, degrees) least squares in the pooled measure."""
        return np.asarray((at_nodes * self._root) @ self._basis)

    def _polynomials(self, x: FloatArray) -> FloatArray:
        return np.asarray(chebvander(2.0 * x / self._scale - 1.0, self._degree))
