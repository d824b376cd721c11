"""Clumps against their definition, on genotypes whose LD is planted."""

import numpy as np
import polars as pl
import pytest

from nextlmm.genotype.array import array_source
from nextlmm.output.schema import LEAD_COLUMNS, lead_table, result_table
from nextlmm.run.leads import CLUMP_R2, find_leads

N = 400


def planted(seed=4):
    """Two loci: in the first, variants 0-4 follow one signal and 5-6 another; 8 is far away."""
    rng = np.random.default_rng(seed)
    one, two, three = rng.binomial(2, 0.4, (3, N)).astype(float)
    g = np.empty((N, 10))
    for column, signal in enumerate([one, one, one, one, one, two, two, three, three, one]):
        noisy = rng.random(N) < 0.15
        g[:, column] = np.where(noisy, rng.binomial(2, 0.4, N), signal)
    position = np.array([10, 20, 30, 40, 50, 60, 70, 5_000, 5_010, 9_000]) * 1000
    return g, position


def results(position, strength, chromosome=None):
    m = len(position)
    return result_table(
        {
            "chromosome": ["1"] * m if chromosome is None else chromosome,
            "base_pair_location": position,
            "effect_allele": ["A"] * m,
            "other_allele": ["G"] * m,
            "beta": np.ones(m),
            "standard_error": np.ones(m),
            "effect_allele_frequency": np.full(m, 0.4),
            "neg_log_10_p_value": strength,
            "variant_id": [f"v{i}" for i in range(m)],
            "n": np.full(m, N),
            "status": ["ok"] * m,
            "h2": np.full(m, 0.5),
            "statistic": np.ones(m),
        }
    )


STRENGTH = [9.0, 12.0, 8.0, 7.0, 6.0, 10.0, 11.0, 8.0, 7.5, 0.2]


def test_find_leads__tells_signals_of_one_locus_apart():
    g, position = planted()
    found = find_leads(results(position, STRENGTH), array_source(g), np.arange(10), np.arange(N))
    assert [lead["variant_id"] for lead in found.leads] == ["v1", "v6", "v7"]
    assert [lead["locus"] for lead in found.leads] == [1, 1, 2]
    assert [lead["clump_variants"] for lead in found.leads] == [5, 2, 2]
    assert [lead["clump_start"] for lead in found.leads] == [10_000, 60_000, 5_000_000]
    assert [lead["clump_end"] for lead in found.leads] == [50_000, 70_000, 5_010_000]
    assert found.is_complete


@pytest.mark.parametrize("seed", range(5))
def test_find_leads__are_what_the_definition_says(seed):
    g, position = planted(seed)
    rng = np.random.default_rng(seed)
    strength = rng.uniform(4.0, 20.0, 10)
    strength[9] = np.nan  # not tested
    found = find_leads(results(position, strength), array_source(g), np.arange(10), np.arange(N))
    r2 = np.corrcoef(g, rowvar=False) ** 2
    expected = []
    for locus in (range(7), range(7, 9)):
        left = sorted(locus, key=lambda i: -strength[i])
        left = [i for i in left if strength[i] >= -np.log10(1.0 / 9)]
        while left:
            expected.append(left[0])
            left = [i for i in left[1:] if r2[left[0], i] < CLUMP_R2]
    expected.sort(key=lambda i: -strength[i])
    assert [lead["variant_id"] for lead in found.leads] == [f"v{i}" for i in expected]


def test_find_leads__looks_at_the_analysed_samples_and_the_right_variants():
    g, position = planted()
    rng = np.random.default_rng(0)
    noise = rng.binomial(2, 0.4, (N, 10)).astype(float)
    source = array_source(np.vstack([noise, np.hstack([noise, g])[:, 10:]]))
    found = find_leads(results(position, STRENGTH), source, np.arange(10), np.arange(N, 2 * N))
    assert [lead["variant_id"] for lead in found.leads] == ["v1", "v6", "v7"]
    wide = array_source(np.hstack([noise, g]))
    found = find_leads(results(position, STRENGTH), wide, np.arange(10, 20), np.arange(N))
    assert [lead["variant_id"] for lead in found.leads] == ["v1", "v6", "v7"]


def test_find_leads__regions_hold_r2_with_the_lead():
    g, position = planted()
    found = find_leads(results(position, STRENGTH), array_source(g), np.arange(10), np.arange(N))
    first, second = found.regions
    assert (first["variant_id"], first["start"], first["end"]) == ("v1", 1, 550_000)
    assert first["rows"] == list(range(7))
    expected = np.corrcoef(g, rowvar=False)[1, :7] ** 2
    np.testing.assert_allclose(first["r2"], expected, atol=5.1e-4)  # three digits are kept
    assert second["rows"] == [7, 8]


def test_find_leads__chromosomes_are_kept_apart():
    g, position = planted()
    chromosome = ["1"] * 3 + ["2"] * 7
    table = results(position, STRENGTH, chromosome)
    found = find_leads(table, array_source(g), np.arange(10), np.arange(N))
    assert [lead["variant_id"] for lead in found.leads] == ["v1", "v6", "v7", "v3"]
    assert [lead["locus"] for lead in found.leads] == [1, 2, 3, 2]
    assert all(region["chromosome"] in "12" for region in found.regions)
    assert found.regions[0]["rows"] == [0, 1, 2]


def test_find_leads__none_where_nothing_passes():
    g, position = planted()
    found = find_leads(
        results(position, np.full(10, 0.3)), array_source(g), np.arange(10), np.arange(N)
    )
    assert (found.leads, found.regions, found.is_complete) == ([], [], True)
    empty = lead_table(found.leads)
    assert empty.columns == [column.name for column in LEAD_COLUMNS]


def test_find_leads__says_when_it_stops_early():
    rng = np.random.default_rng(2)
    g = rng.binomial(2, 0.5, (N, 60)).astype(float)  # sixty signals in one place
    table = results(np.arange(1, 61) * 1000, rng.uniform(9, 20, 60))
    found = find_leads(table, array_source(g), np.arange(60), np.arange(N))
    assert len(found.leads) == 20
    assert not found.is_complete


def test_lead_table__has_the_columns_and_their_types():
    g, position = planted()
    found = find_leads(results(position, STRENGTH), array_source(g), np.arange(10), np.arange(N))
    frame = lead_table(found.leads)
    assert frame.schema == {column.name: column.dtype for column in LEAD_COLUMNS}
    assert frame["genome_wide_significant"].dtype == pl.Boolean
