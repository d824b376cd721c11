"""How far a factor is from the matrix it stands for, from products alone.

With Sigma a matrix known by its products and W W' its approximation, everything is in the spectrum
of S = W^-1 Sigma W^-T (see :mod:`divergence`).  Lanczos processes from random directions integrate
any function over it: KL(N(0, Sigma) || N(0, W W')) = tr f(S) / 2 with f(mu) = mu - 1 - log mu,
whose value and slope vanish at 1, so that a few vectors do where S is near the identity.  The
vectors of a process from b solve with S as well: with Q the vectors and T the tridiagonal matrix,
S^-1 b ~ |b| Q T^-1 e1, and Sigma^-1 b is W^-T S^-1 W^-1 b.

Source: Hutchinson 1990; Golub and Meurant 1994; Lanczos 1952; Satterthwaite 1946.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from nextlmm.linalg.covariance import FloatArray

PencilProduct = Callable[[FloatArray], FloatArray]
"""S x for x (n, k)."""

MOST_STEPS = 40
_EXHAUSTED = 1e-10  # share of the largest coefficient that is left when a space is invariant
_ROUNDING = 1e-5  # share of a spectrum's width that products in single precision may hide
_DEPENDENT = 1e-8  # share of the largest squared length, below which a vector is no new one
_SHORTER = 2  # steps less, to see whether a quadrature has converged
_OPEN_SHARE, _NEGLIGIBLE = 0.2, 1e-3  # of the half width of an interval, and nats, left open


@dataclass(frozen=True, eq=False)
class Process:
    """A tridiagonal matrix: ``main`` (k,) and ``off`` (k - 1,), of a process from a vector b.

    ``size`` is |b|, ``following`` the next element of ``off``: 0 if the space is invariant, so that
    there is nothing to add.
    """

    size: float
    main: FloatArray
    off: FloatArray
    following: float

    @property
    def steps(self) -> int:
        """Products taken."""
        return len(self.main)

    @property
    def is_complete(self) -> bool:
        """Whether the space of the process is invariant."""
        return self.following == 0.0

    def quadrature(self, function: Callable[[FloatArray], FloatArray], steps: int) -> float:
        """B'f(S) b after so many steps."""
        nodes, vectors = linalg.eigh_tridiagonal(self.main[:steps], self.off[: steps - 1])
        return float(self.size**2 * (vectors[0] ** 2 @ function(nodes)))

    def solution(self) -> FloatArray:
        """S^-1 b in the vectors of the process, (k,)."""
        right = np.zeros(self.steps)
        right[0] = self.size
        if self.size == 0.0:
            return right
        if self.steps == 1:
            return right / self.main
        band = np.array([self.main, np.r_[self.off, 0.0]])
        return np.asarray(linalg.solveh_banded(band, right, lower=True))

    def residual(self) -> float:
        """|S x - b| / |b| of the solution x."""
        if self.is_complete or self.size == 0.0:
            return 0.0
        return abs(self.following * float(self.solution()[-1])) / self.size


