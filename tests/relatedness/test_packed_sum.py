"""The packed relationship matrix against the dense one, for every kind of source and sample set.

Tolerances: an entry is a sum of products of single precision, each block of them added to the
total; the error of such a sum is at most (terms + blocks + roundings of a factor) U = 2^-24 times
the sum of the sizes of the products, |F| |F|' (Higham 2002, section 3.5).  The diagonal is summed
in double precision, from factors and to a number that are rounded once: 3 U.
"""

import numpy as np
import pytest

from nextlmm.errors import VariantError
from nextlmm.linalg.packed import PackedCovariance
from nextlmm.relatedness import packed_sum as module
from nextlmm.relatedness.packed_sum import (
    packed_leave_one_out,
    packed_relationship,
    packed_sum,
    packed_without,
)

from .test_operator import M, N, Problem, make_source

U = 2.0**-24


@pytest.fixture(params=[7, 64, 1024], autouse=True)
def block(request, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", request.param)


def bound(operator, is_used=slice(None)):
    """Largest error of each entry of F F'; see above."""
    f = np.abs(operator.columns.block(slice(None)))[operator.rows][:, is_used]
    return (2 * M + 8) * U * (f @ f.T)


@pytest.mark.parametrize("samples", ["all", "permuted", "most", "few"])
@pytest.mark.parametrize("kind", ["held", "streamed", "dosages"])
def test_packed_sum__is_the_dense_matrix(tmp_path, rng, kind, samples):
    problem = Problem(make_source(tmp_path, rng, kind), kind, samples)
    operator = problem.operator
    total = packed_sum(operator)
    scale = operator.n / operator.traces.whole
    covariance = packed_relationship(operator, total)
    error = np.abs(covariance.to_dense() - problem.k)
    assert (error <= scale * bound(operator)).all()
    assert covariance.diagonal().mean() == pytest.approx(1.0, abs=3 * U)


@pytest.mark.parametrize("kind", ["held", "dosages"])
def test_packed_leave_one_out__is_each_dense_matrix(tmp_path, rng, kind):
    problem = Problem(make_source(tmp_path, rng, kind), kind, "most")
    operator = problem.operator
    total = packed_sum(operator)
    before = total.values.copy()
    seen = []
    for chromosome, covariance in packed_leave_one_out(operator, total):
        expected = problem.left_out[chromosome]
        assert operator.chromosomes[chromosome] == expected.chromosome
        scale = operator.n / operator.traces.without[chromosome]
        error = np.abs(covariance.to_dense() - expected.k)
        assert (error <= 2.0 * scale * bound(operator)).all()
        assert covariance.diagonal().mean() == pytest.approx(1.0, abs=8 * U)
        seen.append(chromosome)
    assert seen == list(range(len(operator.chromosomes)))
    np.testing.assert_array_equal(total.values, before)


def test_packed_sum__of_one_chromosome_has_its_columns_only(tmp_path, rng):
    operator = Problem(make_source(tmp_path, rng, "held")).operator
    for chromosome in range(len(operator.chromosomes)):
        own = operator.label == chromosome
        f = operator.columns.block(slice(None))[operator.rows][:, own]
        error = np.abs(np.tril(f @ f.T) - packed_sum(operator, chromosome).to_dense())
        assert (error <= bound(operator, own)).all()


def test_packed_without__sums_the_few_that_are_left(tmp_path, rng, monkeypatch):
    problem = Problem(make_source(tmp_path, rng, "held"))
    is_large = problem.operator.label == 0
    few = np.flatnonzero(~is_large)[:9]
    operator = problem.operator._of_columns(np.sort(np.append(np.flatnonzero(is_large), few)))
    subtracted = packed_sum(operator, 0)
    subtracted.subtract_from(packed_sum(operator))

    def unused(*_):
        raise AssertionError("the large chromosome is subtracted")

    monkeypatch.setattr(module.PackedTriangle, "subtract_from", unused)
    covariance = packed_without(operator, packed_sum(operator), 0)
    scale = operator.n / operator.traces.without[0]
    expected = operator.to_dense(0)
    error = np.abs(covariance.to_dense() - expected)
    assert (error <= scale * bound(operator, operator.label != 0)).all()
    other = np.abs(PackedCovariance(subtracted, scale).to_dense() - expected)
    assert np.linalg.norm(error) < np.linalg.norm(other)


def test_packed_without__needs_variation_elsewhere(tmp_path, rng):
    problem = Problem(make_source(tmp_path, rng, "held"))
    only = problem.operator._of_columns(np.flatnonzero(problem.operator.label == 0))
    total = packed_sum(only)
    with pytest.raises(VariantError, match="no variation"):
        packed_without(only, total, 0)


def test_packed_sum__tells_how_far_it_is(tmp_path, rng):
    operator = Problem(make_source(tmp_path, rng, "held")).operator

    class Count:
        done = 0

        def advance(self, amount=1):
            self.done += amount

    count = Count()
    packed_sum(operator, progress=count)
    assert count.done == operator.n_variants
    packed_sum(operator, 0, progress=count)
    assert count.done == operator.n_variants + np.count_nonzero(operator.label == 0)
    assert operator.n == N
