"""Chromosomes of any number and name, in any order, and variants without a position."""

import numpy as np
import polars as pl
import pytest

from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

N, M = 60, 120
NAMES = ["1", "01", "chr1", "Chr2", "2", "29", "38", "chr38", "2A", "LG5", "scaffold_12", "X", "0"]


@pytest.fixture
def cattle(rng):
    """Dosages of a cohort, and chromosomes of many kinds, each in several pieces."""
    dosage = rng.binomial(2, rng.uniform(0.2, 0.8, M), (N, M)).astype(float)
    y = dosage[:, :30] @ rng.normal(size=30) / 4 + rng.normal(size=N)
    return dosage, y, np.array([NAMES[j % len(NAMES)] for j in range(M)], dtype=object)


def run(folder, cattle, order, *, chromosome=None, positions=None, **options):
    """The table, in the order of the identifiers, of a run on the variants in some order."""
    dosage, y, names = cattle
    folder.mkdir()
    ids = string_array(f"s{i}" for i in range(N))
    at = np.arange(1, M + 1) * 100 if positions is None else positions
    variants = VariantTable(
        chromosome=string_array((names if chromosome is None else chromosome)[order].tolist()),
        variant_id=string_array(f"v{j:03d}" for j in order),
        position_bp=at[order],
        effect_allele=string_array(["A"] * M),
        other_allele=string_array(["G"] * M),
    )
    write_plink(folder / "g", dosage[:, order], SampleTable(ids, ids), variants)
    rows = ["IID y", *(f"s{i} {value!r}" for i, value in enumerate(y.tolist()))]
    (folder / "traits.txt").write_text("\n".join(rows) + "\n")
    result = gwas(
        GwasOptions(
            bfile=str(folder / "g"),
            pheno=str(folder / "traits.txt"),
            out=str(folder / "r"),
            **({"plots": False} | options),
        )
    )
    return result.tables["y"].sort("variant_id")


NUMBERS = ["neg_log_10_p_value", "beta", "standard_error"]


def assert_same(found, expected):
    np.testing.assert_allclose(
        found.select(NUMBERS).to_numpy(), expected.select(NUMBERS).to_numpy(), rtol=1e-6, atol=1e-9
    )


def test_the_order_of_the_file_does_not_matter(tmp_path, cattle, rng):
    """LOCO brings the pieces of a chromosome together, whatever lies between them."""
    plain = run(tmp_path / "a", cattle, np.arange(M))
    shuffled = run(tmp_path / "b", cattle, rng.permutation(M))
    assert_same(shuffled, plain)
    assert shuffled["chromosome"].to_list() == plain["chromosome"].to_list()


def test_spellings_of_a_chromosome_are_one(tmp_path, cattle):
    """1, 01 and chr1 are left out together; 2A, LG5 and scaffolds are names like others."""
    one_spelling = {"01": "1", "chr1": "1", "Chr2": "2", "chr38": "38"}
    _, _, names = cattle
    renamed = np.array([one_spelling.get(name, name) for name in names], dtype=object)
    order = np.arange(M)
    plain = run(tmp_path / "a", cattle, order)
    assert_same(run(tmp_path / "b", cattle, order, chromosome=renamed), plain)
    assert set(plain["chromosome"]) == set(NAMES)  # results keep what the file says
    chosen = run(tmp_path / "c", cattle, order, chr="chr1,38,scaffold_12", loco=False)
    assert set(chosen["chromosome"]) == {"1", "01", "chr1", "38", "chr38", "scaffold_12"}


def test_positions_may_be_missing(tmp_path, cattle):
    """0 where none is known; every variant is tested, and the plots are drawn."""
    order = np.arange(M)
    plain = run(tmp_path / "a", cattle, order)
    without = run(tmp_path / "b", cattle, order, positions=np.zeros(M, np.int64), plots=True)
    assert_same(without, plain)
    assert without["base_pair_location"].to_list() == [0] * M
    assert (tmp_path / "b" / "r.y.manhattan.png").stat().st_size > 10_000
    assert without["status"].unique().to_list() == ["ok"]


def test_sixty_chromosomes(tmp_path, cattle):
    names = np.array([str(1 + j // 2) for j in range(M)], dtype=object)
    table = run(tmp_path / "a", cattle, np.arange(M), chromosome=names)
    assert table["chromosome"].n_unique() == 60
    assert table.select(pl.col(NUMBERS).is_finite().all()).row(0) == (True, True, True)