@dataclass(frozen=True, eq=False)
class Run:
    """Processes in lock-step, and their vectors: (n, k) of each step."""

    processes: tuple[Process, ...]
    vectors: tuple[FloatArray, ...]

    def solutions(self) -> FloatArray:
        """S^-1 b of every process, (n, k)."""
        weights = np.zeros((len(self.vectors), len(self.processes)))
        for column, process in enumerate(self.processes):
            weights[: process.steps, column] = process.solution()
        result = np.zeros_like(self.vectors[0])
        for own, vectors in zip(weights, self.vectors, strict=True):
            result += own * vectors
        return result

    def extremes(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Ritz pairs of S furthest from 1, at most ``count``: values (r,), orthonormal (n, r).

        From the space of all processes together; furthest by mu - 1 - log mu.

        Cost: n operations for the square of the number of all vectors.
        """
        parts, images = [], []
        for column, process in enumerate(self.processes):
            own = np.column_stack([each[:, column] for each in self.vectors[: process.steps]])
            # S Q is known for all vectors that have a next one.
            known = process.steps if process.is_complete else process.steps - 1
            band = np.diag(process.main) + np.diag(process.off, 1) + np.diag(process.off, -1)
            parts.append(own[:, :known])
            images.append(own @ band[:, :known])
        space, image = np.column_stack(parts), np.column_stack(images)
        length, rotation = linalg.eigh(space.T @ space)
        kept = length > _DEPENDENT * length[-1] if len(length) else length > 0.0
        rotation = rotation[:, kept] / np.sqrt(length[kept])
        mixed = rotation.T @ (space.T @ image) @ rotation
        values, inner = linalg.eigh(0.5 * (mixed + mixed.T))
        positive = np.flatnonzero(values > 0.0)
        best = positive[np.argsort(-_excess(values[positive]), kind="stable")[:count]]
        return values[best], space @ (rotation @ inner[:, best])


@dataclass(frozen=True)
class EstimatedDivergence:
    """KL in nats from random vectors: its mean, and a 95 % interval around it.

    The interval holds what the number of vectors and of steps leaves open; ``is_settled`` if more
    steps would hardly change it.
    """

    kl: float
    low: float
    high: float
    is_settled: bool


def directions(n: int, count: int, rng: np.random.Generator) -> FloatArray:
    """Vectors (n, count) of squared length n in directions that are uniformly distributed.

    Random signs would be orthogonal to the difference of two samples in one of two cases, and to an
    eigenvector of twins with it.
    """
    x = rng.standard_normal((n, count))
    return np.asarray(x * (np.sqrt(n) / np.linalg.norm(x, axis=0)))


def lanczos(
    product: PencilProduct,
    start: FloatArray,
    enough: Callable[[Sequence[Process]], bool],
    *,
    most: int = MOST_STEPS,
) -> Run:
    """Processes of S from the columns of ``start`` (n, k), in lock-step.

    They go on until ``enough`` says so, or their spaces are invariant, but for ``most`` steps at
    most.  Every vector is kept orthogonal to all before.

    Cost: a product of k columns for each step, and memory for all vectors.
    """
    n, count = start.shape
    most = min(most, n)
    size = np.linalg.norm(start, axis=0)
    q = start / np.where(size > 0.0, size, 1.0)
    vectors: list[FloatArray] = []
    main: list[list[float]] = [[] for _ in range(count)]
    off: list[list[float]] = [[] for _ in range(count)]
    alive = np.arange(count)
    while True:
        vectors.append(q.copy())
        w = product(q[:, alive])
        along = np.einsum("nk,nk->k", q[:, alive], w)
        for _ in range(2):
            for known in vectors:
                w = w - known[:, alive] * np.einsum("nk,nk->k", known[:, alive], w)
        left = np.linalg.norm(w, axis=0)
        left[left <= _EXHAUSTED * np.maximum(np.abs(along), 1.0)] = 0.0
        if len(vectors) == n:
            left[:] = 0.0
        for at, column in enumerate(alive):
            main[column].append(float(along[at]))
            off[column].append(float(left[at]))
        q[:, alive] = w / np.where(left > 0.0, left, 1.0)
        alive = alive[left > 0.0]
        processes = tuple(
            Process(float(length), np.array(m), np.array(o[:-1]), o[-1])
            for length, m, o in zip(size, main, off, strict=True)
        )
        if not len(alive) or len(vectors) == most or enough(processes):
            return Run(processes, tuple(vectors))


def estimate_divergence(processes: Sequence[Process]) -> EstimatedDivergence:
    """KL from processes of one S that began at random directions, of which n is the squared length.

    A form v'f(S)v of such a direction v is a sum of chi-squares weighted by f of the eigenvalues,
    about a chi-square itself with (tr f)^2 / tr f^2 degrees of freedom (Satterthwaite 1946).  Few
    eigenvalues that stand out make few of them, and an interval that reaches far up.
    """
    values = np.array([process.quadrature(_excess, process.steps) for process in processes]) / 2.0
    shorter = [
        p.quadrature(_excess, p.steps if p.is_complete else max(1, p.steps - _SHORTER)) / 2.0
        for p in processes
    ]
    left_open = float(np.abs(values - shorter).max())
    mean = float(values.mean())
    low, high = _interval(processes, mean)
    is_settled = left_open <= max(_OPEN_SHARE * (high - low) / 2.0, _NEGLIGIBLE)
    is_settled &= all(p.is_complete or p.steps > _SHORTER for p in processes)
    return EstimatedDivergence(mean, max(0.0, low - left_open), high + left_open, bool(is_settled))


def _interval(processes: Sequence[Process], mean: float) -> tuple[float, float]:
    """What the chance of the directions leaves open of a mean, with 95 % confidence."""
    if mean <= 0.0:
        return 0.0, 0.0
    squares = [p.quadrature(lambda mu: _excess(mu) ** 2, p.steps) for p in processes]
    degrees = len(processes) * max(1.0, (2.0 * mean) ** 2 / float(np.mean(squares)))
    low, high = (mean * degrees / float(special.chdtri(degrees, tail)) for tail in (0.025, 0.975))
    return low, high


def _excess(mu: FloatArray) -> FloatArray:
    # An eigenvalue is positive, and one below the rounding of the largest is not known.
    mu = np.maximum(mu, _ROUNDING * mu.max())
    return np.asarray(mu - 1.0 - np.log(mu))
