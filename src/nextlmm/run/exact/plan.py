"""Which route to the exact answer, what it will cost, and why.

All routes give the same certified answer; they differ in time and memory, and in one respect in
reach: dense algebra gives the exact x'Px of every variant, products with the genotypes the exact
x'Px of the variants that matter and an audited prediction of all others.  The rates are nominal
figures of one processor core, so that the same problem takes the same route on every machine.
"""

from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from nextlmm.errors import UsageError

Way = Literal["dense", "hodlr", "components", "plain"]
Precision = Literal["single", "double"]

DENSE_WORTH = 2.5
"""Exact denominators for every variant are worth this many times the time of predicted ones, times
the hardness of the problem: the harder it is, the worse is a prediction."""

LARGEST_DOUBLE = 3_000
"""Up to so many samples dense algebra is in double precision throughout."""

HELD_SHARE = 0.5
"""Of the memory that large arrays may take, for the sums of the chromosomes."""

_TRIANGLES = 3  # of single precision that are held at a time beyond
_POLISHED = 3.0  # n^3 operations of the factors that make h2 exact
_SQUARES = 6  # (n, n) arrays that dense algebra holds at a time, two of them of the inverse factor
_INVERSE_BYTES = 8.0  # of an inverse factor in single precision, for each of n^2
_SYRK, _CHOLESKY, _REFLECT, _FORMS = 40e9, 20e9, 6e9, 55e9  # operations a second, one core
_PRODUCT, _DECODE, _PREDICT = 90e9, 0.8e9, 60e9
_ITERATIONS, _STEPS, _PROBES, _AUDITED, _AUDIT_STEPS = 12, 14, 22, 60, 5
_ORDER_COLUMNS, _THINNED_COLUMNS = 56, 112  # in search of components, of all and of some variants
_THINNED = 20_000  # variants at most that these are
_EACH_SECONDS = 3.5e-5  # for each tested variant, however few samples, in double precision
_BULK_EDGE = 2.5  # largest eigenvalue that is left to iterations where those numbers were measured
_BUILD_SECONDS = 2.2e-3  # of the order and three hierarchical factors, for each sample
_FACTOR_COLUMNS = 128  # numbers of the factor for each sample
_PROGRAM = 2.4e8  # bytes of the program itself, its libraries and what they have compiled
_ROW_BYTES = 1_500.0  # of all tables, for each variant
_SAMPLE_BYTES = 28_000.0  # of all arrays of a block solve, of factors, and of a sample of variants
_SEARCH_BYTES = 1.4e8  # at most, of the genotypes that relatives are searched in


@dataclass(frozen=True)
class Size:
    """How large a problem is, and how hard.

    n samples, ``related`` variants in the matrix, ``tested`` variants to test, ``chromosomes``
    left out in turn (1 without LOCO), ``heritabilities`` that the tests are done at, and
    ``bulk_edge``, the largest eigenvalue of K but for some that stand out.  ``is_packed`` says
    whether the genotypes are calls, and ``source_bytes`` what their source holds of them in memory.
    """

    n: int
    related: int
    tested: int
    chromosomes: int
    heritabilities: int = 1
    bulk_edge: float = _BULK_EDGE
    is_packed: bool = True
    source_bytes: float = 0.0

    @property
    def hardness(self) -> float:
        """How many times the iterations of an ordinary problem it takes.

        Steps of conjugate gradients and of Lanczos grow with the square root of the condition
        number, which at h2 = 1/2 is at most 1 + the largest eigenvalue.
        """
        return max(1.0, float(((1.0 + self.bulk_edge) / (1.0 + _BULK_EDGE)) ** 0.5))


@dataclass(frozen=True)
class Cost:
    """Predicted seconds on one core and bytes of memory."""

    seconds: float
    n_bytes: float


@dataclass(frozen=True)
class Plan:
    """What was chosen.

    way : the route; among those without a square matrix the measured spectrum may still choose.
    reason : why, as a clause.
    cost : of the chosen way; ``other`` : of the one not chosen.
    requested : whether the user chose.
    precision : of dense algebra: "single" with solves in double precision around it, "double"
        throughout.
    """

    way: Way
    reason: str
    cost: Cost
    other: Cost
    requested: bool
    precision: Precision = "double"


def dense_cost(size: Size, *, memory: float = 0.0, precision: Precision | None = None) -> Cost:
    """Of dense algebra: the matrix and its parts, one inverse factor for each chromosome.

    The parts are kept where ``memory`` allows, and made twice elsewhere.  ``precision`` is what
    the number of samples asks for unless given.
    """
    n, square = float(size.n), float(size.n) ** 2
    single = size.n > LARGEST_DOUBLE if precision is None else precision == "single"
    parts = 8.0 * square * size.chromosomes if size.chromosomes > 1 and not single else 0.0
    is_held = parts <= HELD_SHARE * memory
    passes = 2.0 if size.chromosomes > 1 and (single or not is_held) else 1.0
    factors = size.chromosomes * size.heritabilities
    speed = 2.0 if single else 1.0
    seconds = (
        passes * square * size.related / (speed * _SYRK)
        + passes * n * size.related / _DECODE
        + factors * square * n * 2.0 / 3.0 / (speed * _CHOLESKY)
        + size.heritabilities * square * size.tested / (speed * _FORMS)
    )
    if single:
        products = product_cost(replace(size, tested=0), memory=memory)
        polished = _POLISHED * square * n / (speed * _CHOLESKY)
        packed = (4.0 * _TRIANGLES / 2.0 + _INVERSE_BYTES) * square
        return Cost(seconds + products.seconds / 2.0 + polished, packed + products.n_bytes)
    n_bytes = _held_anyway(size) + 8.0 * _SQUARES * square + (parts if is_held else 0.0)
    seconds += size.heritabilities * size.tested * _EACH_SECONDS
    return Cost(seconds + 4.0 / 3.0 * square * n / _REFLECT, n_bytes)


