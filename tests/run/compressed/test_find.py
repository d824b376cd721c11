"""The compressed model by products against its dense twin, and its bounds against the exact one."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nextlmm.assoc.scan import OK, scan_model, test_block
from nextlmm.linalg.dense import CholeskyFactor, DenseCovariance, cholesky_in_place
from nextlmm.linalg.divergence import measure_divergence
from nextlmm.linalg.hierarchy import Hierarchy
from nextlmm.linalg.hodlr_build import Budget
from nextlmm.lmm.design import make_design
from nextlmm.lmm.estimate import estimate_null
from nextlmm.lmm.null import FactoredLikelihood
from nextlmm.run.compressed import bounds, find
from nextlmm.run.compressed.likelihood import ExactH2, Likelihood
from nextlmm.run.compressed.matrix import HierarchicalCovariance, compress, ranks_for
from nextlmm.run.exact.find import groups_of
from nextlmm.run.model import Model

from ..exact import test_find as exact_cohort

cohort, run = exact_cohort.cohort, exact_cohort.run

NAMES = ("beta", "standard_error", "statistic", "neg_log_10_p_value")


@pytest.fixture(autouse=True)
def by_products(monkeypatch):
    """Do without the matrix at any size."""
    monkeypatch.setattr(find, "SMALLEST", 0)


@pytest.fixture
def inside(monkeypatch):
    """Calls of ``compress``: the matrix that a run used."""
    seen = []

    def recorded(*arguments, **options):
        seen.append(compress(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(find, "compress", recorded)
    return seen


@pytest.fixture
def ordered(monkeypatch):
    """The problem in the order of the factors."""
    seen = []
    arrangement_of = find.arrangement_of

    def recorded(*arguments):
        seen.append(arrangement_of(*arguments))
        return seen[-1]

    monkeypatch.setattr(find, "arrangement_of", recorded)
    return seen


def twin(problem, matrix, result, model):
    """The same tests with the same factors, variant by variant, whitened."""
    columns = {name: np.full(len(problem.variants), np.nan) for name in NAMES}
    status = np.full(len(problem.variants), "", dtype=object)
    for group, _ in groups_of(problem, matrix.operator, model):
        covariance = HierarchicalCovariance(matrix.without(group.left_out))
        scan = scan_model(
            problem.y,
            problem.covariates,
            covariance,
            h2=result.null.h2,
            h2_ml=result.null.h2_ml,
            test=model.test,
        )
        block = test_block(scan, problem.dosages(group.variants))
        status[group.variants] = block.status
        for name in NAMES:
            values = block.chi2 if name == "statistic" else getattr(block, name)
            columns[name][group.variants] = values
    return columns, status


@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
@pytest.mark.parametrize("loco", [True, False])
def test_tests_are_those_of_the_dense_twin(cohort, inside, ordered, test, loco):
    model = Model(mode="hodlr", leaf_size=32, test=test, loco=loco)
    result = run(cohort, mode="hodlr", leaf_size=32, test=test, loco=loco)
    columns, status = twin(ordered[0].problem, inside[0], result, model)
    assert (result.table["status"].to_numpy() == status).all()
    good = status == OK
    for name in NAMES:
        # forms are in single precision, with an error of 1e-6 or so
        np.testing.assert_allclose(
            result.table[name].to_numpy()[good], columns[name][good], rtol=3e-5, atol=3e-6
        )


class Twin(DenseCovariance):
    """The compressed Sigma as an array at every weight."""

    hierarchy: Hierarchy

    def factor(self, weight):
        sigma = np.asfortranarray(self.hierarchy.factor(weight).to_dense())
        return CholeskyFactor(cholesky_in_place(sigma))


@pytest.mark.parametrize("method", ["reml", "ml", "he"])
def test_null_model_is_that_of_the_compressed_matrix(cohort, inside, ordered, method):
    result = run(cohort, mode="hodlr", leaf_size=32, method=method)
    problem, hierarchy = ordered[0].problem, inside[0].hierarchy
    dense = Twin(HierarchicalCovariance(hierarchy).to_dense())
    object.__setattr__(dense, "hierarchy", hierarchy)
    expected = estimate_null(problem.y, problem.covariates, dense, method=method)
    # a likelihood to 1e-10 of its size says where it is flat to the square root of that
    assert result.null.h2 == pytest.approx(expected.h2, abs=1e-4)
    assert result.null.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-6)
    assert result.null.h2_se == pytest.approx(expected.h2_se, rel=1e-3)


def exact_tests(problem, operator, h2, test="wald"):
    """-log10 p and x'Px of the exact model by dense algebra; ``h2`` may be one of each name."""
    log_p, information = np.full((2, len(problem.variants)), np.nan)
    for group, name in groups_of(problem, operator, Model()):
        k = DenseCovariance(operator.to_dense(group.left_out))
        own = h2[name] if isinstance(h2, dict) else h2
        scan = scan_model(problem.y, problem.covariates, k, h2=own, test=test)
        block = test_block(scan, problem.dosages(group.variants))
        log_p[group.variants] = block.neg_log_10_p_value
        information[group.variants] = block.information
    return log_p, information


