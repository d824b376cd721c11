import numpy as np
import pytest
from scipy.sparse.linalg import ArpackNoConvergence

from nextlmm.errors import ConvergenceError, NumericalError
from nextlmm.linalg.dense import DenseCovariance
from nextlmm.linalg.spectral import spectral_covariance
from nextlmm.lmm import haseman_elston as module
from nextlmm.lmm.haseman_elston import haseman_elston

from .cohorts import small_cohort


def by_definition(cohort, n_components):
    """The two moment equations with every matrix formed."""
    n = len(cohort.y)
    q = np.linalg.qr(cohort.covariates)[0]
    m = np.eye(n) - q @ q.T
    vectors = np.linalg.eigh(m @ cohort.k @ m)[1]
    if n_components:
        top = vectors[:, -n_components:]
        m = m - top @ top.T
    mk = m @ cohort.k
    y = m @ cohort.y
    system = [[np.trace(mk), np.trace(m)], [np.trace(mk @ mk), np.trace(mk)]]
    genetic, other = np.linalg.solve(system, [y @ y, y @ cohort.k @ y])
    return m, genetic, other


@pytest.mark.parametrize("covariance", [DenseCovariance, spectral_covariance])
@pytest.mark.parametrize("n_components", [0, 3])
def test_haseman_elston__solves_the_moment_equations(covariance, n_components):
    cohort = small_cohort(8, n=70, extra_covariates=2)
    _, genetic, other = by_definition(cohort, n_components)
    found = haseman_elston(
        cohort.y, cohort.covariates, covariance(cohort.k), n_components=n_components
    )
    assert found.n_components == n_components
    assert found.sigma_g2 == pytest.approx(genetic, rel=1e-7)
    assert found.sigma_e2 == pytest.approx(other, rel=1e-7)
    assert found.h2_raw == pytest.approx(genetic / (genetic + other), rel=1e-7)


def test_haseman_elston__standard_error_is_the_delta_method():
    cohort = small_cohort(8, n=70)
    m, _, _ = by_definition(cohort, 3)
    found = haseman_elston(cohort.y, cohort.covariates, DenseCovariance(cohort.k), n_components=3)
    sigma = m @ (found.h2 * cohort.k + (1.0 - found.h2) * np.eye(70)) @ m
    forms = [m, m @ cohort.k @ m]
    covariance = [[2.0 * np.trace(a @ sigma @ b @ sigma) for a in forms] for b in forms]
    mk = m @ cohort.k
    inverse = np.linalg.inv([[np.trace(mk), np.trace(m)], [np.trace(mk @ mk), np.trace(mk)]])
    gradient = np.array([1.0 - found.h2, -found.h2]) @ inverse
    assert found.h2_se == pytest.approx(np.sqrt(gradient @ covariance @ gradient), rel=1e-7)


def test_haseman_elston__is_unbiased_and_its_error_is_right():
    cohort = small_cohort(9, n=120, m=150)
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(0.5 * cohort.k + 0.5 * np.eye(120))
    covariance = DenseCovariance(cohort.k)
    found = [
        haseman_elston(root @ rng.standard_normal(120), cohort.covariates, covariance)
        for _ in range(200)
    ]
    raw = np.array([f.h2_raw for f in found])
    assert abs(raw.mean() - 0.5) < 4.0 * raw.std() / np.sqrt(200)
    assert np.mean([f.h2_se for f in found]) == pytest.approx(raw.std(), rel=0.2)
    for f in found:
        assert 0.0 <= f.h2 < 1.0
        assert (f.boundary is None) == (f.h2 == f.h2_raw)


@pytest.mark.parametrize(("sign", "side"), [(1.0, "upper"), (-1.0, "lower")])
def test_haseman_elston__outside_the_range_is_flagged(sign, side):
    cohort = small_cohort(9, n=80)
    values, vectors = np.linalg.eigh(cohort.k)
    # a trait that lies along the large, or the small, components of K
    y = vectors @ (values**2 if sign > 0 else 1.0 / (1.0 + values) ** 4)
    found = haseman_elston(y, cohort.covariates, DenseCovariance(cohort.k), n_components=0)
    assert found.boundary == side
    assert found.h2 == pytest.approx(0.0 if side == "lower" else 1.0, abs=2e-5)
    assert not 0.0 <= found.h2_raw < 1.0


def test_haseman_elston__components_are_limited_in_small_samples():
    cohort = small_cohort(9, n=40)
    found = haseman_elston(cohort.y, cohort.covariates, DenseCovariance(cohort.k))
    assert found.n_components == 3


def test_haseman_elston__does_not_see_unrelated_samples():
    cohort = small_cohort(9, n=40)
    with pytest.raises(NumericalError, match="multiple of the identity"):
        haseman_elston(cohort.y, cohort.covariates, DenseCovariance(np.eye(40)), n_components=0)


def test_haseman_elston__says_when_components_are_not_found(monkeypatch):
    def fail(*_, **__):
        raise ArpackNoConvergence("no convergence", np.ones(2), np.ones((40, 2)))

    monkeypatch.setattr(module, "eigsh", fail)
    cohort = small_cohort(9, n=40)
    with pytest.raises(ConvergenceError, match=r"2 converged\)"):
        haseman_elston(cohort.y, cohort.covariates, DenseCovariance(cohort.k))
