from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.output.schema import result_table
from nextlmm.report.loci import chromosome_order, count_tested, find_loci, genome_order, top_hits


def table(*rows: tuple[str, int, float | None]) -> pl.DataFrame:
    """A result table from (chromosome, position, -log10 p)."""
    n = len(rows)
    filler = np.full(n, 0.5)
    return result_table(
        {
            "chromosome": [row[0] for row in rows],
            "base_pair_location": [row[1] for row in rows],
            "neg_log_10_p_value": [row[2] for row in rows],
            "variant_id": [f"{row[0]}:{row[1]}" for row in rows],
            "effect_allele": ["A"] * n,
            "other_allele": ["C"] * n,
            "status": ["ok"] * n,
            "n": np.full(n, 9),
            **dict.fromkeys(
                ("beta", "standard_error", "effect_allele_frequency", "h2", "statistic"), filler
            ),
        }
    )


def test_chromosome_order() -> None:
    names = ["chr10", "chr2", "X", "MT", "Y", "scaffold_10", "scaffold_9", "1", "chr2"]
    assert chromosome_order(np.array(names, dtype=object)) == [
        *("1", "chr2", "chr10", "X", "Y", "MT", "scaffold_9", "scaffold_10")
    ]


def test_find_loci__one_lead_for_a_chain_of_neighbours() -> None:
    frame = table(
        ("1", 5_000_000, 9.0), ("1", 100, 6.0), ("1", 900_000, 8.0), ("1", 1_800_000, 7.0)
    )
    leads = find_loci(frame, 1e-5)
    assert leads["variant_id"].to_list() == ["1:5000000", "1:900000"]
    assert leads["locus_start"].to_list() == [5_000_000, 100]
    assert leads["locus_end"].to_list() == [5_000_000, 1_800_000]
    assert leads["locus_variants"].to_list() == [1, 3]


def test_find_loci__a_gap_of_weak_variants_parts_two_loci() -> None:
    frame = table(("1", 100, 9.0), ("1", 900_000, 2.0), ("1", 1_800_000, 9.5))
    assert find_loci(frame, 1e-5)["variant_id"].to_list() == ["1:1800000", "1:100"]


def test_find_loci__never_across_chromosomes() -> None:
    frame = table(("1", 100, 9.0), ("2", 100, 9.5), ("1", 200, None))
    assert find_loci(frame, 1e-5)["variant_id"].to_list() == ["2:100", "1:100"]


def test_find_loci__ties_go_to_the_first_position() -> None:
    frame = table(("1", 300, 9.0), ("1", 100, 9.0), ("1", 200, 9.0))
    assert find_loci(frame, 1e-5)["variant_id"].to_list() == ["1:100"]


def test_find_loci__the_threshold_itself_passes() -> None:
    assert find_loci(table(("1", 1, 5.0)), 1e-5).height == 1
    assert find_loci(table(("1", 1, 4.999)), 1e-5).height == 0


def test_top_hits__strongest_first_and_plain_values() -> None:
    hits = top_hits(table(("1", 1, 9.0), ("2", 1, 20.0), ("3", 1, 0.1), ("4", 1, None)))
    assert [hit["variant_id"] for hit in hits] == ["2:1", "1:1"]
    assert hits[0]["genome_wide_significant"] is True
    assert {type(value) for value in hits[0].values()} <= {str, int, float, bool}


def test_top_hits__a_suggestive_one_is_listed_as_such() -> None:
    rows = [("1", 10_000_000 * i, 0.5) for i in range(999)]
    hits = top_hits(table(*rows, ("2", 1, 3.5)))
    assert [(hit["variant_id"], hit["genome_wide_significant"]) for hit in hits] == [("2:1", False)]


def test_top_hits__the_best_of_nothing() -> None:
    hits = top_hits(table(*[("1", 10_000_000 * i, 0.001 * i) for i in range(100)]))
    assert [hit["neg_log_10_p_value"] for hit in hits] == [pytest.approx(0.099)]


def test_top_hits__no_variant_could_be_tested() -> None:
    frame = table(("1", 1, None))
    assert count_tested(frame) == 0
    assert top_hits(frame) == []


def test_top_hits__count() -> None:
    rows = [("1", 10_000_000 * i, 9.0 + i) for i in range(30)]
    assert len(top_hits(table(*rows), count=4)) == 4


@given(
    st.lists(
        st.tuples(st.sampled_from(["1", "chr1", "2", "10", "X", "s7"]), st.integers(0, 5)),
        max_size=12,
    )
)
def test_genome_order__every_chromosome_in_one_piece_with_rising_positions(
    rows: list[tuple[str, int]],
) -> None:
    names = np.array([name for name, _ in rows], dtype=object)
    positions = np.array([at for _, at in rows], dtype=np.int64)
    order = genome_order(names, positions)
    assert sorted(order) == list(range(len(rows)))
    found = [rows[at] for at in order]
    chromosomes = list(dict.fromkeys(name for name, _ in found))
    assert chromosomes == chromosome_order(names)
    assert found == [row for name in chromosomes for row in sorted(found) if row[0] == name]
    # equal ones as they were
    assert all(a < b for a, b in pairwise(order) if rows[a] == rows[b])
