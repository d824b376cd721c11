"""What a run will cost, whatever its mode: the route and its cost, and all that goes with it.

The rates are those of one processor core that the plan of the exact mode has, and all constants
were measured beside it (``benchmarks/plan_accuracy.py``).
"""

from dataclasses import dataclass, replace

from nextlmm.genotype.kinds import Kind
from nextlmm.output.formats import OutFormat
from nextlmm.run.compressed.find import SMALLEST
from nextlmm.run.exact.plan import Cost, Plan, Size, dense_cost, product_cost
from nextlmm.run.exact.route import allowed_bytes, plan_of_size, problem_size
from nextlmm.run.limits import check_fits
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem

START_UP_S = 1.2
"""Seconds in which the program and its libraries are loaded."""

_NEXT_TRAIT = 0.6
"""Of the time of the first trait, for each further one of the same samples."""

_COMPRESSED = 1.3  # of the time and memory of exact products, for the certificate of hodlr mode
_COMPARED = 1.6  # of dense algebra, for a compressed matrix that is measured against it
_OWN_H2 = 6e6  # genotypes a second, one core, each variant at its own heritability
_READ: dict[Kind, float] = {"vcf": 1e7, "bimbam": 1e7, "bgen": 5e7, "zarr": 1e8, "pgen": 2e9}
"""Genotypes a second that are read into memory."""

_SUMMARY = 2e9  # genotypes a second that are counted
_SERIAL = 0.1  # share of the work that one core does while the others wait
_WRITE_S = 5e-6  # seconds for each row of a table
_PLOT_S, _REPORT_S, _DRAWN_S = 0.4, 0.6, 2e-6  # of a plot, a report, and each row in either
_TABLE, _EXPORT = 60.0, 35.0  # bytes of a row, compressed, in our table and another program's
_PLOT, _REPORT = (1e5, 30.0, 2.5e5), (1e5, 60.0, 8e5)
"""Bytes of a file without points, of each row, and at most; points on each other are drawn once."""

_DRAWING = 5e7  # bytes in memory, for plots and for a report, each


@dataclass(frozen=True)
class Writing:
    """What is written for each trait: tables in other formats, plots, a report.

    ``rows`` is the length of a table.
    """

    rows: int
    formats: tuple[OutFormat, ...] = ()
    plots: int = 0
    report: bool = False

    @property
    def seconds(self) -> float:
        """Of a trait, on one core or many."""
        seconds = _WRITE_S * self.rows * (1 + len(self.formats))
        if self.plots:
            seconds += self.plots * (_PLOT_S + _DRAWN_S * self.rows)
        return seconds + (_REPORT_S + _DRAWN_S * self.rows if self.report else 0.0)

    @property
    def n_bytes(self) -> float:
        """Of a trait, on the disk."""
        tables = self.rows * (_TABLE + _EXPORT * len(self.formats))
        drawn = self.plots * _drawn_bytes(_PLOT, self.rows)
        return tables + drawn + (_drawn_bytes(_REPORT, self.rows) if self.report else 0.0)

    @property
    def held_bytes(self) -> float:
        """In memory, beyond what the analysis takes."""
        return _DRAWING * (bool(self.plots) + bool(self.report))


def _drawn_bytes(kind: tuple[float, float, float], rows: int) -> float:
    least, each, most = kind
    return min(least + each * rows, most)


def reading_seconds(kind: Kind, n_genotypes: float) -> float:
    """To read genotypes of a format into memory; nothing where they are read when asked for."""
    return n_genotypes / _READ[kind] if kind in _READ else 0.0


def elapsed_seconds(one_core: float, threads: int) -> float:
    """Of work that takes so many seconds on one core, on several."""
    return one_core * (_SERIAL + (1.0 - _SERIAL) / threads)


def route_seconds(plan: Plan, traits: int) -> float:
    """On one core, of traits of the same samples, whose matrix, order and factors are shared."""
    return plan.cost.seconds * (1.0 + _NEXT_TRAIT * (traits - 1))


def summary_seconds(n_genotypes: float) -> float:
    """On one core, to count genotypes."""
    return n_genotypes / _SUMMARY


def expected_plan(size: Size, model: Model, *, is_given: bool) -> Plan:
    """The route that an analysis takes, in any mode, and its cost.

    Raises
    ------
    UsageError
        If it does not fit in the memory that this process may take, or the route cannot do what
        was asked for.
    """
    if model.mode == "exact":
        plan = plan_of_size(size, model, is_given=is_given)
        if model.per_variant_h2 == "always":
            own = float(size.n) * size.tested / _OWN_H2
            plan = replace(plan, cost=replace(plan.cost, seconds=plan.cost.seconds + own))
        return plan
    memory = allowed_bytes(model.memory)
    dense = dense_cost(size, memory=memory, precision="double")
    products = product_cost(size, memory=memory)
    by_products = (
        model.mode == "hodlr"
        and size.n >= SMALLEST
        and not is_given
        and model.per_variant_h2 == "never"
    )
    if by_products:
        cost = Cost(_COMPRESSED * products.seconds, _COMPRESSED * products.n_bytes)
        plan = Plan("hodlr", "the matrix is compressed by products", cost, dense, requested=True)
    else:
        slower = _COMPARED if model.mode == "hodlr" else 1.0
        own = float(size.n) * size.tested / _OWN_H2 if model.per_variant_h2 == "always" else 0.0
        cost = Cost(slower * dense.seconds + own, slower * dense.n_bytes)
        plan = Plan("dense", f"mode {model.mode} was asked for", cost, products, requested=True)
    check_fits(
        plan.cost.n_bytes,
        f"Mode {model.mode} with {size.n:,} samples",
        "allow the job more, choose mode exact, or analyse fewer samples (keep)",
    )
    return plan


def check_memory(problem: Problem, model: Model) -> None:
    """Refuse a problem that needs more memory than this process may take, before any work.

    Raises
    ------
    UsageError
        With what it needs, what limits it, and what to do.
    """
    expected_plan(problem_size(problem, model), model, is_given=problem.given is not None)
