"""Choosing variants."""

from dataclasses import replace

import numpy as np
import pytest

from nextlmm.errors import FormatError, UsageError, VariantError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.filters import VariantFilter, read_id_list, select_variants
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.summary import summarise_variants

from .examples import variant_table

# Five samples; frequencies .5, .1, .9, 0, none called, .5 with two missing.
DOSAGES = np.array(
    [
        [0, 0, 2, 0, np.nan, 0],
        [1, 0, 2, 0, np.nan, 1],
        [1, 0, 2, 0, np.nan, 2],
        [1, 0, 2, 0, np.nan, np.nan],
        [2, 1, 1, 0, np.nan, np.nan],
    ]
)


def select(**options):
    source = array_source(DOSAGES, variants=variant_table(6))
    summary = summarise_variants(source)
    return select_variants(source.variants, summary, 5, VariantFilter(**options))


def test_select_variants__nothing_asked_for_nothing_dropped():
    selection = select()
    assert selection.index.tolist() == [0, 1, 2, 3, 4, 5]
    assert dict(selection.excluded) == {}
    assert len(selection) == 6


@pytest.mark.parametrize(
    ("options", "passed", "excluded"),
    [
        ({"maf": 0.1}, [0, 1, 2, 4, 5], {"minor allele frequency below 0.1": 1}),
        ({"maf": 0.11}, [0, 4, 5], {"minor allele frequency below 0.11": 3}),
        ({"max_missing": 0.4}, [0, 1, 2, 3, 5], {"missing rate above 0.4": 1}),
        ({"max_missing": 0.39}, [0, 1, 2, 3], {"missing rate above 0.39": 2}),
        ({"max_missing": 0.0}, [0, 1, 2, 3], {"missing rate above 0": 2}),
        ({"extract": frozenset({"v1", "v5", "w"})}, [1, 5], {"not in the extract list": 4}),
        ({"exclude": frozenset({"v1", "w"})}, [0, 2, 3, 4, 5], {"in the exclude list": 1}),
    ],
)
def test_select_variants__one_reason(options, passed, excluded):
    selection = select(**options)
    assert selection.index.tolist() == passed
    assert dict(selection.excluded) == excluded


def test_select_variants__negative_positions_mark_variants_to_leave_out():
    table = variant_table(6)
    marked = replace(table, position_bp=np.where(np.arange(6) == 4, -5, table.position_bp))
    source = array_source(DOSAGES, variants=marked)
    selection = select_variants(source.variants, summarise_variants(source), 5, VariantFilter())
    assert selection.index.tolist() == [0, 1, 2, 3, 5]
    assert dict(selection.excluded) == {"at a negative position": 1}


def test_select_variants__each_variant_counts_once():
    lists = {"extract": frozenset({"v0", "v1", "v3", "v4"}), "exclude": frozenset({"v0", "v5"})}
    selection = select(maf=0.05, max_missing=0.5, **lists)
    assert selection.index.tolist() == [1]
    assert sum(selection.excluded.values()) == 5
    assert selection.excluded["not in the extract list"] == 2
    assert selection.excluded["in the exclude list"] == 1


def test_select_variants__nothing_left():
    with pytest.raises(
        VariantError, match=r"none of the 6 variants passes the filters \(in the excl"
    ):
        select(maf=0.5, max_missing=0.0, exclude=frozenset({"v0"}))
    with pytest.raises(VariantError, match=r"the extract list has 'a', 'b', 'c' and .* 'v0', 'v1'"):
        select(extract=frozenset("abcd"))


@pytest.mark.parametrize(
    "options", [{"maf": -0.1}, {"maf": 0.6}, {"max_missing": 1.1}, {"maf": float("nan")}]
)
def test_variant_filter__thresholds(options):
    with pytest.raises(UsageError, match=r"is .*; give a number from 0 to"):
        VariantFilter(**options)


def test_select_variants__repeated_ids_are_all_chosen(shared_data):
    source = open_genotypes(shared_data / "formats" / "odd" / "dup_snp_ids")
    ids, counts = np.unique(source.variants.variant_id.astype(str), return_counts=True)
    repeated = str(ids[counts.argmax()])
    summary = summarise_variants(source)
    variant_filter = VariantFilter(extract=frozenset({repeated}))
    assert len(select_variants(source.variants, summary, 100, variant_filter)) == counts.max() > 1


def test_read_id_list__first_column(tmp_path):
    path = tmp_path / "ids"
    path.write_text("rs1\n rs2 extra\r\n\nrs1\n")
    assert read_id_list(path) == {"rs1", "rs2"}
    path.write_text("\n")
    with pytest.raises(FormatError, match="lists no variants"):
        read_id_list(path)


def test_read_id_list__reference_file(shared_data):
    formats = shared_data / "formats"
    source = open_genotypes(formats / "base" / "geno")
    ids = read_id_list(formats / "odd" / "extract.txt")
    summary = summarise_variants(source)
    selection = select_variants(source.variants, summary, 100, VariantFilter(extract=ids))
    assert set(source.variants.take(selection.index).variant_id) == ids
