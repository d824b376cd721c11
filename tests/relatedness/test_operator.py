"""The operator against the dense matrices, for every kind of source, sample set and chromosome.

Tolerances: entries of K are of size 1 and sums of fewer than 1,000 products, which double precision
carries to some 1e-14; 1e-11 leaves room for the centring of the dense matrix.  Single precision is
held to the bound of its own rounding, see `single_precision_bound`.
"""

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nextlmm.errors import FormatError, VariantError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array
from nextlmm.relatedness import columns, operator
from nextlmm.relatedness.blocks import genotype_blocks
from nextlmm.relatedness.grm import relationship_matrix, relationship_sum, variant_scaling
from nextlmm.relatedness.loco import leave_one_out
from nextlmm.relatedness.operator import relationship_operator

N, M = 53, 240
ATOL = 1e-11
NAMES = ("chr1", "2", "1", "X", "02", "scaffold_9")
SAMPLE_SETS = {
    "all": np.arange(N),
    "permuted": np.random.default_rng(1).permutation(N),
    "most": np.random.default_rng(2).permutation(N)[:47],
    "few": np.random.default_rng(3).permutation(N)[:11],
}
SOURCES = ("held", "streamed", "dosages")


def calls(rng):
    genotypes = rng.choice([0.0, 1.0, 2.0, np.nan], size=(N, M), p=[0.4, 0.3, 0.2, 0.1])
    genotypes[:, 7], genotypes[:, 8] = 1.0, np.nan
    genotypes[:, 9], genotypes[0, 9] = 0.0, 1.0  # varies among the kept samples, mostly not else
    return genotypes


def table(rng):
    return VariantTable(
        chromosome=string_array(NAMES[i] for i in rng.integers(0, len(NAMES), M)),
        variant_id=string_array(f"v{j}" for j in range(M)),
        position_bp=np.arange(1, M + 1),
        effect_allele=string_array("A" for _ in range(M)),
        other_allele=string_array("G" for _ in range(M)),
    )


def make_source(folder, rng, kind, genotypes=None):
    genotypes = calls(rng) if genotypes is None else genotypes
    variants = table(np.random.default_rng(9))
    if kind == "dosages":
        fractional = np.where(genotypes == 1.0, rng.uniform(0.1, 1.9, (N, M)), genotypes)
        return array_source(fractional, variants=variants)
    ids = string_array(f"I{i}" for i in range(N))
    write_plink(folder / "g", genotypes, SampleTable(ids, ids), variants)
    return open_bed(folder / "g")


class Problem:
    """An operator and the dense matrices that it stands for."""

    def __init__(self, source, kind="held", samples="all", weighting="standardized"):
        self.source, self.samples = source, SAMPLE_SETS[samples]
        self.variants = np.random.default_rng(5).permutation(M)[:200]
        kept = np.union1d(self.samples, np.arange(40))
        self.scaling = variant_scaling(summarise_variants(source, kept), weighting)
        self.operator = relationship_operator(
            source,
            self.variants,
            self.scaling,
            self.samples,
            summarise_variants(source, self.samples),
            held_bytes=0 if kind == "streamed" else 10**9,
        )
        total = relationship_sum(source, self.variants, self.scaling, self.samples)
        self.k = relationship_matrix(total)
        self.left_out = list(
            leave_one_out(source, self.variants, self.scaling, self.samples, total)
        )

    def expected(self, x, left_out):
        each = [self.k if c < 0 else self.left_out[c].k for c in left_out]
        return np.column_stack([k @ x[:, j] for j, k in enumerate(each)])

    def single_precision_bound(self, x, left_out):
        """Entry by entry, gamma |F| |F|' |x| with gamma for all roundings on the way.

        A product passes at most n + m additions (Higham 2002, section 3.5) and 5 roundings besides:
        of F twice, of x, and of the two products.
        """
        bound = np.empty_like(x)
        centred = np.abs(x - x.mean(axis=0))
        for j, c in enumerate(left_out):
            own = np.array([-1 if c < 0 else c])
            scale = len(x) / self.operator.traces.of(own)[0]
            f = np.abs(self.operator.columns.block(slice(None)))[self.operator.rows]
            f = f[:, self.operator.label != c] if c >= 0 else f
            bound[:, j] = scale * (f @ (f.T @ centred[:, j]))
        return (len(x) + self.operator.n_variants + 5) * 2.0**-24 * 2.0 * bound


