"""The exact test of Hardy-Weinberg equilibrium against its definition and PLINK 2."""

import shutil
import subprocess
from fractions import Fraction
from math import factorial

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.genotype.array import array_source
from nextlmm.genotype.equilibrium import equilibrium_log_p, exact_log_p
from nextlmm.genotype.source import open_genotypes

from .examples import bed_source, random_calls, variant_table


def by_definition(n_none, n_one, n_two):
    """The same in rational numbers."""
    n, rare = n_none + n_one + n_two, min(2 * n_none + n_one, 2 * n_two + n_one)

    def weight(hets):
        homs = (rare - hets) // 2
        return Fraction(2**hets, factorial(hets) * factorial(homs) * factorial(n - hets - homs))

    weights = {hets: weight(hets) for hets in range(rare % 2, rare + 1, 2)}
    p = sum(w for w in weights.values() if w <= weights[n_one]) / sum(weights.values())
    return -np.log10(float(p))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_exact_log_p__by_definition(n_none, n_one, n_two):
    expected = by_definition(n_none, n_one, n_two)
    assert exact_log_p(n_none, n_one, n_two) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_exact_log_p__far_beyond_the_range_of_a_double():
    assert exact_log_p(5000, 0, 5000) > 2000.0
    assert exact_log_p(0, 0, 0) == 0.0


def test_equilibrium_log_p__calls_dosages_and_chromosomes(tmp_path, rng):
    calls = random_calls(rng, 61, 9)
    samples = rng.permutation(61)[:40]
    table = variant_table(9)  # three on each of three chromosomes
    source = bed_source(tmp_path, calls)
    found = equilibrium_log_p(source, np.arange(9), samples)
    chosen = calls[samples]
    expected = [by_definition(*((chosen[:, j] == c).sum() for c in (0, 1, 2))) for j in range(9)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    near = np.clip(calls + rng.uniform(-0.09, 0.09, calls.shape), 0.0, 2.0)
    again = equilibrium_log_p(array_source(near, variants=table), np.arange(9), samples)
    np.testing.assert_allclose(again, found)
    named = type(table)(
        chromosome=np.where(table.chromosome == "2", "chrX", table.chromosome),
        variant_id=table.variant_id,
        position_bp=table.position_bp,
        effect_allele=table.effect_allele,
        other_allele=table.other_allele,
    )
    found = equilibrium_log_p(array_source(calls, variants=named), np.arange(9), samples)
    assert found[3:6].tolist() == [0.0] * 3
    np.testing.assert_allclose(found[[0, 8]], np.array(expected)[[0, 8]], rtol=1e-9)


def test_equilibrium_log_p__is_that_of_plink2(shared_data, tmp_path):
    program = shutil.which("plink2")
    if program is None:
        pytest.skip("needs plink2 on the PATH")
    prefix = shared_data / "formats/base/geno"
    words = [program, "--bfile", str(prefix), "--hardy", "--out", "h"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    table = pl.read_csv(tmp_path / "h.hardy", separator="\t", infer_schema_length=None)
    source = open_genotypes(prefix)
    found = equilibrium_log_p(source, np.arange(len(source.variants)), np.arange(100))
    expected = -np.log10(table["P"].cast(pl.Float64).to_numpy())
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
