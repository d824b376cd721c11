from dataclasses import replace

import pytest

from nextlmm.errors import UsageError
from nextlmm.run.exact.plan import (
    Size,
    dense_cost,
    instead_of,
    make_plan,
    product_cost,
    replanned,
)

PLENTY = 2.0**50


def size(n, related=100_000, chromosomes=22):
    return Size(n=n, related=related, tested=related, chromosomes=chromosomes)


def test_few_samples_are_dense_and_many_are_not():
    assert make_plan(size(2_000), None, memory=PLENTY).way == "dense"
    assert make_plan(size(50_000), None, memory=PLENTY).way == "hodlr"


def test_a_square_matrix_that_does_not_fit_is_not_chosen():
    plan = make_plan(size(5_000), None, memory=2.0**20)
    assert plan.way == "hodlr"
    assert "does not fit" in plan.reason


@pytest.mark.parametrize("way", ["dense", "hodlr", "components", "plain"])
@pytest.mark.parametrize("n", [100, 50_000])
def test_the_user_has_the_last_word(way, n):
    plan = make_plan(size(n), way, memory=1.0)
    assert (plan.way, plan.requested) == (way, True)


def test_what_only_dense_algebra_can_do():
    why = "a heritability for every variant needs the eigenvectors of a square matrix"
    assert make_plan(size(50_000), None, memory=1.0, only_dense=why).reason == why
    with pytest.raises(UsageError, match="leave the option out"):
        make_plan(size(50_000), "hodlr", memory=1.0, only_dense=why)


def test_the_growth_of_the_costs():
    """Dense algebra grows at least with the square of n, products with n; memory likewise."""
    small, large = size(10_000), size(100_000)
    assert dense_cost(large).seconds > 100 * dense_cost(small).seconds
    assert dense_cost(large).n_bytes > 50 * dense_cost(small).n_bytes
    assert product_cost(large).seconds == pytest.approx(10 * product_cost(small).seconds)
    assert product_cost(large).n_bytes < 10 * product_cost(small).n_bytes


def test_a_concentrated_spectrum_is_for_dense_algebra_where_that_fits():
    problem = size(5_000, related=5_000)
    plan = make_plan(problem, None, memory=PLENTY)
    assert plan.way == "hodlr"
    assert replanned(plan, problem, memory=PLENTY).way == "hodlr"
    hard = replace(problem, bulk_edge=80.0)
    assert replanned(plan, hard, memory=PLENTY).way == "dense"
    assert replanned(plan, hard, memory=PLENTY).precision == "single"
    assert "20th eigenvalue is 80 times the mean" in replanned(plan, hard, memory=PLENTY).reason
    kept = replanned(plan, hard, memory=2.0**20)
    assert kept.way == "hodlr"
    assert kept.cost.seconds > plan.cost.seconds
    asked = make_plan(problem, "hodlr", memory=PLENTY)
    assert replanned(asked, hard, memory=PLENTY) == asked


def test_what_is_done_where_products_do_not_converge():
    problem = size(5_000)
    plan = make_plan(problem, None, memory=PLENTY)
    assert instead_of(plan, problem, memory=PLENTY).way == "dense"
    plain = instead_of(plan, problem, memory=2.0**20)
    assert (plain.way, plain.requested) == ("plain", False)
    assert instead_of(plain, problem, memory=2.0**20) is None
    assert instead_of(make_plan(problem, "hodlr", memory=PLENTY), problem, memory=PLENTY) is None