def product_cost(size: Size, *, memory: float = inf) -> Cost:
    """Of products with the genotypes: h2, factor, one solve per chromosome, audit, prediction.

    Genotypes are held, both ways round, where half of ``memory`` has room for them, and read anew
    in every product elsewhere.
    """
    genotypes = float(size.n) * size.related
    solved = _ITERATIONS * size.chromosomes + _AUDIT_STEPS * _AUDITED
    columns = (_STEPS * _PROBES + size.heritabilities * solved) * size.hardness
    columns += _ORDER_COLUMNS + _THINNED_COLUMNS * min(1.0, _THINNED / max(size.related, 1))
    predicted = size.heritabilities * float(size.n) * size.tested * 2.0 * _FACTOR_COLUMNS
    seconds = 4.0 * genotypes * columns / _PRODUCT + _BUILD_SECONDS * size.n
    held = genotypes / 2.0 if size.is_packed else 4.0 * genotypes
    searched = min(_SEARCH_BYTES, 4.0 * size.n * 8192)
    n_bytes = _held_anyway(size) + _SAMPLE_BYTES * size.n + searched
    n_bytes += held if held <= memory / 2.0 else 0.0
    return Cost(seconds + predicted / _PREDICT, n_bytes)


def _held_anyway(size: Size) -> float:
    """Bytes of the program, of the genotypes that their source holds, and of all tables."""
    return _PROGRAM + size.source_bytes + _ROW_BYTES * max(size.related, size.tested)


def make_plan(
    size: Size, requested: Way | None, *, memory: float, only_dense: str | None = None
) -> Plan:
    """Choose a route.

    Parameters
    ----------
    size : of the problem.
    requested : the user's choice, None to choose.
    memory : bytes that large arrays may take.
    only_dense : why nothing but dense algebra can do it, as a clause; None if all can.

    Raises
    ------
    UsageError
        If the user asked for a way that cannot do it.
    """
    plan = _choose(size, requested, memory, only_dense)
    single = plan.way == "dense" and only_dense is None and size.n > LARGEST_DOUBLE
    return replace(plan, precision="single" if single else "double")


def replanned(plan: Plan, size: Size, *, memory: float) -> Plan:
    """The plan once the spectrum is known: dense algebra if iterations would cost more.

    ``memory`` is what large arrays may take, in bytes.
    """
    if plan.requested or plan.way == "dense":
        return plan
    dense = dense_cost(size, memory=memory, precision="single")
    products = product_cost(size, memory=memory)
    worth = DENSE_WORTH * size.hardness
    if dense.n_bytes > memory or dense.seconds > worth * products.seconds:
        return replace(plan, cost=products, other=dense)
    reason = (
        f"relationships concentrate in few directions (the 20th eigenvalue is {size.bulk_edge:.3g} "
        "times the mean): iterations are many, and the exact x'Px of every variant is worth more"
    )
    return Plan("dense", reason, dense, products, requested=False, precision="single")


def instead_of(plan: Plan, size: Size, *, memory: float) -> Plan | None:
    """Another plan where products did not converge; None if there is none that may be.

    Dense algebra if it fits, or else products without an approximate factor: one that misses much
    of the matrix makes iterations more, not fewer.
    """
    if plan.requested or plan.way in ("dense", "plain"):
        return None
    reason = "products with the genotypes did not converge"
    dense = dense_cost(size, memory=memory, precision="single")
    if dense.n_bytes <= memory:
        return Plan("dense", reason, dense, plan.cost, requested=False, precision="single")
    reason += " with an approximate factor"
    return Plan("plain", reason, plan.cost, dense, requested=False)


def _choose(size: Size, requested: Way | None, memory: float, only_dense: str | None) -> Plan:
    dense = dense_cost(size, memory=memory, precision="double" if only_dense is not None else None)
    products = product_cost(size, memory=memory)
    if only_dense is not None:
        if requested not in (None, "dense"):
            raise UsageError(
                f"Option route is {requested!r}, but {only_dense}; leave the option out."
            )
        return Plan("dense", only_dense, dense, products, requested is not None)
    if requested is not None:
        chosen, other = (dense, products) if requested == "dense" else (products, dense)
        return Plan(requested, "asked for", chosen, other, requested=True)
    if dense.n_bytes > memory:
        return Plan(
            "hodlr", "a square matrix does not fit in the memory", products, dense, requested=False
        )
    if dense.seconds <= products.seconds:
        return Plan("dense", "a square matrix is cheaper here", dense, products, requested=False)
    if dense.seconds <= DENSE_WORTH * products.seconds:
        reason = "the exact x'Px of every variant is worth the little more that it costs"
        return Plan("dense", reason, dense, products, requested=False)
    return Plan("hodlr", "products with the genotypes are cheaper", products, dense, False)