@pytest.mark.parametrize("weighting", ["standardized", "centered"])
@pytest.mark.parametrize("samples", SAMPLE_SETS)
@pytest.mark.parametrize("kind", SOURCES)
def test_matmul__is_the_dense_matrix(tmp_path, rng, kind, samples, weighting):
    problem = Problem(make_source(tmp_path, rng, kind), kind, samples, weighting)
    k = problem.operator
    assert k.chromosomes == tuple(each.chromosome for each in problem.left_out)
    assert len(k.chromosomes) == 4
    assert k.n == len(problem.samples)
    assert k.n_variants == np.count_nonzero(problem.scaling.scale[problem.variants])
    left_out = rng.permutation([-1, 0, 1, 2, 3, 2, -1])
    x = rng.normal(size=(k.n, 7)) + 5.0
    expected = problem.expected(x, left_out)
    np.testing.assert_allclose(k.matmul(x, left_out), expected, atol=20 * ATOL)
    np.testing.assert_allclose(k.matmul(x), problem.k @ x, atol=20 * ATOL)
    single = k.matmul(x, left_out, dtype=np.float32)
    assert single.dtype == np.float64
    assert (np.abs(single - expected) <= problem.single_precision_bound(x, left_out)).all()
    # The bound is of the worst case; roundings cancel, so that the norm is good to some 1e-6.
    assert np.linalg.norm(single - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("samples", SAMPLE_SETS)
@pytest.mark.parametrize("kind", SOURCES)
def test_diagonal_and_dense__are_those_of_the_matrix(tmp_path, rng, kind, samples):
    problem = Problem(make_source(tmp_path, rng, kind), kind, samples)
    np.testing.assert_allclose(problem.operator.to_dense(), problem.k, atol=ATOL)
    np.testing.assert_allclose(problem.operator.diagonal(), problem.k.diagonal(), atol=ATOL)
    for c, left_out in enumerate(problem.left_out):
        rest = problem.operator.without(c)
        x = rng.normal(size=(rest.n, 3))
        np.testing.assert_allclose(rest.to_dense(), left_out.k, atol=ATOL)
        np.testing.assert_allclose(rest.diagonal(), left_out.k.diagonal(), atol=ATOL)
        np.testing.assert_allclose(rest.matmul(x), left_out.k @ x, atol=20 * ATOL)
        np.testing.assert_allclose(rest.matmul(x[:, 0]), left_out.k @ x[:, 0], atol=20 * ATOL)


def test_matmul__held_and_streamed_genotypes_give_the_same_bytes(tmp_path, rng):
    source = make_source(tmp_path, rng, "held")
    held, streamed = (Problem(source, kind, "most").operator for kind in ("held", "streamed"))
    assert "in memory" in repr(held.columns)
    assert "in a file" in repr(streamed.columns)
    x = rng.normal(size=(held.n, 4))
    for dtype in (np.float32, np.float64):
        assert (held.matmul(x, dtype=dtype) == streamed.matmul(x, dtype=dtype)).all()
    assert (held.diagonal() == streamed.diagonal()).all()


@pytest.mark.parametrize("kind", SOURCES)
def test_matmul__the_number_of_threads_changes_no_byte(tmp_path, rng, monkeypatch, kind):
    monkeypatch.setattr(columns, "_BLOCK_ITEMS", 1)
    monkeypatch.setattr(columns, "_FEWEST_COLUMNS", 9)  # so that there are many parts and blocks
    k = Problem(make_source(tmp_path, rng, kind), kind, "most").operator
    x, left_out = rng.normal(size=(k.n, 5)), np.array([-1, 0, 1, 2, 3])
    with threadpool_limits(1, user_api="blas"):
        alone = [k.matmul(x, left_out, dtype=dtype) for dtype in (np.float32, np.float64)]
        diagonal = k.diagonal(2)
    for threads in (2, 3, 7):
        with threadpool_limits(threads, user_api="blas"):
            for dtype, expected in zip((np.float32, np.float64), alone, strict=True):
                assert (k.matmul(x, left_out, dtype=dtype) == expected).all()
            assert (k.diagonal(2) == diagonal).all()


def test_matmul__blocks_and_parts_change_nothing_but_rounding(tmp_path, rng, monkeypatch):
    problem = Problem(make_source(tmp_path, rng, "held"))
    x = rng.normal(size=(N, 3))
    for fewest, parts, most_bytes in ((1, 16, 2**30), (7, 3, 2**30), (64, 16, 1), (50, 5, 2**30)):
        monkeypatch.setattr(columns, "_BLOCK_ITEMS", 1)
        monkeypatch.setattr(columns, "_FEWEST_COLUMNS", fewest)
        monkeypatch.setattr(operator, "_PARTS", parts)
        monkeypatch.setattr(operator, "_LARGEST_SUMS", most_bytes)
        np.testing.assert_allclose(problem.operator.matmul(x), problem.k @ x, atol=20 * ATOL)


@pytest.mark.parametrize("kind", SOURCES)
def test_without__genotypes_of_the_chromosome_do_not_enter(tmp_path, rng, kind):
    genotypes = calls(rng)
    before = Problem(make_source(tmp_path, np.random.default_rng(4), kind, genotypes), kind)
    own = before.left_out[0].variants
    assert len(own) > 20
    changed = genotypes.copy()
    changed[:, own] = np.random.default_rng(8).choice([0.0, 2.0, np.nan], (N, len(own)))
    (tmp_path / "other").mkdir()
    after = Problem(make_source(tmp_path / "other", np.random.default_rng(4), kind, changed), kind)
    assert np.abs(after.k - before.k).max() > 0.01
    x = rng.normal(size=(N, 3))
    others = np.zeros(3, dtype=np.intp)
    for dtype in (np.float32, np.float64):
        unchanged = before.operator.matmul(x, others, dtype=dtype)
        assert (after.operator.matmul(x, others, dtype=dtype) == unchanged).all()
    assert (after.operator.matmul(x) != before.operator.matmul(x)).any()
    # A column beside others is left as alone, too.
    mixed = np.array([1, 0, -1])
    assert (after.operator.matmul(x, mixed)[:, 1] == before.operator.matmul(x, mixed)[:, 1]).all()
    assert (after.operator.diagonal(0) == before.operator.diagonal(0)).all()
    assert (after.operator.to_dense(0) == before.operator.to_dense(0)).all()


def test_matmul__columns_of_any_size_keep_their_digits(tmp_path, rng):
    problem = Problem(make_source(tmp_path, rng, "held"))
    x = rng.normal(size=(N, 4))
    factors = 2.0 ** np.array([0, -400, 300, 60])  # beyond the range of single precision
    y = problem.operator.matmul(x, dtype=np.float32)
    assert (problem.operator.matmul(x * factors, dtype=np.float32) == y * factors).all()
    assert not problem.operator.matmul(np.zeros((N, 2)), dtype=np.float32).any()
    assert np.abs(problem.operator.matmul(np.full(N, 3.0))).max() == 0.0  # K 1 = 0


def test_matmul__one_vector_and_no_vector(tmp_path, rng):
    problem = Problem(make_source(tmp_path, rng, "held"))
    x = rng.normal(size=N)
    before = x.copy()
    y = problem.operator.matmul(x, np.array([2]))
    assert y.shape == (N,)
    assert (x == before).all()
    np.testing.assert_allclose(y, problem.left_out[2].k @ x, atol=20 * ATOL)
    assert problem.operator.matmul(np.empty((N, 0))).shape == (N, 0)


@pytest.mark.parametrize("wrong", [[0], [0, 4], [0, -2], [[0, 1]]])
def test_matmul__left_out_must_fit(tmp_path, rng, wrong):
    k = Problem(make_source(tmp_path, rng, "held")).operator
    with pytest.raises(ValueError, match="expected 2 chromosomes to leave out, numbered from 0"):
        k.matmul(np.ones((N, 2)), np.array(wrong))


@pytest.mark.parametrize("threads", [1, 3])
def test_matmul__a_file_cut_while_it_is_streamed_is_a_sentence(tmp_path, rng, threads):
    source = make_source(tmp_path, rng, "streamed")
    held, streamed = (Problem(source, kind).operator for kind in ("held", "streamed"))
    x = rng.normal(size=N)
    expected = held.matmul(x)
    os.truncate(source.path, 1000)
    with (
        threadpool_limits(threads, user_api="blas"),
        pytest.raises(FormatError, match=r"g\.bed has become shorter since it was opened"),
    ):
        streamed.matmul(x)
    assert (held.matmul(x) == expected).all()


@pytest.mark.parametrize("kind", SOURCES)
def test_thinned__is_the_matrix_of_some_variants_of_every_chromosome(tmp_path, rng, kind):
    problem = Problem(make_source(tmp_path, rng, kind), kind, "most")
    thin = problem.operator.thinned(30, seed=2)
    assert thin.n_variants == 30
    share = np.bincount(thin.label, minlength=4) / np.bincount(problem.operator.label)
    assert (share > 0).all()
    assert share.max() < 2.5 * share.min()  # one of each stretch of seven, cut at the ends
    assert np.isin(thin.squares, problem.operator.squares).all()
    assert len(np.unique(thin.squares)) > 25  # variants of their own, some alike by chance
    assert ("in memory" in repr(thin.columns)) == (kind != "dosages")
    k = thin.to_dense()
    assert np.trace(k) == pytest.approx(thin.n)
    x = rng.normal(size=(thin.n, 2))
    np.testing.assert_allclose(thin.matmul(x), k @ x, atol=20 * ATOL)
    np.testing.assert_allclose(thin.without(1).matmul(x), thin.to_dense(1) @ x, atol=20 * ATOL)
    again, other = problem.operator.thinned(30, seed=2), problem.operator.thinned(30, seed=3)
    assert (again.to_dense() == k).all()
    assert (other.to_dense() != k).any()


def test_thinned__to_more_than_there_are_changes_nothing(tmp_path, rng):
    problem = Problem(make_source(tmp_path, rng, "streamed"), "streamed")
    x = rng.normal(size=(N, 2))
    thin = problem.operator.thinned(10**6, seed=1)
    assert (thin.matmul(x) == problem.operator.matmul(x)).all()
    with pytest.raises(ValueError, match="at least one variant, not 0"):
        problem.operator.thinned(0, seed=1)


def test_relationship_operator__nothing_varies(tmp_path, rng):
    source = array_source(np.ones((4, 3), dtype=np.float32))
    summary = summarise_variants(source)
    scaling = variant_scaling(summary, "standardized")
    with pytest.raises(VariantError, match="no variation: of 0 variants"):
        relationship_operator(source, np.arange(3), scaling, np.arange(4), summary)


def test_without__one_chromosome_leaves_nothing():
    source = array_source(np.array([[0, 1], [1, 2], [2, 2]], dtype=np.float32))
    summary = summarise_variants(source)
    scaling = variant_scaling(summary, "standardized")
    k = relationship_operator(source, np.arange(2), scaling, np.arange(3), summary)
    assert k.chromosomes == ("0",)
    with pytest.raises(VariantError, match="of 2 variants none that is not left out"):
        k.without(0)


def test_operators__print_as_one_line(tmp_path, rng):
    k = Problem(make_source(tmp_path, rng, "held")).operator
    assert repr(k) == "<relationships of 53 samples by 199 variants on 4 chromosomes>"
    name = k.chromosomes[1]
    assert repr(k.without(1)) == f"<{k!r} without chromosome {name}>"


def test_held_dosages_change_no_bit_of_a_product(tmp_path, rng):
    source = make_source(tmp_path, rng, "dosages")
    samples, variants = np.arange(N), np.arange(M)
    summary = summarise_variants(source, samples)
    scaling = variant_scaling(summary, "standardized")
    held, read = (
        relationship_operator(source, variants, scaling, samples, summary, held_bytes=most)
        for most in (4 * N * M, 0)
    )
    assert held.columns.single is not None
    assert read.columns.single is None
    x = rng.normal(size=(N, 5))
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(held.matmul(x, dtype=dtype), read.matmul(x, dtype=dtype))
    order = rng.permutation(N)
    assert genotype_blocks(held, order).columns.single is None
    for other in (held.thinned(7, 0), read.thinned(7, 0)):
        assert other.columns.single is None
