"""The relationship matrix from its definition, and LOCO as a matrix of the other chromosomes."""

import numpy as np
import pytest

from nextlmm.errors import VariantError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import VariantTable
from nextlmm.relatedness import grm
from nextlmm.relatedness.grm import (
    RelationshipSum,
    relationship_matrix,
    relationship_sum,
    samples_without_calls,
    variant_scaling,
)
from nextlmm.relatedness.loco import check_loco, leave_one_out

N, M = 23, 60
EVERY = np.arange(M)


def make_source(rng, *, chromosomes=("1", "2", "X"), missing=0.1):
    dosage = rng.integers(0, 3, (N, M)).astype(np.float32)
    dosage[rng.random(dosage.shape) < missing] = np.nan
    dosage[:, 7] = 1.0  # does not vary
    dosage[:, 8] = np.nan  # never called
    names = np.array([chromosomes[i % len(chromosomes)] for i in range(M)], dtype=object)
    table = VariantTable(
        chromosome=names,
        variant_id=np.array([f"v{i}" for i in range(M)], dtype=object),
        position_bp=np.arange(1, M + 1),
        effect_allele=np.full(M, "A", dtype=object),
        other_allele=np.full(M, "G", dtype=object),
    )
    return array_source(dosage, variants=table), dosage


def by_definition(dosage, rows, weighting, columns=EVERY):
    """K entry by entry, in plain loops over variants."""
    total = np.zeros((len(rows), len(rows)))
    for j in columns:
        x = dosage[:, j].astype(float)
        if np.isnan(x).all() or np.nanstd(x) == 0.0:
            continue
        x = np.where(np.isnan(x), np.nanmean(x), x)
        z = (x - x.mean()) / (x.std() if weighting == "standardized" else 1.0)
        total += np.outer(z[rows], z[rows])
    centring = np.eye(len(rows)) - 1.0 / len(rows)
    k = centring @ total @ centring
    return k / np.trace(k) * len(rows)


def build(source, rows, weighting):
    scaling = variant_scaling(summarise_variants(source), weighting)
    return scaling, relationship_sum(source, EVERY, scaling, rows)


@pytest.mark.parametrize("weighting", ["standardized", "centered"])
@pytest.mark.parametrize("rows", [np.arange(N), np.array([3, 1, 20, 7, 9])], ids=["all", "some"])
def test_relationship_matrix__is_its_definition(rng, weighting, rows):
    source, dosage = make_source(rng)
    _, total = build(source, rows, weighting)
    assert total.n_variants == M - 2
    k = relationship_matrix(total)
    np.testing.assert_allclose(k, by_definition(dosage, rows, weighting), atol=1e-12)
    assert np.trace(k) == pytest.approx(len(rows))
    assert (k == k.T).all()


def test_relationship_sum__block_size_changes_nothing_but_rounding(rng, monkeypatch):
    source, _ = make_source(rng)
    _, whole = build(source, np.arange(N), "standardized")
    monkeypatch.setattr(grm, "_BLOCK", 7)
    monkeypatch.setattr(grm, "_MIRROR", 5)
    _, pieces = build(source, np.arange(N), "standardized")
    np.testing.assert_allclose(pieces.values, whole.values, atol=1e-11)


def test_relationship_matrix__overwrite_gives_the_same(rng):
    source, _ = make_source(rng)
    _, total = build(source, np.arange(N), "standardized")
    kept = relationship_matrix(total)
    assert not np.shares_memory(kept, total.values)
    assert (relationship_matrix(total, overwrite=True) == kept).all()


def test_relationship_matrix__refuses_variants_that_do_not_vary():
    source = array_source(np.ones((4, 3), dtype=np.float32))
    scaling = variant_scaling(summarise_variants(source), "standardized")
    total = relationship_sum(source, np.arange(3), scaling, np.arange(4))
    with pytest.raises(VariantError, match="no variation: 0 variants"):
        relationship_matrix(total)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1])
