"""The two axes, and that permuting the files permutes the answers."""

import pickle
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.filters import VariantFilter, select_variants
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array

from .examples import bed_source, random_calls, sample_table, variant_table


def test_tables__columns_are_read_only_and_the_callers_are_not():
    ids = string_array(["a", "b"])
    table = SampleTable(ids, ids)
    with pytest.raises(ValueError, match="read-only"):
        table.sample_id[0] = "c"
    ids[0] = "c"


def test_tables__columns_must_be_equally_long():
    with pytest.raises(ValueError, match="equally long"):
        SampleTable(string_array(["a"]), string_array(["a", "b"]))


def test_tables__take_and_pickle():
    order = np.array([2, 0])
    samples, variants = sample_table(3).take(order), variant_table(3).take(order)
    assert samples.sample_id.tolist() == ["I2", "I0"]
    assert variants.position_bp.tolist() == [20, 0]
    assert variants.variant_id.tolist() == ["v2", "v0"]
    for table in (samples, variants):
        copy = pickle.loads(pickle.dumps(table))
        for name, values in vars(table).items():
            assert np.array_equal(getattr(copy, name), values)


def test_values__print_as_one_line(tmp_path, rng):
    source = bed_source(tmp_path, random_calls(rng, 6, 7))
    summary = summarise_variants(source)
    selection = select_variants(source.variants, summary, 6, VariantFilter(exclude=frozenset("v")))
    assert repr(source) == f"<{tmp_path}/g.bed: 6 samples, 7 variants>"
    assert repr(source.samples) == f"<6 samples of {tmp_path}/g.fam>"
    assert repr(source.variants) == "<7 variants on 3 chromosomes>"
    assert repr(summary).startswith("<summary of 7 variants, ")
    assert repr(selection) == "<7 variants selected>"


@given(
    sample_order=st.permutations(range(9)),
    variant_order=st.permutations(range(7)),
    seed=st.integers(0, 99),
)
def test_files__permuting_them_permutes_the_answers(sample_order, variant_order, seed):
    calls = random_calls(np.random.default_rng(seed), 9, 7)
    rows, columns = np.array(sample_order), np.array(variant_order)
    with tempfile.TemporaryDirectory() as folder:
        plain = bed_source(folder, calls)
        samples, variants = sample_table(9).take(rows), variant_table(7).take(columns)
        write_plink(f"{folder}/p", calls[np.ix_(rows, columns)], samples, variants)
        permuted = open_bed(f"{folder}/p")
        assert permuted.samples.sample_id.tolist() == [f"I{i}" for i in rows]
        assert isinstance(permuted.variants, VariantTable)
        some = np.argsort(rows)[:5]  # the samples I0 to I4 in the permuted files
        expected = plain.dosages(columns, np.arange(5))
        assert np.array_equal(permuted.dosages(np.arange(7), some), expected, equal_nan=True)
        before, after = summarise_variants(plain), summarise_variants(permuted)
        for name, values in vars(before).items():
            assert np.array_equal(getattr(after, name), values[columns], equal_nan=True)