def check_bounds(result, truth):
    """Every exact test is within its interval."""
    low, high = (result.table[f"neg_log_10_p_value_{end}"].to_numpy() for end in ("low", "high"))
    tested = ~np.isnan(truth)
    assert (low[tested] <= truth[tested]).all()
    assert (truth[tested] <= high[tested]).all()
    assert np.isnan(low[~tested]).all()
    p = result.table["neg_log_10_p_value"].to_numpy()
    assert np.abs(p - truth)[tested].max() <= result.certificate["neg_log_10_p_error_max"]
    return low, high


@pytest.mark.parametrize("rank", [None, 0])
@pytest.mark.parametrize("test", ["wald", "score", "lrt"])
def test_bounds_hold_the_exact_tests_at_their_h2(cohort, ordered, test, rank):
    result = run(cohort, mode="hodlr", leaf_size=32, test=test, rank=rank)
    problem, operator = ordered[0].problem, ordered[0].operator
    certificate = result.certificate
    truth, _ = exact_tests(problem, operator, certificate["h2_of_bounds"], test)
    low, high = check_bounds(result, truth)
    # they say something, and more of the variants that stand out
    assert np.nanmedian(high - low) < 0.5
    best = np.argsort(-np.nan_to_num(truth))[:3]
    assert ((high - low)[best] < 0.1 + 0.02 * truth[best]).all()
    assert certificate["audited"] == 54
    assert certificate["refined"] >= 4
    assert 0.0 < certificate["audit_spread"] < certificate["chi2_error_predicted"] < 1.0


def test_ratios_of_denominators_are_within_the_certified_range(cohort, ordered, monkeypatch):
    seen = []
    bound = find.ExactModel.bound

    def recorded(*arguments, **options):
        seen.append((arguments[1], bound(*arguments, **options)))
        return seen[-1][1]

    monkeypatch.setattr(find.ExactModel, "bound", recorded)
    result = run(cohort, mode="hodlr", leaf_size=32)
    ((tested, bounded),) = seen
    order = np.concatenate([part.group.variants for part in tested])
    h2 = result.certificate["h2_of_bounds"]
    exact = exact_tests(ordered[0].problem, ordered[0].operator, h2)[1][order]
    known = ~np.isnan(exact)
    low, high = result.certificate["variance_ratio"]
    ratio = (exact / bounded.predicted)[known]
    assert low <= ratio.min()
    assert ratio.max() <= high
    found = bounded.denominators
    off = np.maximum(exact / found.information, found.information / exact)[known] - 1.0
    assert (off <= found.bound[known]).all()
    # the strongest variants were solved for
    assert found.bound[found.is_exact].max() < 0.01
    assert found.is_exact.sum() == result.certificate["audited"] + result.certificate["refined"]


def test_directions_that_were_missed_are_in_the_prediction(cohort, monkeypatch):
    """Without columns the populations are missed, which many variants follow."""

    def spread():
        audits = [run(cohort, mode="hodlr", leaf_size=32, rank=0, seed=seed) for seed in range(3)]
        return np.mean([audit.certificate["audit_spread"] for audit in audits])

    with_them = spread()
    monkeypatch.setattr(bounds, "_followed", lambda meeting, missed, forms: np.ones(len(meeting)))
    assert with_them < 0.97 * spread()


