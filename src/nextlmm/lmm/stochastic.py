"""The null model on the full K from products alone, with the Monte-Carlo error of what is random.

The quadratic forms are computed; only the logarithm of the determinant is estimated, by random
vectors.  They are the same for every h2, so that the likelihood is a smooth curve, and each adds
its part to the derivative at the maximum: the spread of the parts, divided by the curvature, is the
Monte-Carlo standard error of h2.  Vectors are added until it is a small share of the standard error
that h2 has anyhow.
"""

from dataclasses import dataclass, replace

import numpy as np

from nextlmm.linalg.covariance import FloatArray, SymmetricOperator
from nextlmm.linalg.lanczos import Operator
from nextlmm.linalg.subspace import dominant_eigenvectors
from nextlmm.lmm.design import Design, make_design
from nextlmm.lmm.estimate import estimate_null_dense, with_moments
from nextlmm.lmm.ground import BATCH, Ground, make_ground
from nextlmm.lmm.haseman_elston import LARGEST_SHARE, basis_with_components
from nextlmm.lmm.krylov import KrylovLikelihood, ShiftedSolution
from nextlmm.lmm.krylov_run import FirstRun, Probed, Space, first_run, more_probes, space_of
from nextlmm.lmm.moments import haseman_elston_products
from nextlmm.lmm.null import Method, NullModel, checked_trait, null_at, search_null

N_COMPONENTS = 20
OUTSTANDING, BULK = 2.0, 4.0
"""A component is handled without random vectors if its eigenvalue is so many times the last one's,
or above ``BULK``; their mean is about 1.  One among many like it is not worth its products."""
FIRST_LONG = 16
SHORT_STEPS = (3, 5, 8)  # that short probes may have
WIDEST = 96  # probes at work at the same time
MOST_LONG, MOST_SHORT = 512, 2048
MOST_ROUNDS = 4
DENSE_BELOW = 512  # samples; fewer products give all of K
_MARGIN = 0.9  # of the tolerance that a number of probes aims at


@dataclass(frozen=True, eq=False)
class StochasticFit:
    """A null model from products with K.

    null : the model; ``h2_mc_error`` as below.
    mc_error : Monte-Carlo standard error of h2; 0 if nothing was random.
    mc_error_in_se : the same over the standard error of h2, or over what the expected information
        makes of it if h2 is at an end of its range.
    log_likelihood_error : Monte-Carlo standard error of either log-likelihood.
    n_probes, n_short_probes : random vectors with a full measure, and with a few products.
    n_steps : products of the longest process.
    n_products : columns multiplied by K, all together.
    n_components : dominant components handled without random vectors.
    likelihood : the curve that the estimate is the maximum of; None where there was no search of
        a curve with random errors.
    solution : about Py at any h2 near the estimate; None where nothing was random.
    """

    null: NullModel
    mc_error: float
    mc_error_in_se: float
    log_likelihood_error: float
    n_probes: int
    n_short_probes: int
    n_steps: int
    n_products: int
    n_components: int
    likelihood: KrylovLikelihood | None = None
    solution: ShiftedSolution | None = None

    def __repr__(self) -> str:
        return f"<{self.null!r}, Monte-Carlo error {self.mc_error:.2g}>"


@dataclass(frozen=True)
class _Error:
    """Monte-Carlo errors of h2, of h2 in standard errors, and of the log-likelihood.

    ``scale`` turns the spread of the derivative of the trace in h2 into the second.
    """

    h2: float
    in_se: float
    log_likelihood: float
    scale: float = 0.0


class _Counted(SymmetricOperator):
    """An operator that counts the columns it multiplies."""

    def __init__(self, operator: SymmetricOperator) -> None:
        self._operator = operator
        self.n_products = 0

    @property
    def n(self) -> int:
        return self._operator.n

    def matmul(self, x: FloatArray) -> FloatArray:
        self.n_products += 1 if x.ndim == 1 else x.shape[1]
        return self._operator.matmul(x)

    def diagonal(self) -> FloatArray:
        return self._operator.diagonal()

    def to_dense(self) -> FloatArray:
        return self._operator.to_dense()


