"""The Lanczos processes behind a ``KrylovLikelihood``, run until their brackets are narrow.

Gauss and Gauss-Radau quadrature bracket every form and logarithm, hence the likelihood.  Steps are
taken until the bracket is narrow at every h2 where its upper end comes near the highest lower end:
elsewhere it does not matter, and near h2 = 1 it would cost many steps.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.special import expit

from nextlmm.errors import ConvergenceError, NotPositiveDefiniteError
from nextlmm.linalg.covariance import FloatArray, SymmetricOperator
from nextlmm.linalg.lanczos import IntArray, Jacobi, Lanczos, Measure, Operator
from nextlmm.lmm.krylov import CenteredTrait, KrylovLikelihood, ShiftedForms
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
COMPONENT_IS_NEW = 1e-3  # share of a component that covariates and others leave


@dataclass(frozen=True, eq=False)
class Space:
    """The range of Q, what is known of K there, and the vectors that processes start at.

    trait : u and the design.
    operator : x -> Q K x, for x in the range of Q.
    k_basis : Qc'K Qc, (c, c).
    coupled : columns of Qc that K couples with the range of Q.
    left : (n, l), [u, R].
    components : U, (n, k), orthonormal.
    trace : of Q K Q.
    """

    trait: CenteredTrait
    operator: Operator
    k_basis: FloatArray
    coupled: IntArray
    left: FloatArray
    components: FloatArray
    trace: float

    @property
    def dimension(self) -> int:
        """Of the range of Q."""
        return self.trait.design.n - self.trait.design.n_covariates

    def without_components(self, x: FloatArray) -> FloatArray:
        """The part of x in the range of Q and outside the components."""
        x = self.trait.design.project(x)
        return np.asarray(x - self.components @ (self.components.T @ x))

    def probes(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Random signs, projected, (n, count)."""
        signs = rng.integers(0, 2, size=(self.trait.design.n, count), dtype=np.int8)
        return self.without_components(np.where(signs, 1.0, -1.0))


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
    """

    space: Space
    known: tuple[Jacobi, ...]
    recorded: tuple[FloatArray, ...]
    components: tuple[Measure, ...]
    trace_rest: float
    probed: Probed
    region: FloatArray

    def curve(self, probed: Probed, short_steps: int) -> TraceCurve:
        """The logarithm by these probes, whose short ones have so many steps."""
        rest = self.space.dimension - len(self.components)
        return TraceCurve(
            self.components, rest, self.trace_rest, probed.long, probed.short, 2 * short_steps
        )

    def likelihood(self, probed: Probed) -> KrylovLikelihood:
        """The likelihood by these probes."""
        space, curve = self.space, self.curve(probed, probed.short_steps)
        forms = ShiftedForms(self.known, self.recorded)
        return KrylovLikelihood(space.trait, space.k_basis, space.coupled, forms, curve)


def make_space(
    trait: CenteredTrait, operator: SymmetricOperator, product: Operator, components: FloatArray
) -> Space:
    """Products of K with the covariates' basis, and the components made orthonormal."""
    design = trait.design
    image = operator.matmul(design.basis)
    outside = design.project(image)
    size = np.linalg.norm(outside, axis=0)
    coupled = np.flatnonzero(size > 1e-10 * np.maximum(np.linalg.norm(image, axis=0), 1.0))
    k_basis = design.basis.T @ image
    vectors, kept, _ = linalg.svd(design.project(components), full_matrices=False)
    return Space(
        trait=trait,
        operator=lambda x: design.project(np.asarray(product(x), dtype=np.float64)),
        k_basis=(k_basis + k_basis.T) / 2.0,
        coupled=coupled,
        left=np.column_stack((trait.residual, outside[:, coupled])),
        components=np.ascontiguousarray(vectors[:, kept > COMPONENT_IS_NEW]),
        trace=float(operator.diagonal().sum() - np.trace(k_basis)),
    )


def first_run(
    space: Space,
    *,
    n_long: int,
    rng: np.random.Generator,
    h2: float | None = None,
) -> FirstRun:
    """Everything in lock-step until it has converged, at ``h2`` or wherever likelihood is high."""
    start = np.hstack((space.left, space.components, space.probes(n_long, rng)))
    process = Lanczos(space.operator, start, space.left, dimension=space.dimension)
    ends = np.cumsum([space.left.shape[1], space.components.shape[1]])
    columns = np.split(np.arange(start.shape[1]), ends)
    process.extend(np.arange(start.shape[1]), FIRST_STEPS)
    at = LATTICE if h2 is None else np.array([h2])
    while True:
        run = _snapshot(space, process, columns)
        logs = np.array(
            [_log_gap(process.jacobi(j), at) for j in range(int(ends[0]), start.shape[1])]
        )
        forms = np.array([_form_gap(jacobi, at) for jacobi in run.known])
        near = _near(run, logs, forms, at) if h2 is None else np.ones(1, dtype=bool)
        wide = np.append(_wide_forms(run, forms, at), _wide_logs(run, logs), axis=0)
        active = np.flatnonzero(wide[:, near].any(axis=1))
        if not active.size:
            return replace(run, region=at[near])
        _check_steps(process, active)
        process.extend(active, MORE_STEPS)


def more_probes(
    space: Space,
    region: FloatArray,
    *,
    n_long: int,
    n_short: int,
    short_steps: int,
    rng: np.random.Generator,
) -> Probed:
    """More probes, the long ones converged in ``region``."""
    process = Lanczos(
        space.operator, space.probes(n_long + n_short, rng), dimension=space.dimension
    )
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


def _snapshot(space: Space, process: Lanczos, columns: list[IntArray]) -> FirstRun:
    left, components, long = columns
    return FirstRun(
        space=space,
        known=tuple(process.jacobi(j) for j in left),
        recorded=tuple(process.recorded(j) for j in left),
        components=tuple(process.jacobi(j).gauss() for j in components),
        trace_rest=space.trace - sum(float(process.jacobi(j).main[0]) for j in components),
        probed=Probed(
            tuple(process.jacobi(j).gauss() for j in long),
            (),
            FIRST_STEPS // 2,
            int(process.steps.max()),
            process.n_products,
        ),
        region=np.empty(0),
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
    design = run.space.trait.design
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
    space, known = run.space, ShiftedForms(run.known, run.recorded).diagonal(at)
    own = space.k_basis.diagonal()[space.coupled, None]
    schur = at * own + (1.0 - at) - at**2 * known[1:]
    # At an h2 of 0, where moments may end, nothing of R is in the Schur complement.
    weight = np.broadcast_to(at, schur.shape)
    allowed = np.divide(schur, weight**2, out=np.full(schur.shape, np.inf), where=weight > 0.0)
    size = np.vstack((known[:1] / space.trait.design.n, allowed))
    return np.asarray(~(forms <= 2.0 * FORM_TOLERANCE * np.maximum(size, 0.0)))


def _check_steps(process: Lanczos, active: IntArray) -> None:
    if active.size and int(process.steps[active].max()) >= MOST_STEPS:
        raise ConvergenceError(
            f"the likelihood was not found in {MOST_STEPS} steps: it is high where the model is "
            "nearly singular, at a heritability of almost 1; expected a lower one; use a dense "
            "mode, or moments (--method he)"
        )