def test_few_variants_are_all_solved_for(cohort, ordered):
    y, dosage, covariate, chromosome = cohort
    few = np.r_[0:20, 300:320]
    result = run((y, dosage[:, few], covariate, chromosome[few]), mode="hodlr", leaf_size=32)
    certificate = result.certificate
    assert certificate["chi2_error_predicted"] is None
    assert certificate["audited"] == int((result.table["status"] == "ok").sum())
    problem, operator = ordered[0].problem, ordered[0].operator
    truth, _ = exact_tests(problem, operator, certificate["h2_of_bounds"])
    low, high = check_bounds(result, truth)
    tested = ~np.isnan(truth)
    assert ((high - low)[tested] < 0.1 + 0.02 * truth[tested]).all()


def test_residuals_in_double_precision_do_as_well(cohort, ordered, monkeypatch):
    single = run(cohort, mode="hodlr", leaf_size=32)
    monkeypatch.setattr("nextlmm.run.compressed.solves._SINGLE_LARGEST", 0)
    double = run(cohort, mode="hodlr", leaf_size=32)
    assert double.certificate["chi2_error_refined"] < single.certificate["chi2_error_refined"]
    problem, operator = ordered[1].problem, ordered[1].operator
    check_bounds(double, exact_tests(problem, operator, double.certificate["h2_of_bounds"])[0])


@pytest.mark.parametrize("loco", [True, False])
def test_divergence_is_what_dense_algebra_measures(cohort, inside, ordered, loco):
    result = run(cohort, mode="hodlr", leaf_size=32, loco=loco)
    certificate, h2 = result.certificate, result.null.h2
    k = ordered[0].operator
    approximate = inside[0].hierarchy.factor(h2)
    dense = measure_divergence(approximate, DenseCovariance(k.to_dense()).factor(h2))
    low, high = certificate["kl_interval"]
    assert low <= dense.kl <= high
    assert low <= certificate["kl"] <= high
    assert high - low < 0.5 * dense.kl


def test_slope_is_that_of_the_exact_likelihood(cohort, inside, ordered):
    """Against differences of the exact likelihood, whose random error the probes tell."""
    run(cohort, mode="hodlr", leaf_size=32, loco=False)
    problem, operator = ordered[0].problem, ordered[0].operator
    design = make_design(problem.covariates)
    k = DenseCovariance(operator.to_dense())
    exact = FactoredLikelihood(problem.y, design, k)
    for h2 in (0.2, 0.5, 0.8):
        step = 1e-4
        ends = [exact.log_likelihoods(h2 + sign * step)[0] for sign in (-1.0, 1.0)]
        expected = (ends[1] - ends[0]) / (2.0 * step)
        found = [
            Likelihood(operator, problem.y, design, inside[0].hierarchy.factor, seed).probed(h2)
            for seed in range(8)
        ]
        noise = float(np.mean([each.noise for each in found]))
        error = np.array([each.slope for each in found]) - expected
        assert abs(error.mean()) < 4.0 * noise / np.sqrt(8.0)
        assert 0.4 * noise < error.std(ddof=1) < 2.0 * noise
    assert (
        Likelihood(operator, problem.y, design, inside[0].hierarchy.factor, 0).probed(0.0).slope
        is None
    )


@pytest.mark.parametrize("rank", [None, 4])
def test_h2_of_the_exact_model_is_found(cohort, rank):
    exact = run(cohort, mode="dense").null
    result = run(cohort, mode="hodlr", leaf_size=32, rank=rank)
    certificate = result.certificate
    assert certificate["h2_error"] == result.null.h2 - certificate["h2_exact"]
    # the last step, of half a standard error at most, leaves the square of its length
    room = 4.0 * certificate["h2_monte_carlo_error"] + 0.25 * exact.h2_se
    assert abs(certificate["h2_exact"] - exact.h2) < room
    assert certificate["h2_monte_carlo_error"] < 0.5 * exact.h2_se


