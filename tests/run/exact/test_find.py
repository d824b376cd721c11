"""Every route of the exact mode against dense algebra, on a cohort with families and populations.

What a route may be off by is what its certificate says; nothing else is allowed for.
"""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nextlmm.errors import ConvergenceError, UsageError, VariantError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.lmm.null import fit_null
from nextlmm.lmm.stochastic import StochasticFit
from nextlmm.run.arrays import associate
from nextlmm.run.exact import plan, scan
from nextlmm.run.exact.scores import solve_scores
from nextlmm.run.model import Model

N, M = 600, 900
ROUTES = ("hodlr", "components", "plain", "dense")


@pytest.fixture(scope="module")
def cohort():
    """Three populations, half of the samples in families of four, some genotypes missing."""
    rng = np.random.default_rng(5)
    frequency = rng.beta(2.0, 2.0, (3, M)) * 0.5 + 0.25 * rng.uniform(0.4, 1.6, M)
    frequency = np.clip(frequency, 0.02, 0.98)
    population = rng.integers(0, 3, N)
    haplotypes = rng.binomial(1, frequency[population][None].repeat(2, axis=0)).astype(float)
    for start in range(0, N // 2, 4):
        population[start : start + 4] = population[start]
        parents = rng.binomial(1, frequency[population[start]], (4, M))
        for child in range(start, start + 4):
            block = np.repeat(rng.integers(0, 2, (2, M // 30)), 30, axis=1)
            haplotypes[0, child] = np.where(block[0] == 0, parents[0], parents[1])
            haplotypes[1, child] = np.where(block[1] == 0, parents[2], parents[3])
    dosage = haplotypes.sum(axis=0)
    z = (dosage - dosage.mean(axis=0)) / np.maximum(dosage.std(axis=0), 0.1)
    chromosome = np.array(["1", "2", "3", "4"])[np.arange(M) * 4 // M]
    effect = rng.normal(size=M) * (rng.random(M) < 0.3) * (chromosome != "4")
    effect[100] += 4.0
    genetic = z @ effect
    covariate = rng.normal(size=N)
    y = genetic / genetic.std() + rng.normal(size=N) + 0.5 * covariate + 0.3 * population
    dosage[rng.random(dosage.shape) < 0.02] = np.nan
    dosage[:, 7], dosage[:, 8] = 2.0, np.nan
    return y, dosage, covariate, chromosome


@pytest.fixture
def single(monkeypatch):
    """Take the dense route in single precision at any size."""
    monkeypatch.setattr(plan, "LARGEST_DOUBLE", 0)


def run(cohort, **choices):
    y, dosage, covariate, chromosome = cohort
    return associate(
        y, dosage, covariates=covariate, chromosome=chromosome.tolist(), model=Model(**choices)
    )


def z_of(table):
    return (table["beta"] / table["standard_error"]).to_numpy()


def check_within_certificate(exact, dense):
    """All that a certificate promises, at the h2 of the run that it belongs to."""
    certificate = exact.certificate
    ok = dense.table["status"].to_numpy() == "ok"
    assert (exact.table["status"] == dense.table["status"]).all()
    p = dense.table["neg_log_10_p_value"].to_numpy()[ok]
    low = exact.table["neg_log_10_p_value_low"].to_numpy()[ok]
    high = exact.table["neg_log_10_p_value_high"].to_numpy()[ok]
    assert np.all((low <= p) & (p <= high))
    # beta has the score above and x'Px below; its standard error the root of the latter.
    ratio = (exact.table["standard_error"] / dense.table["standard_error"]).to_numpy()[ok] ** -2
    bound = certificate["chi2_error_predicted"] + 2.0 * certificate["z_error_max"]
    assert np.abs(ratio - 1.0).max() <= 1.05 * bound
    return p, exact.table["neg_log_10_p_value"].to_numpy()[ok]


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("loco", [True, False])
def test_every_route_keeps_its_promises(cohort, route, loco):
    """With h2 made the same, so that what differs is what the certificate is about."""
    dense = run(cohort, mode="dense", loco=loco)
    exact = run(cohort, route=route, loco=loco)
    assert exact.certificate["plan"]["route"] == route
    error = exact.certificate["h2_monte_carlo_error"]
    # five standard deviations of the random vectors, or the step at which polishing ends
    assert abs(exact.null.h2 - dense.null.h2) <= 5.0 * error + 0.005 * dense.null.h2_se
    at_same = at_h2(cohort, exact.null.h2, loco)
    p, q = check_within_certificate(exact, at_same)
    hits = p > 5.0
    assert hits.any()
    # 1e-4 of chi-square where p < 1e-5, a standard deviation's 1e-3 in the score
    z = np.abs(z_of(at_same.table)[at_same.table["status"].to_numpy() == "ok"])[hits]
    assert np.all(np.abs(p - q)[hits] <= (1e-4 * z**2 + 4e-3 * z) / np.log(10.0))


def at_h2(cohort, h2, loco):
    """The dense analysis at a given h2."""

    def fixed(y, covariates, k, *, method):
        return fit_null(y, covariates, DenseCovariance(k), method=method, h2=h2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nextlmm.run.solver.estimate_null_dense", fixed)
        return run(cohort, mode="dense", loco=loco)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("route", ["hodlr", "dense"])
@pytest.mark.parametrize("test", ["score", "lrt"])
def test_the_other_tests_use_the_ml_estimate(cohort, route, test):
    dense = run(cohort, mode="dense", test=test)
    exact = run(cohort, route=route, test=test)
    assert set(exact.table["h2"].drop_nulls()) == {exact.null.h2_ml}
    error = exact.certificate["h2_monte_carlo_error"]
    assert abs(exact.null.h2_ml - dense.null.h2_ml) <= 5.0 * error + 0.005 * dense.null.h2_se
    p = dense.table["neg_log_10_p_value"].to_numpy()
    q = exact.table["neg_log_10_p_value"].to_numpy()
    assert np.nanmax(np.abs(p - q)) < 0.05 * (1.0 + np.nanmax(p))  # h2 differs by its error


def test_a_heritability_for_each_chromosome(cohort):
    dense = run(cohort, mode="dense", loco_h2="per-chromosome")
    exact = run(cohort, route="hodlr", loco_h2="per-chromosome")
    assert list(exact.h2_by_chromosome) == list(dense.h2_by_chromosome)
    error = exact.certificate["h2_monte_carlo_error"]
    for name, h2 in dense.h2_by_chromosome.items():
        assert abs(exact.h2_by_chromosome[name] - h2) <= 5.0 * error + 0.02 * dense.null.h2_se


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("route", ROUTES)
def test_the_left_out_chromosome_is_in_no_matrix(cohort, route, monkeypatch):
    """Other genotypes on chromosome 2 change the tests of its own variants only through x."""
    monkeypatch.setattr("nextlmm.run.exact.null.estimate_null_stochastic", _fixed_null)
    y, dosage, covariate, chromosome = cohort
    on_two = np.flatnonzero(chromosome == "2")
    changed = dosage.copy()
    others = on_two[3:]
    changed[:, others] = np.random.default_rng(3).binomial(2, 0.3, (N, len(others)))
    before, after = run(cohort, route=route), run((y, changed, covariate, chromosome), route=route)
    same = on_two[:3]
    p, q = (part.table["neg_log_10_p_value"].to_numpy()[same] for part in (before, after))
    bound = sum(
        part.table["neg_log_10_p_value_high"] - part.table["neg_log_10_p_value_low"]
        for part in (before, after)
    ).to_numpy()[same]
    assert np.all(np.abs(p - q) <= bound)


def _fixed_null(y, covariates, operator, *, method, **_):
    """A null model that does not depend on the genotypes."""
    null = fit_null(y, covariates, DenseCovariance(np.eye(len(y))), method=method, h2=0.5)
    return StochasticFit(null, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0)


def test_a_naive_prediction_of_denominators_would_make_false_hits_and_ours_does_not():
    """Variants that follow the populations have an x'Px that one ratio, or a line, gets wrong.

    Two populations that differ at half of the variants: there K has a component with a tenth of its
    trace, and x'Px / x'x falls to a small part of the mean.
    """
    rng = np.random.default_rng(8)
    n, m = 560, 800
    population = np.arange(n) % 2
    base = rng.uniform(0.3, 0.7, m)
    apart = np.where(np.arange(m) % 2 == 0, rng.uniform(0.1, 0.29, m), 0.0)
    dosage = rng.binomial(2, base + np.where(population[:, None] == 0, apart, -apart)).astype(float)
    covariate = rng.normal(size=n)
    z = (dosage - dosage.mean(axis=0)) / dosage.std(axis=0)
    y = z @ rng.normal(size=m) / np.sqrt(m) * 1.2 + rng.normal(size=n)
    cohort = y, dosage, covariate, np.repeat(["1", "2"], m // 2)
    exact = run(cohort, route="plain", loco=False)
    dense = at_h2(cohort, exact.null.h2, loco=False)
    information = dense.table["standard_error"].to_numpy() ** -2
    length = np.sum((z * dosage.std(axis=0)) ** 2, axis=0)
    share = information / length
    ratio = np.sum(information) / np.sum(length)
    loading = np.sum((np.linalg.svd(z, full_matrices=False)[0][:, :1].T @ z) ** 2, axis=0) / n
    common = loading < np.quantile(loading, 0.5)
    line = np.polyval(np.polyfit(loading[common], share[common], 1), loading)
    naive = np.minimum(np.abs(ratio / share - 1.0), np.abs(line / share - 1.0))
    assert naive.max() > 0.25  # the danger is real, whichever of the two is better
    ours = (exact.table["standard_error"].to_numpy() ** -2 / information) - 1.0
    # what is left is chance: the bulk of 800 variants, some 2 % a standard deviation
    assert np.abs(ours).max() < 0.2 * naive.max()
    p, q = check_within_certificate(exact, dense)
    assert not np.any((q > 5.0) & (p < 4.9))
    assert not np.any((p > 5.0) & (q < 4.9))


def test_the_same_run_gives_the_same_bytes_and_on_other_threads_the_same_digits(cohort):
    def table(threads):
        with threadpool_limits(threads):
            return run(cohort, route="hodlr").table

    first = table(1)
    assert first.equals(table(1))
    other = table(2)
    for name in ("beta", "standard_error", "neg_log_10_p_value", "h2"):
        # sums in another order; a table keeps nine digits
        np.testing.assert_allclose(other[name], first[name], rtol=1e-10)


def test_the_order_of_the_samples_changes_nothing_beyond_the_bounds(cohort):
    y, dosage, covariate, chromosome = cohort
    order = np.random.default_rng(2).permutation(N)
    one = run(cohort, route="hodlr")
    other = run((y[order], dosage[order], covariate[order], chromosome), route="hodlr")
    # random vectors meet other samples, and h2 moves by its error
    error = one.certificate["h2_monte_carlo_error"] + other.certificate["h2_monte_carlo_error"]
    assert abs(one.null.h2 - other.null.h2) <= 5.0 * error + 1e-6


def test_few_variants_are_all_solved_for(cohort):
    y, dosage, covariate, chromosome = cohort
    few = np.r_[0:20, 300:320]
    exact = run((y, dosage[:, few], covariate, chromosome[few]), route="hodlr")
    assert exact.certificate["chi2_error_predicted"] is None
    dense = run((y, dosage[:, few], covariate, chromosome[few]), mode="dense")
    assert (exact.table["status"] == dense.table["status"]).all()


def test_one_chromosome_is_refused_with_the_way_out(cohort):
    y, dosage, covariate, _ = cohort
    with pytest.raises(VariantError, match="leave LOCO out"):
        run((y, dosage, covariate, np.full(M, "1")), route="hodlr")


def test_a_given_matrix_can_only_be_dense(cohort):
    y, dosage, *_ = cohort
    with pytest.raises(UsageError, match="given as a square array"):
        associate(y, dosage, k=np.eye(N), model=Model(route="hodlr", loco=False))


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("route", ["hodlr", "dense"])
@pytest.mark.parametrize("test", ["wald", "lrt"])
def test_hits_get_a_heritability_of_their_own(cohort, route, test):
    choices = {"per_variant_h2": "hits", "hit_threshold": 1e-4, "test": test}
    dense = run(cohort, mode="dense", **choices).table
    exact = run(cohort, route=route, **choices)
    own = (dense["h2"] != dense["h2"].mode(maintain_order=True).first()).fill_null(False).to_numpy()
    assert own.sum() > 3
    error = exact.certificate["h2_monte_carlo_error"] or 0.05 * exact.null.h2_se
    h2, reference = (part["h2"].to_numpy()[own] for part in (exact.table, dense))
    shared = exact.table["h2"].mode(maintain_order=True).first()
    assert not np.any(h2 == shared)
    # the random vectors of a chromosome move all of its own heritabilities alike
    assert np.all(np.abs(h2 - reference) <= 10.0 * error)
    p, q = (part["neg_log_10_p_value"].to_numpy()[own] for part in (exact.table, dense))
    assert np.all(np.abs(p - q) <= 0.02 * q)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize(("memory", "route"), [(1.0, "dense"), (0.25, "plain")])
def test_another_way_where_products_do_not_converge(cohort, monkeypatch, memory, route):
    """The answer is that of the other way, and the certificate says why it was taken."""
    tried = []

    def solved(*arguments, **options):
        tried.append(1)
        if len(tried) == 1:
            raise ConvergenceError("a linear system was not solved")
        return solve_scores(*arguments, **options)

    monkeypatch.setattr(plan, "DENSE_WORTH", 0.0)
    monkeypatch.setattr(plan, "dense_cost", lambda *_, **__: plan.Cost(1e9, 2.0**29))
    monkeypatch.setattr(scan, "solve_scores", solved)
    found = run(cohort, memory=memory)
    monkeypatch.setattr(scan, "solve_scores", solve_scores)
    asked = run(cohort, route=route)
    assert found.table.equals(asked.table)
    assert found.certificate["plan"]["route"] == route
    assert "did not converge" in found.certificate["plan"]["reason"]
    assert found.certificate["plan"]["requested"] is False


def test_a_way_that_was_asked_for_fails_with_a_sentence(cohort, monkeypatch):
    def never(*_, **__):
        raise ConvergenceError("a linear system was not solved")

    monkeypatch.setattr(scan, "solve_scores", never)
    with pytest.raises(ConvergenceError, match="not solved"):
        run(cohort, route="hodlr")