def estimate_null_stochastic(
    y: FloatArray,
    covariates: FloatArray,
    operator: SymmetricOperator,
    *,
    method: Method = "reml",
    components: tuple[FloatArray, FloatArray] | None = None,
    seed: int = 0,
    tolerance: float = 0.05,
    product: Operator | None = None,
    dense_below: int = DENSE_BELOW,
    ground: Ground | None = None,
) -> StochasticFit:
    """Null model by REML, ML or moments from products with K; nothing is n x n.

    Parameters
    ----------
    y, covariates : (n,) and (n, c), the intercept included.
    operator : K.
    method : "reml", "ml", or "he".
    components : values (k,) and vectors (n, k) of the dominant components of K without covariates,
        not necessarily accurate; found here if not given, and always for moments.
    seed : of the random vectors; the same seed gives the same bytes.
    tolerance : Monte-Carlo standard error of h2, in standard errors of h2, to aim for.
    product : x -> K x of lower precision, for the Lanczos processes; ``operator.matmul`` if not
        given.
    dense_below : with fewer samples K is formed, and nothing is random.
    ground : what traits have in common, from `ground_of` with the same arguments; made here if not
        given.  The result is the same.

    Raises
    ------
    DesignError, TraitError, NotPositiveDefiniteError
        As ``fit_null``.
    ConvergenceError
        If the likelihood is the same at every h2, or high where the model is nearly singular.

    Cost: some 300 to 1500 columns through K, in some 20 passes for each of two to four rounds;
    with a ground that other traits have used, what they have not needed.
    Source: Border and Becker 2019, with the variance reduction of ``trace_curve``.
    """
    design = make_design(covariates)
    y = checked_trait(y, design)
    if design.n < dense_below:
        null = estimate_null_dense(y, covariates, operator.to_dense(), method=method)
        return StochasticFit(null, 0.0, 0.0, 0.0, 0, 0, 0, design.n, 0)
    if ground is None:
        ground = ground_of(
            y[:, None],
            covariates,
            operator,
            method=method,
            components=components,
            seed=seed,
            product=product,
        )
    space = space_of(ground, y)
    if method == "he":
        return _by_moments(space, operator, np.random.default_rng([seed, 1]), tolerance)
    return _by_likelihood(space, method, tolerance)


def ground_of(
    traits: FloatArray,
    covariates: FloatArray,
    operator: SymmetricOperator,
    *,
    method: Method = "reml",
    components: tuple[FloatArray, FloatArray] | None = None,
    seed: int = 0,
    product: Operator | None = None,
) -> Ground:
    """What the null models of these traits (n, t) have in common; see `estimate_null_stochastic`.

    Cost: a product for each covariate, and for each component if they are not given.
    """
    design = make_design(covariates)
    multiply = operator.matmul if product is None else product
    if method == "he":
        vectors, spent = _accurate_components(design, operator)
    else:
        vectors, spent = _components(design, multiply, components, np.random.default_rng(seed))
    return make_ground(
        design, operator, multiply, vectors, seed=seed, traits=traits, n_products=spent
    )


def _by_likelihood(space: Space, method: Method, tolerance: float) -> StochasticFit:
    run = first_run(space, n_long=FIRST_LONG)
    probed = run.probed
    for rounds_left in reversed(range(MOST_ROUNDS)):
        likelihood = run.likelihood(probed)
        null = search_null(likelihood, method)
        error = _errors(null, likelihood)
        enough = error.in_se <= tolerance or null.h2_boundary is not None
        if rounds_left == 0 or enough:
            break
        plan = _plan(run, null.h2, error, probed, tolerance)
        probed = _with_more(probed, run, plan)
    warnings = null.warnings
    if not enough:
        warnings = (
            *warnings,
            f"random vectors move h2 by {error.h2:.3g} (one standard error), which is "
            f"{error.in_se:.2g} of its standard error; {tolerance:g} was aimed for and is not "
            "reached with as many vectors as are allowed",
        )
    found = _fit(replace(null, warnings=warnings), error, probed, run)
    return replace(found, likelihood=likelihood)


def _by_moments(
    space: Space, operator: SymmetricOperator, rng: np.random.Generator, tolerance: float
) -> StochasticFit:
    """The estimate by moments; the likelihood is found at that h2 only, by the first probes."""
    found = haseman_elston_products(
        space.trait, operator, space.ground.components, rng=rng, tolerance=tolerance
    )
    estimate = found.estimate
    run = first_run(space, n_long=FIRST_LONG, h2=estimate.h2)
    likelihood = run.likelihood(run.probed)
    null = with_moments(null_at(likelihood, "he", estimate.h2), estimate)
    value, _ = likelihood.trace.errors(estimate.h2)
    error = _Error(found.mc_error, found.mc_error / estimate.h2_se, 0.5 * value)
    return _fit(null, error, run.probed, run, spent=found.n_products)


def _fit(
    null: NullModel, error: _Error, probed: Probed, run: FirstRun, *, spent: int = 0
) -> StochasticFit:
    return StochasticFit(
        null=replace(null, h2_mc_error=error.h2),
        mc_error=error.h2,
        mc_error_in_se=error.in_se,
        log_likelihood_error=error.log_likelihood,
        n_probes=len(probed.long),
        n_short_probes=len(probed.short),
        n_steps=probed.n_steps,
        n_products=run.space.ground.n_products + spent + probed.n_products,
        n_components=len(run.components),
        solution=run.solution,
    )


