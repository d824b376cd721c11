"""The Lanczos processes behind a ``KrylovLikelihood``, run until their brackets are narrow.

Gauss and Gauss-Radau quadrature bracket every form and logarithm, hence the likelihood.  Steps are
taken until the bracket is narrow at every h2 where its upper end comes near the highest lower end:
elsewhere it does not matter, and near h2 = 1 it would cost many steps.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from nextlmm.errors import ConvergenceError, NotPositiveDefiniteError
from nextlmm.linalg.covariance import FloatArray
from nextlmm.linalg.lanczos import IntArray, Jacobi, Measure, Replay
from nextlmm.lmm.ground import Ground
from nextlmm.lmm.krylov import (
    CenteredTrait,
    KrylovLikelihood,
    ShiftedForms,
    ShiftedSolution,
    centre_trait,
)
from nextlmm.lmm.profile import LOG_RATIO_LIMIT, STEP
from nextlmm.lmm.trace_curve import TraceCurve, inverse_shifted, log_shifted

LATTICE = expit(
    np.concatenate(
        (
            [-LOG_RATIO_LIMIT],
            STEP * np.arange(np.ceil(-LOG_RATIO_LIMIT / STEP), LOG_RATIO_LIMIT / STEP),
            [LOG_RATIO_LIMIT],
        )
    )
)
NEAR = 4.0  # log-likelihood below its maximum, twice what the 95 % interval needs
LOWEST = -1e-6  # an eigenvalue of K may be as far below 0 by rounding
LOG_TOLERANCE = 1e-2  # width of the bracket of a log-likelihood that random vectors leave
FORM_TOLERANCE = 1e-4  # the same for y'Py and the covariates
FIRST_STEPS, MORE_STEPS, MOST_STEPS = 6, 2, 600


@dataclass(frozen=True, eq=False)
class Space:
    """A trait in the range of Q, and the number of its process on the ground it shares."""

    ground: Ground
    trait: CenteredTrait
    process: int

    @property
    def known(self) -> IntArray:
        """The processes of [u, R]."""
        return np.append(self.process, self.ground.coupling)

    def replay(self, columns: IntArray, n_known: int = 0) -> Replay:
        """These processes as if nobody else used them."""
        ground = self.ground
        return Replay(ground.process, columns, n_known=n_known, ahead=ground.ahead)


def space_of(ground: Ground, y: FloatArray) -> Space:
    """The trait y (n,) on this ground."""
    trait = centre_trait(y, ground.design)
    return Space(ground, trait, ground.of_trait(y, trait))


@dataclass(frozen=True, eq=False)
class Probed:
    """Measures of long probes, and of short ones with ``short_steps`` products; what they cost."""

    long: tuple[Measure, ...]
    short: tuple[Measure, ...]
    short_steps: int
    n_steps: int
    n_products: int

    def __add__(self, other: "Probed") -> "Probed":
        return Probed(
            self.long + other.long,
            self.short + other.short,
            other.short_steps,
            max(self.n_steps, other.n_steps),
            self.n_products + other.n_products,
        )


@dataclass(frozen=True, eq=False)
class FirstRun:
    """All that needs one process each, and the first probes.

    known, recorded : of [u, R].
    components : measures of U; trace_rest : of B outside U.
    probed : the first probes; region : h2 where everything has converged.
    vectors : the Lanczos vectors of u, (n, m).
    """

    space: Space
    known: tuple[Jacobi, ...]
    recorded: tuple[FloatArray, ...]
    components: tuple[Measure, ...]
    trace_rest: float
    probed: Probed
    region: FloatArray
    vectors: FloatArray

    @property
    def solution(self) -> ShiftedSolution:
        """About A^-1 u, where everything has converged."""
        return ShiftedSolution(self.known[0], self.vectors)

    def curve(self, probed: Probed, short_steps: int) -> TraceCurve:
        """The logarithm by these probes, whose short ones have so many steps."""
        rest = self.space.ground.dimension - len(self.components)
        return TraceCurve(
            self.components, rest, self.trace_rest, probed.long, probed.short, 2 * short_steps
        )

    def likelihood(self, probed: Probed) -> KrylovLikelihood:
        """The likelihood by these probes."""
        space, curve = self.space, self.curve(probed, probed.short_steps)
        forms = ShiftedForms(self.known, self.recorded)
        return KrylovLikelihood(
            space.trait, space.ground.k_basis, space.ground.coupled, forms, curve
        )


def first_run(space: Space, *, n_long: int, h2: float | None = None) -> FirstRun:
    """Everything in lock-step until it has converged, at ``h2`` or wherever likelihood is high."""
    ground, known = space.ground, space.known
    probes = ground.of_probes(0, n_long)
    all_columns = np.concatenate((known, ground.of_components, probes))
    process = space.replay(all_columns, len(known))
    first_probe = len(known) + len(ground.of_components)
    every = np.arange(len(all_columns))
    columns = np.split(every, [len(known), first_probe])
    process.extend(every, FIRST_STEPS)
    at = LATTICE if h2 is None else np.array([h2])
    while True:
        run = _snapshot(space, process, columns)
        logs = np.array([_log_gap(process.jacobi(j), at) for j in every[len(known) :]])
        forms = np.array([_form_gap(jacobi, at) for jacobi in run.known])
        near = _near(run, logs, forms, at) if h2 is None else np.ones(1, dtype=bool)
        wide = np.append(_wide_forms(run, forms, at), _wide_logs(run, logs), axis=0)
        active = np.flatnonzero(wide[:, near].any(axis=1))
        if not active.size:
            vectors = process.vectors(0)
            ground.forget(space.process)
            return replace(run, region=at[near], vectors=vectors)
        _check_steps(process, active)
        process.extend(active, MORE_STEPS)


def more_probes(
    space: Space, region: FloatArray, *, first: int, n_long: int, n_short: int, short_steps: int
) -> Probed:
    """More probes after the ``first`` ones, the long ones converged in ``region``."""
    process = space.replay(space.ground.of_probes(first, first + n_long + n_short))
    process.extend(np.arange(n_long + n_short), short_steps)
    active = np.arange(n_long)
    while active.size:
        gaps = [_log_gap(process.jacobi(j), region).max() for j in active]
        active = active[np.array(gaps) > 2.0 * LOG_TOLERANCE]
        _check_steps(process, active)
        process.extend(active, MORE_STEPS)
    return Probed(
        tuple(process.jacobi(j).gauss() for j in range(n_long)),
        tuple(process.jacobi(j).moments() for j in range(n_long, n_long + n_short)),
        short_steps,
        int(process.steps.max(initial=0)),
        process.n_products,
    )


def _snapshot(space: Space, process: Replay, columns: list[IntArray]) -> FirstRun:
    known, components, long = columns
    return FirstRun(
        space=space,
        known=tuple(process.jacobi(j) for j in known),
        recorded=tuple(process.recorded(j) for j in known),
        components=tuple(process.jacobi(j).gauss() for j in components),
        trace_rest=space.ground.trace - sum(float(process.jacobi(j).main[0]) for j in components),
        probed=Probed(
            tuple(process.jacobi(j).gauss() for j in long),
            (),
            FIRST_STEPS // 2,
            int(process.steps.max()),
            process.n_products,
        ),
        region=np.empty(0),
        vectors=np.empty((space.ground.design.n, 0)),
    )


def _log_gap(jacobi: Jacobi, at: FloatArray) -> FloatArray:
    """(h,) by how much v'log(h B + 1 - h)v may be below its Gauss quadrature."""
    upper, lower = _checked(jacobi)
    above = log_shifted(at, upper.nodes) @ upper.weights
    return np.asarray(above - log_shifted(at, lower.nodes) @ lower.weights)


