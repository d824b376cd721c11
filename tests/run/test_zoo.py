"""Every animal of the zoo by every way: the textbook answer within the certificate, or a sentence.

Warnings are errors, those of NumPy too.
"""

import os
import re

import numpy as np
import pytest

from nextlmm.errors import NextlmmError
from nextlmm.run.arrays import associate
from nextlmm.run.compressed import find
from nextlmm.run.exact import plan
from nextlmm.run.model import Model

from .zoo import ANIMALS, Animal, exact_log_p, expected_status, huge_unit, tiny_unit, twins

REFERENCE_ROUNDING = 1e-5
"""Relative rounding of the reference, which inverts matrices with condition numbers of 1e7."""

WAYS = {
    "dense": {"mode": "dense"},
    "dense, own h2": {"mode": "dense", "per_variant_h2": "always"},
    "dense, moments": {"mode": "dense", "method": "he"},
    "exact": {},
    "exact, single": {"route": "dense"},
    "exact, hodlr": {"route": "hodlr", "leaf_size": 8},
    "exact, components": {"route": "components", "leaf_size": 8, "test": "score"},
    "exact, plain": {"route": "plain", "test": "lrt"},
    "hodlr, measured": {"mode": "hodlr", "leaf_size": 8, "test": "lrt"},
    "hodlr, rank 2": {"mode": "hodlr", "leaf_size": 8, "rank": 2},
    "hodlr, products": {"mode": "hodlr", "leaf_size": 8, "rank": 4},
}
WHOLE = "NEXTLMM_WHOLE_ZOO" in os.environ
PAIRS = [
    pytest.param(make, way, id=f"{make.__name__}-{way}")
    for i, make in enumerate(ANIMALS)
    for j, way in enumerate(WAYS)
    if WHOLE or (i + j) % 3 == 0
]
"""Every animal by a third of the ways, in turn; by all where the environment says so."""

ONLY_SQUARE = "given as a square array"
SOMETIMES = {
    # plain conjugate gradients where the matrix is nearly singular
    "was not solved.*use a heritability further from 1": ("exact, plain", "exact, hodlr"),
    # moments say nothing of a matrix that is a multiple of the identity, or of so few samples
    "heritability cannot be estimated by moments": ("dense, moments",),
}
"""Sentences that some ways may end with, for any animal: what they say is the case."""


def analyse(animal: Animal, way: str, monkeypatch):
    if way == "exact, single":
        monkeypatch.setattr(plan, "LARGEST_DOUBLE", 0)
    if way == "hodlr, products":
        monkeypatch.setattr(find, "SMALLEST", 0)
    return associate(
        animal.y,
        animal.dosage,
        k=animal.k,
        covariates=animal.covariates,
        chromosome=animal.chromosome.tolist(),
        model=Model(**{**WAYS[way], **animal.choices}),
    )


def column(result, name):
    return result.table[name].cast(float).fill_null(np.nan).to_numpy()


@pytest.mark.parametrize(("make", "way"), PAIRS)
def test_the_right_answer_or_a_sentence(make, way, monkeypatch):
    animal = make()
    try:
        result = analyse(animal, way, monkeypatch)
    except NextlmmError as error:
        check_refusal(animal, way, str(error))
        return
    assert animal.refusal is None, "it should have been refused"
    check_rows(animal, result)
    check_p_values(animal, way, result)
    if not way.startswith(("dense, moments", "hodlr")):  # whose h2 is not that of the exact matrix
        for pattern in animal.warnings:
            assert any(re.search(pattern, text) for text in result.warnings), result.warnings


def check_refusal(animal: Animal, way: str, text: str) -> None:
    """The sentence names what is wrong with this animal, and a way out."""
    if animal.k is not None and WAYS[way].get("route", "dense") != "dense":
        assert ONLY_SQUARE in text
        return
    for pattern, ways in SOMETIMES.items():
        if way in ways and re.search(pattern, text):
            return
    assert animal.refusal is not None, text
    assert re.search(animal.refusal, text), text


def check_rows(animal: Animal, result) -> None:
    """A status for every variant; all numbers where it is "ok", and none elsewhere."""
    status = result.table["status"].to_numpy()
    assert status.tolist() == expected_status(animal).tolist()
    ok = status == "ok"
    assert ok.any()
    for name in ("beta", "standard_error", "neg_log_10_p_value", "statistic", "h2"):
        values = column(result, name)
        assert np.isfinite(values[ok]).all(), name
        assert np.isnan(values[~ok]).all(), name


def check_p_values(animal: Animal, way: str, result) -> None:
    """Inside the ends that are printed, or the same where none are."""
    loco = animal.choices.get("loco", animal.k is None)
    test = WAYS[way].get("test", "wald")
    h2 = column(result, "h2")
    if way.startswith("hodlr"):
        h2 = np.where(np.isfinite(h2), result.certificate["h2_of_bounds"], np.nan)
    truth = exact_log_p(animal, test, h2, loco=bool(loco))
    room = REFERENCE_ROUNDING * (1.0 + truth)
    rows = np.isfinite(truth) & (truth < 12.0)  # a share of 1 - 1e-16 is all that the reference has
    assert rows.any()
    if "neg_log_10_p_value_low" not in result.table.columns:
        found = column(result, "neg_log_10_p_value")
        assert np.all(np.abs(found - truth)[rows] <= room[rows])
        return
    low, high = column(result, "neg_log_10_p_value_low"), column(result, "neg_log_10_p_value_high")
    assert np.all(low[rows] <= (truth + room)[rows])
    assert np.all((truth - room)[rows] <= high[rows])


@pytest.mark.parametrize("way", ["dense", "exact, hodlr", "hodlr, products"])
@pytest.mark.parametrize(("make", "unit"), [(huge_unit, 1e12), (tiny_unit, 1e-12)])
def test_the_unit_of_the_trait_changes_effects_and_nothing_else(make, unit, way, monkeypatch):
    one, other = analyse(twins(), way, monkeypatch), analyse(make(), way, monkeypatch)
    assert other.null.h2 == pytest.approx(one.null.h2, rel=1e-4)
    for name, scale in (("beta", unit), ("standard_error", unit), ("neg_log_10_p_value", 1.0)):
        np.testing.assert_allclose(
            column(other, name), scale * column(one, name), rtol=1e-3, atol=1e-4 * scale
        )


def test_a_variant_that_is_the_trait_stands_out_by_every_way(monkeypatch):
    """What it leaves is rounding, and counts as the trait's tenth digit where x'Px is exact.

    Where it is solved for, the upper end is beyond that.
    """
    animal = next(make for make in ANIMALS if make.__name__ == "the_trait_is_a_variant")()
    found = {}
    for way in WAYS:
        if way in ("dense, own h2", "dense, moments"):
            continue
        with monkeypatch.context() as patch:
            result = analyse(animal, way, patch)
        log_p = column(result, "neg_log_10_p_value")
        assert int(np.nanargmax(log_p)) == 20
        is_bounded = "neg_log_10_p_value_high" in result.table.columns
        found[way] = float(
            column(result, "neg_log_10_p_value_high")[20] if is_bounded else log_p[20]
        )
    wald = {way: found[way] for way in found if WAYS[way].get("test", "wald") == "wald"}
    assert wald["exact"] == pytest.approx(wald["dense"], rel=1e-6)
    assert min(wald.values()) >= (1.0 - 1e-3) * wald["dense"], found