def _components(
    design: Design,
    multiply: Operator,
    components: tuple[FloatArray, FloatArray] | None,
    rng: np.random.Generator,
) -> tuple[FloatArray, int]:
    """Dominant components without covariates, (n, k), and the products that they took."""
    most = int(LARGEST_SHARE * (design.n - design.n_covariates))
    if components is not None:
        best = np.argsort(-components[0], kind="stable")[: min(N_COMPONENTS, most)]
        return _outstanding(components[0][best], components[1][:, best]), 0
    count, spent = min(N_COMPONENTS, most), 0
    if count == 0:
        return np.empty((design.n, 0)), 0

    def projected(x: FloatArray) -> FloatArray:
        nonlocal spent
        spent += x.shape[1]
        return design.project(np.asarray(multiply(design.project(x)), dtype=np.float64))

    values, vectors = dominant_eigenvectors(projected, design.n, count, worth=lambda x: x, rng=rng)
    return _outstanding(values, vectors), spent


def _outstanding(values: FloatArray, vectors: FloatArray) -> FloatArray:
    """The vectors of the eigenvalues that stand out."""
    return vectors[:, values > min(OUTSTANDING * values.min(initial=BULK), BULK)]


def _accurate_components(design: Design, operator: SymmetricOperator) -> tuple[FloatArray, int]:
    """Those that the estimate by moments is defined by, and the products that they took.

    One column at a time, and many of them, because the estimate depends on all that they span.
    """
    counted = _Counted(operator)
    count = min(N_COMPONENTS, int(LARGEST_SHARE * (design.n - design.n_covariates)))
    basis = basis_with_components(counted, design, count)
    return basis[:, design.n_covariates :], counted.n_products


def _errors(null: NullModel, likelihood: KrylovLikelihood) -> _Error:
    """What the spread of the probes says of h2, to first order."""
    value, slope = likelihood.trace.errors(null.h2)
    if null.h2_se is not None:
        standard_error = null.h2_se
    else:
        first, second = likelihood.trace.slope_square(null.h2)
        information = 0.5 * (second - first**2 / (null.n - null.n_covariates))
        standard_error = float(1.0 / np.sqrt(information))
    shift = 0.5 * slope * standard_error**2
    return _Error(shift, shift / standard_error, 0.5 * value, 0.5 * standard_error)


@dataclass(frozen=True)
class _Plan:
    """How many more probes of each kind, the steps of short ones, and the products of all."""

    n_long: int
    n_short: int
    short_steps: int
    cost: float


def _plan(run: FirstRun, h2: float, error: _Error, probed: Probed, tolerance: float) -> _Plan:
    """The additional probes that reach the tolerance with the fewest products.

    For a given number of products the variance a / (long) + b / (long + short) is least if the
    numbers are in proportion to the square roots of a and b over their costs.
    """
    steps = max(len(measure.nodes) for measure in probed.long)
    plans: list[_Plan] = []
    for short_steps in (probed.short_steps,) if probed.short else SHORT_STEPS:
        if short_steps >= steps and plans:
            break
        curve = run.curve(probed, short_steps)
        rest, shared = (x * error.scale for x in curve.per_probe(h2))
        long_cost = max(steps - short_steps, 1)
        total = rest * np.sqrt(long_cost) + shared * np.sqrt(short_steps)
        total /= (_MARGIN * tolerance) ** 2
        long = min(_batches(total * rest / np.sqrt(long_cost)), MOST_LONG)
        every = min(_batches(total * shared / np.sqrt(short_steps)), MOST_SHORT)
        n_long = max(long - len(probed.long), 0)
        n_short = max(every - len(probed.long) - n_long - len(probed.short), 0)
        cost = n_long * steps + n_short * short_steps
        plans.append(_Plan(n_long, n_short, short_steps, cost))
    return min(plans, key=lambda plan: plan.cost)


def _batches(count: float) -> int:
    return BATCH * int(np.ceil(count / BATCH))


def _with_more(probed: Probed, run: FirstRun, plan: _Plan) -> Probed:
    """Probes added, not too many at a time because of the memory that they take."""
    n_long, n_short = plan.n_long, max(plan.n_short, BATCH if plan.n_long == 0 else 0)
    while n_long + n_short > 0:
        long = min(n_long, WIDEST)
        short = min(n_short, WIDEST - long)
        probed += more_probes(
            run.space,
            run.region,
            first=len(probed.long) + len(probed.short),
            n_long=long,
            n_short=short,
            short_steps=plan.short_steps,
        )
        n_long, n_short = n_long - long, n_short - short
    return probed
