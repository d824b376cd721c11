"""A sample of the random problems of ``python -m validation.certificate``, and that it can fail."""

import importlib

import numpy as np
import pytest

from nextlmm.testing import reference

N_PROBLEMS = 50


@pytest.fixture(scope="module")
def certificate():
    return importlib.import_module("validation.certificate")


@pytest.fixture(scope="module")
def claims():
    return importlib.import_module("validation.claims")


@pytest.fixture(scope="module")
def problems():
    return importlib.import_module("validation.small_problems")


def test_no_claim_is_broken(certificate, claims):
    total = claims.Tally()
    for _, tally in certificate.tallies(range(N_PROBLEMS), 1):
        total.add(tally)
    certain = [case for case in total.cases if case[0] not in claims.PROBABILITY]
    assert certain == []
    assert all(verdict.stands for verdict in certificate.verdicts(total))
    assert sum(total.refused.values()) <= certificate.LARGEST_REFUSED * N_PROBLEMS
    for claim in (claims.ENDS, claims.DENSE, claims.SCORE, claims.SOLVED, claims.KL, claims.RATIO):
        assert total.checked[claim] > 0, claim


def test_a_problem_is_the_same_again(problems):
    one, other = problems.draw(7), problems.draw(7)
    np.testing.assert_array_equal(one.dosage, other.dosage)
    assert one.model == other.model
    assert problems.draw(8).dosage.shape != one.dosage.shape


def lying(monkeypatch, where, factor):
    """Ends that are drawn together around the wrong middle."""
    module = importlib.import_module(where)
    honest = module.log_p_ends

    def ends(*given):
        low, high = honest(*given)
        return low + factor * (1.0 + low), high + factor * (1.0 + high)

    monkeypatch.setattr(module, "log_p_ends", ends)


def test_a_lie_is_found(certificate, claims, monkeypatch):
    lying(monkeypatch, "nextlmm.run.exact.scan", 1e-2)
    total = claims.Tally()
    for _, tally in certificate.tallies(range(N_PROBLEMS // 3), 1):
        total.add(tally)
    assert total.broken[claims.ENDS] > 0
    broken = {verdict.claim for verdict in certificate.verdicts(total) if not verdict.stands}
    assert claims.ENDS in broken


def test_a_crash_and_a_warning_are_cases(certificate, monkeypatch):
    def crash(small):
        return np.float64(1.0) / np.zeros(small.y.shape)

    monkeypatch.setattr(certificate, "examine", crash)
    _, tally = certificate.examined(3)
    assert tally.broken[certificate.ENDS_WELL] == 1
    assert "RuntimeWarning" in tally.cases[0][1]


@pytest.mark.parametrize(("broken", "stands"), [(0, True), (50, True), (70, True), (100, False)])
def test_a_claim_with_a_probability_may_be_broken_as_often_as_that(
    certificate, claims, broken, stands
):
    tally = claims.Tally()
    tally.note(claims.KL_INTERVAL, np.arange(1000) >= broken)
    (verdict,) = certificate.verdicts(tally)
    assert verdict.stands is stands


def test_the_textbook_in_extended_precision_is_that_of_the_package(claims, problems):
    textbook = importlib.import_module("validation.textbook")
    small = problems.draw(4)
    book = claims._book(small)
    k = book.relationships()
    every = np.flatnonzero(book.variants()[1] == textbook.OK)[:5]
    for test in ("wald", "score", "lrt"):
        found = book.neg_log_10_p(test, book.forms(k, 0.4, every))
        x = book.variants()[0][:, every].astype(float)
        for column, log_p in zip(x.T, found, strict=True):
            expected = reference.associate(
                column, book.y, book.c, k.astype(float), test=test, h2=0.4, h2_ml=0.4
            )
            assert log_p == pytest.approx(-np.log10(expected.p_value), rel=1e-8, abs=1e-10)
    for reml in (True, False):
        value = book.log_likelihood(k, 0.4, reml=reml)
        known = reference.log_likelihood(book.y, book.c, k.astype(float), 0.4, reml=reml)
        assert value == pytest.approx(known, abs=1e-8)
        best = book.best_h2(k, reml=reml)
        top = reference.estimate_h2(book.y, book.c, k.astype(float), reml=reml)
        assert book.log_likelihood(k, best, reml=reml) >= (
            book.log_likelihood(k, top, reml=reml) - 1e-9
        )