def test_matrix_without_a_chromosome_has_leaves_and_energies_of_its_own(cohort, inside, ordered):
    run(cohort, mode="hodlr", leaf_size=32)
    for chromosome in (-1, 2):
        k = ordered[0].operator.to_dense(chromosome)
        found = inside[0].without(chromosome)
        for node, block in found.leaves:
            rows = slice(node.start, node.stop)
            np.testing.assert_allclose(block, k[rows, rows], atol=1e-5)
        for node in found.nodes:
            energy = node.columns.T @ k[node.rows, node.rows] @ node.columns
            np.testing.assert_allclose(node.energy, energy, rtol=1e-4, atol=1e-4)


def test_matrix_without_most_of_it_is_not_a_difference(cohort, inside, ordered):
    y, dosage, covariate, _ = cohort
    names = np.where(np.arange(dosage.shape[1]) < 880, "1", "2")
    run((y, dosage, covariate, names), mode="hodlr", leaf_size=32)
    k = ordered[0].operator.to_dense(0)
    for node, block in inside[0].without(0).leaves:
        rows = slice(node.start, node.stop)
        np.testing.assert_allclose(block, k[rows, rows], atol=1e-5)


def test_h2_per_chromosome(cohort, ordered):
    result = run(cohort, mode="hodlr", leaf_size=32, loco_h2="per-chromosome")
    assert set(result.h2_by_chromosome) == {"1", "2", "3", "4"}
    assert len(set(result.h2_by_chromosome.values())) == 4
    assert result.certificate["z_error_max"] > 0.0
    assert result.certificate["h2_of_bounds"] is None
    problem, operator = ordered[0].problem, ordered[0].operator
    check_bounds(result, exact_tests(problem, operator, result.h2_by_chromosome)[0])


@pytest.mark.parametrize("rank", [0, 3])
def test_rank_is_the_most_columns_of_a_node(cohort, rank):
    result = run(cohort, mode="hodlr", leaf_size=32, rank=rank)
    ranks = [level["rank_max"] for level in result.certificate["ranks"]]
    assert max(found or 0 for found in ranks) == rank


def test_more_columns_diverge_less(cohort, inside, ordered):
    for rank in (0, 4, 40):
        run(cohort, mode="hodlr", leaf_size=32, rank=rank, loco=False)
    exact = DenseCovariance(ordered[0].operator.to_dense()).factor(0.5)
    kl = [measure_divergence(each.hierarchy.factor(0.5), exact).kl for each in inside]
    assert kl[0] > kl[1] > kl[2]


def test_a_tolerance_that_is_not_met_is_said(cohort):
    missed = run(cohort, mode="hodlr", leaf_size=32, kl_tolerance=0.001, loco=False)
    assert any("more than the tolerance of 0.001" in text for text in missed.warnings)
    met = run(cohort, mode="hodlr", leaf_size=32, kl_tolerance=1e4, loco=False)
    assert not any("tolerance" in text for text in met.warnings)


def test_a_heritability_that_is_far_from_the_exact_one_is_said(cohort):
    null = run(cohort, mode="hodlr", leaf_size=32, loco=False).null
    far, near = (ExactH2(null.h2 + share * null.h2_se, 0.0) for share in (1.1, 0.9))
    (text,) = find._far_from_exact(null, far)
    assert f"which is {far.h2:.3f}" in text
    assert find._far_from_exact(null, near) == ()
    (text,) = find._far_from_exact(null, None)
    assert "was not found near it" in text
    assert find._far_from_exact(replace(null, h2_se=None), None) == ()


def test_same_bytes_again_and_on_other_threads(cohort):
    def table(threads):
        with threadpool_limits(threads):
            return run(cohort, mode="hodlr", leaf_size=32).table

    first = table(1)
    assert first.equals(table(1))
    assert first.equals(table(2))


def test_ranks_for__a_budget():
    assert ranks_for(Budget(rank=0)).root is None
    assert ranks_for(Budget(rank=5)).root.most == 5
    assert ranks_for(Budget(kl=0.1)).worth > 0.0
