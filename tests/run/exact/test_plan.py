import pytest

from nextlmm.errors import UsageError
from nextlmm.run.exact.plan import Size, dense_cost, make_plan, product_cost

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
