"""How far factors are from the matrices they stand for, from products alone.

With Sigma a matrix known by its products and W W' its approximation, everything is in the spectrum
of S = W^-1 Sigma W^-T (see :mod:`divergence`).  Lanczos processes from random directions integrate
any function over it: KL(N(0, Sigma) || N(0, W W')) = tr f(S) / 2 with f(mu) = mu - 1 - log mu,
whose value and slope vanish at 1, so that a few vectors do where S is near the identity.  The same
processes bound the spectrum: after k steps from a random direction the largest Ritz value of a
positive semidefinite matrix of n rows is short of its largest eigenvalue by more than a share e
with a probability of at most 1.648 sqrt(n) exp(-sqrt(e) (2 k - 1)) (Kuczynski and Wozniakowski
1992, theorem 4.1), which holds for S - mu_min I and for mu_max I - S too.

Source: Hutchinson 1990; Golub and Meurant 1994; Satterthwaite 1946.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from nextlmm.linalg.covariance import FloatArray

IndexArray = NDArray[np.intp]
PencilProduct = Callable[[FloatArray, IndexArray], FloatArray]
"""``(x, columns)``: S x for x (n, k), each column with the S of its own process."""

FAILURE = 1e-3
"""Probability that a spectrum reaches beyond its bounds."""
_CHECKED, _MOST_STEPS = 4, 28
_SHARP = 0.5  # of the smallest Ritz value that the lower bound is to be
_EXHAUSTED = 1e-10  # share of the largest coefficient that is left when a space is invariant
_ROUNDING = 1e-5
"""Share of the width of a spectrum that products in single precision may hide."""
_SHORTER = 2  # steps less, to see whether a quadrature has converged


@dataclass(frozen=True, eq=False)
class Process:
    """A tridiagonal matrix: ``main`` (k,) and ``off`` (k - 1,), of a process of n rows.

    ``is_complete`` if the space is invariant, so that there is nothing to add.
    """

    n: int
    main: FloatArray
    off: FloatArray
    is_complete: bool

    @property
    def steps(self) -> int:
        """Products taken."""
        return len(self.main)

    def quadrature(self, function: Callable[[FloatArray], FloatArray], steps: int) -> float:
        """N times the integral of a function over the spectral measure."""
        nodes, vectors = linalg.eigh_tridiagonal(self.main[:steps], self.off[: steps - 1])
        return float(self.n * (vectors[0] ** 2 @ function(nodes)))

    def ends(self) -> tuple[float, float]:
        """The smallest and the largest Ritz value."""
        nodes = linalg.eigvalsh_tridiagonal(self.main, self.off)
        return float(nodes[0]), float(nodes[-1])


@dataclass(frozen=True)
class EstimatedDivergence:
    """KL in nats from random vectors: its mean, and a 95 % interval around it.

    The interval holds what the number of vectors and of steps leaves open.
    """

    kl: float
    low: float
    high: float


def lanczos(product: PencilProduct, n: int, of: IndexArray, *, seed: int) -> list[Process]:
    """Processes from random directions, in lock-step, one for each entry of ``of`` (k,).

    Entries are equal where the matrices are.  The processes go on until the lower bound on the
    spectrum of each matrix is half of its smallest Ritz value, but for 28 steps at most.
    Every vector is kept orthogonal to all before.

    Cost: some 16 to 48 products of k columns, and memory for all vectors.
    """
    count = len(of)
    rng = np.random.default_rng([seed, n])
    # Signs would be orthogonal to the difference of two samples in one of two cases, and to an
    # eigenvector of twins with it; the theorem is of directions that are uniformly distributed.
    q = rng.standard_normal((n, count))
    q /= np.linalg.norm(q, axis=0)
    basis: list[FloatArray] = []
    main: list[list[float]] = [[] for _ in range(count)]
    off: list[list[float]] = [[] for _ in range(count)]
    alive, complete = np.arange(count), np.zeros(count, dtype=bool)
    while len(alive):
        basis.append(q.copy())
        w = product(q[:, alive], alive)
        along = np.einsum("nk,nk->k", q[:, alive], w)
        for _ in range(2):
            for known in basis:
                w = w - known[:, alive] * np.einsum("nk,nk->k", known[:, alive], w)
        size = np.linalg.norm(w, axis=0)
        for at, column in enumerate(alive):
            main[column].append(float(along[at]))
            off[column].append(float(size[at]))
        goes_on = size > _EXHAUSTED * np.maximum(np.abs(along), 1.0)
        q[:, alive] = w / np.where(goes_on, size, 1.0)
        complete[alive[~goes_on]] = True
        alive = alive[goes_on]
        steps = len(basis)
        if steps == n:
            complete[alive] = True
        if steps in (n, _MOST_STEPS) or steps % _CHECKED == 0:
            found = [
                Process(n, np.array(m), np.array(o[:-1]), bool(done))
                for m, o, done in zip(main, off, complete, strict=True)
            ]
            if steps in (n, _MOST_STEPS) or _is_sharp(found, of):
                return found
    return [Process(n, np.array(m), np.array(o[:-1]), True) for m, o in zip(main, off, strict=True)]


def _is_sharp(processes: Sequence[Process], of: IndexArray) -> bool:
    """Whether the lower bounds are close to the smallest Ritz values."""
    for number in np.unique(of):
        own = [process for process, one in zip(processes, of, strict=True) if one == number]
        if bounded_spectrum(own)[0] < _SHARP * min(process.ends()[0] for process in own):
            return False
    return True


def estimate_divergence(processes: Sequence[Process]) -> EstimatedDivergence:
    """KL of the one S that all processes belong to.

    A form n v'f(S)v of a random direction v is a sum of chi-squares weighted by f of the
    eigenvalues, about a chi-square itself with (tr f)^2 / tr f^2 degrees of freedom (Satterthwaite
    1946).  Few eigenvalues that stand out make few of them, and an interval that reaches far up.
    """
    values = np.array([process.quadrature(_excess, process.steps) for process in processes]) / 2.0
    shorter = [p.quadrature(_excess, max(1, p.steps - _SHORTER)) / 2.0 for p in processes]
    open_end = float(np.abs(values - shorter).max())
    mean = float(values.mean())
    if mean <= 0.0:
        return EstimatedDivergence(mean, 0.0, open_end)
    squares = [p.quadrature(lambda mu: _excess(mu) ** 2, p.steps) for p in processes]
    degrees = len(values) * max(1.0, (2.0 * mean) ** 2 / float(np.mean(squares)))
    low, high = (mean * degrees / float(special.chdtri(degrees, tail)) for tail in (0.025, 0.975))
    return EstimatedDivergence(mean, max(0.0, low - open_end), high + open_end)


def bounded_spectrum(processes: Sequence[Process], failure: float = FAILURE) -> tuple[float, float]:
    """Bounds on the spectrum of the one S of all processes, wrong with at most that probability.

    The lower one is 0 where the steps are too few to say more.
    """
    ends = np.array([process.ends() for process in processes])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    shares = [_share_missed(process, failure ** (1.0 / len(processes))) for process in processes]
    share = max(shares)
    if share >= 0.5:
        return 0.0, np.inf
    room = share * (high - low) / (1.0 - 2.0 * share)
    return max(0.0, low - room), high + room


def _share_missed(process: Process, failure: float) -> float:
    """E of the theorem, each end with half of the probability."""
    if process.is_complete:
        return _ROUNDING
    excess = np.log(1.648 * np.sqrt(process.n) / (failure / 2.0)) / (2.0 * process.steps - 1.0)
    return float(excess**2)


def _excess(mu: FloatArray) -> FloatArray:
    # An eigenvalue is positive, and one below the rounding of the largest is not known.
    mu = np.maximum(mu, _ROUNDING * mu.max())
    return np.asarray(mu - 1.0 - np.log(mu))