def _form_gap(jacobi: Jacobi, at: FloatArray) -> FloatArray:
    """(h,) by how much v'(h B + 1 - h)^-1 v may be above its Gauss quadrature."""
    lower, upper = _checked(jacobi)
    below = inverse_shifted(at, lower.nodes) @ lower.weights
    return np.asarray(inverse_shifted(at, upper.nodes) @ upper.weights - below)


def _checked(jacobi: Jacobi) -> tuple[Measure, Measure]:
    measure = jacobi.gauss()
    if measure.nodes.min() <= LOWEST:
        raise NotPositiveDefiniteError(
            f"a relationship matrix has an eigenvalue of at most {measure.nodes.min():.3g}; "
            "expected one without negative eigenvalues; check where the matrix comes from"
        )
    return measure, jacobi.gauss_radau(LOWEST)


def _near(run: FirstRun, logs: FloatArray, forms: FloatArray, at: FloatArray) -> NDArray[np.bool_]:
    """(h,) where the REML or ML likelihood may come near its maximum, and the next points."""
    likelihood = run.likelihood(run.probed)
    log_a = likelihood.trace.values(at)
    slack = logs[: len(run.components)].sum(axis=0) + logs[len(run.components) :].mean(axis=0)
    form = ShiftedForms(run.known, run.recorded).diagonal(at)[0]
    schur = likelihood.logdet_schur(at)
    near = np.zeros(len(at), dtype=bool)
    design = run.space.ground.design
    for df, extra in ((design.n - design.n_covariates, 0.0), (design.n, schur)):
        low = -0.5 * (df * np.log(form + forms[0]) + log_a + extra)
        high = -0.5 * (df * np.log(form) + log_a - slack + extra)
        near |= high >= low.max() - NEAR
    near[1:] |= near[:-1].copy()
    near[:-1] |= near[1:].copy()
    return near


def _wide_logs(run: FirstRun, logs: FloatArray) -> NDArray[np.bool_]:
    allowed = np.full(len(logs), 2.0 * LOG_TOLERANCE)
    allowed[: len(run.components)] /= max(len(run.components), 1)
    return np.asarray(logs > allowed[:, None])


def _wide_forms(run: FirstRun, forms: FloatArray, at: FloatArray) -> NDArray[np.bool_]:
    """Whether the forms of u move y'Py, and those of R the Schur complement, by too much."""
    ground, known = run.space.ground, ShiftedForms(run.known, run.recorded).diagonal(at)
    own = ground.k_basis.diagonal()[ground.coupled, None]
    schur = at * own + (1.0 - at) - at**2 * known[1:]
    # At an h2 of 0, where moments may end, nothing of R is in the Schur complement.
    weight = np.broadcast_to(at, schur.shape)
    allowed = np.divide(schur, weight**2, out=np.full(schur.shape, np.inf), where=weight > 0.0)
    size = np.vstack((known[:1] / ground.design.n, allowed))
    return np.asarray(~(forms <= 2.0 * FORM_TOLERANCE * np.maximum(size, 0.0)))


def _check_steps(process: Replay, active: IntArray) -> None:
    if active.size and int(process.steps[active].max()) >= MOST_STEPS:
        raise ConvergenceError(
            f"the likelihood was not found in {MOST_STEPS} steps: it is high where the model is "
            "nearly singular, at a heritability of almost 1; expected a lower one; use a dense "
            "mode, or moments (--method he)"
        )