def test_relationship_matrix__refuses_a_given_matrix_that_does_not_vary(value):
    total = RelationshipSum(np.full((7, 7), value, order="F"), 3, is_given=True)
    with pytest.raises(VariantError, match=r"given relationship matrix k has no .* 7 analysed"):
        relationship_matrix(total)


def test_samples_without_calls__finds_them_among_those_asked_for(rng):
    source, dosage = make_source(rng)
    dosage[[2, 5, 11]] = np.nan
    dosage[5, 7] = 1.0  # called, but where nobody varies
    dosage[11, 20] = 2.0
    source = array_source(dosage, variants=source.variants)
    rows = np.array([5, 3, 11, 2, 8])
    scaling, _ = build(source, rows, "standardized")
    assert samples_without_calls(source, EVERY, scaling, rows).tolist() == [5, 2]


def test_samples_without_calls__a_sample_at_every_mean_is_not_one():
    dosage = np.array([[0, 2], [1, 1], [2, 0], [np.nan, np.nan]], dtype=np.float32)
    source, rows = array_source(dosage), np.arange(4)
    scaling = variant_scaling(summarise_variants(source), "standardized")
    total = relationship_sum(source, np.arange(2), scaling, rows)
    assert (total.values.diagonal() == 0.0).tolist() == [False, True, False, True]
    assert samples_without_calls(source, np.arange(2), scaling, rows).tolist() == [3]


def test_values__print_as_one_line(rng):
    source, _ = make_source(rng)
    scaling, total = build(source, np.arange(N), "standardized")
    assert repr(scaling) == "<scaling of 60 variants, of which 58 vary>"
    assert repr(total) == "<relationships of 23 samples, of 58 variants>"
    first = next(leave_one_out(source, EVERY, scaling, np.arange(N), total))
    assert repr(first) == "<without chromosome 1, which has 20 variants>"


@pytest.mark.parametrize("weighting", ["standardized", "centered"])
def test_leave_one_out__is_the_matrix_of_the_other_chromosomes(rng, weighting):
    source, dosage = make_source(rng)
    rows = np.arange(N)
    scaling, total = build(source, rows, weighting)
    before = total.values.copy()
    chromosome = source.variants.chromosome
    seen = []
    for left_out in leave_one_out(source, EVERY, scaling, rows, total):
        assert (chromosome[left_out.variants] == left_out.chromosome).all()
        others = np.flatnonzero(chromosome != left_out.chromosome)
        expected = by_definition(dosage, rows, weighting, others)
        np.testing.assert_allclose(left_out.k, expected, atol=1e-11)
        seen.append(left_out.variants)
    assert (np.sort(np.concatenate(seen)) == EVERY).all()
    assert (total.values == before).all()


def test_leave_one_out__spellings_of_a_chromosome_are_one(rng):
    source, dosage = make_source(rng, chromosomes=("chr1", "2", "1", "02", "01"))
    rows = np.arange(N)
    scaling, total = build(source, rows, "standardized")
    on_first = np.isin(source.variants.chromosome, ["chr1", "1", "01"])
    first, second = leave_one_out(source, EVERY, scaling, rows, total)
    assert (first.chromosome, second.chromosome) == ("chr1", "2")
    assert (first.variants == np.flatnonzero(on_first)).all()
    expected = by_definition(dosage, rows, "standardized", np.flatnonzero(~on_first))
    np.testing.assert_allclose(first.k, expected, atol=1e-11)


def test_check_loco__two_spellings_are_one_chromosome(rng):
    source, _ = make_source(rng, chromosomes=("7", "chr7"))
    scaling, _ = build(source, np.arange(N), "standardized")
    with pytest.raises(VariantError, match="only on chromosome '7'"):
        check_loco(source, EVERY, scaling)


def test_check_loco__one_chromosome_is_refused_with_the_way_out(rng):
    source, _ = make_source(rng, chromosomes=("7",))
    scaling, _ = build(source, np.arange(N), "standardized")
    expected = r"only on chromosome '7'; leave LOCO out \(--no-loco, or loco=False in Python\)"
    with pytest.raises(VariantError, match=expected):
        check_loco(source, EVERY, scaling)
