"""How far factors are from the matrices they stand for, from products alone.

With Sigma a matrix known by its products and W W' its approximation, everything is in the spectrum
of S = W^-1 Sigma W^-T (see :mod:`divergence`).  Lanczos processes from random signs integrate any
function over it: KL(N(0, Sigma) || N(0, W W')) = tr f(S) / 2 with f(mu) = mu - 1 - log mu, whose
value and slope vanish at 1, so that a few vectors do where S is near the identity.  The same
processes bound the spectrum: after k steps from a random vector the largest Ritz value of a
positive semidefinite matrix of n rows is short of its largest eigenvalue by more than a share e
with a probability of at most 1.648 sqrt(n) exp(-sqrt(e) (2 k - 1)) (Kuczynski and Wozniakowski
1992, theorem 4.1), which holds for S - mu_min I and for mu_max I - S too.

Source: Hutchinson 1990; Golub and Meurant 1994.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from nextlmm.linalg.covariance import FloatArray

IndexArray = NDArray[np.intp]
PencilProduct = Callable[[FloatArray, IndexArray], FloatArray]
"""``(x, columns)``: S x for x (n, k), each column with the S of its own process."""

STEPS = 20
FAILURE = 1e-3
"""Probability that a spectrum reaches beyond its bounds."""
_EXHAUSTED = 1e-10  # share of the largest coefficient that is left when a space is invariant
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


def lanczos(product: PencilProduct, n: int, count: int, *, steps: int, seed: int) -> list[Process]:
    """Processes from ``count`` vectors of random signs, in lock-step.

    Every vector is kept orthogonal to all before.  Cost: ``steps`` products of ``count`` columns,
    and memory for all vectors.
    """
    rng = np.random.default_rng([seed, n])
    q = rng.choice([-1.0, 1.0], (n, count)) / np.sqrt(n)
    basis = np.zeros((min(steps, n), n, count))
    main: list[list[float]] = [[] for _ in range(count)]
    off: list[list[float]] = [[] for _ in range(count)]
    alive, complete = np.arange(count), np.zeros(count, dtype=bool)
    for step in range(len(basis)):
        basis[step][:, alive] = q[:, alive]
        w = product(q[:, alive], alive)
        known = basis[: step + 1, :, alive]
        along = np.einsum("nk,nk->k", known[-1], w)
        for _ in range(2):
            w = w - np.einsum("snk,sk->nk", known, np.einsum("snk,nk->sk", known, w))
        size = np.linalg.norm(w, axis=0)
        for at, column in enumerate(alive):
            main[column].append(float(along[at]))
            off[column].append(float(size[at]))
        goes_on = size > _EXHAUSTED * np.maximum(np.abs(along), 1.0)
        q[:, alive] = w / np.where(goes_on, size, 1.0)
        complete[alive[~goes_on]] = True
        alive = alive[goes_on]
        if not len(alive):
            break
    return [
        Process(n, np.array(m), np.array(o[:-1]), bool(done) or len(m) == n)
        for m, o, done in zip(main, off, complete, strict=True)
    ]


def estimate_divergence(processes: list[Process]) -> EstimatedDivergence:
    """KL of the one S that all processes belong to."""
    values = np.array([process.quadrature(_excess, process.steps) for process in processes]) / 2.0
    shorter = [p.quadrature(_excess, max(1, p.steps - _SHORTER)) / 2.0 for p in processes]
    open_end = float(np.abs(values - shorter).max())
    mean, half = float(values.mean()), np.inf
    if len(values) > 1:
        t = float(special.stdtrit(len(values) - 1, 0.975))
        half = t * float(values.std(ddof=1)) / np.sqrt(len(values))
    elif mean == 0.0:
        half = 0.0
    return EstimatedDivergence(mean, max(0.0, mean - half - open_end), mean + half + open_end)


def bounded_spectrum(processes: list[Process], failure: float = FAILURE) -> tuple[float, float]:
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
        return 0.0
    excess = np.log(1.648 * np.sqrt(process.n) / (failure / 2.0)) / (2.0 * process.steps - 1.0)
    return float(excess**2)


def _excess(mu: FloatArray) -> FloatArray:
    return np.asarray(mu - 1.0 - np.log(mu))
