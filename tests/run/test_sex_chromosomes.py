"""X, its pseudo-autosomal regions, Y and the mitochondrion: what docs/formats.md says of them."""

import numpy as np
import pytest

from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.tables import string_array
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

FILES = {
    "geno": "X",
    "geno.pgen": "X",
    "geno.vcf.gz": "X",
    "geno.bgen": "X",
    "chr23": "23",
    "chrchrX": "chrX",
    "par": "XY",
    "chrY": "Y",
    "mt": "MT",
}
"""The same genotypes, and what the chromosome is called in each."""


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_x_gives_the_same_numbers(shared_data, tmp_path, name):
    """Whatever the format and whatever the chromosome is called; names stay as they are."""
    folder = shared_data / "formats" / "chrX"
    options = {
        "pheno": str(shared_data / "formats" / "base" / "pheno.txt"),
        "trait": "y1",
        "plots": False,
        "loco": False,
    }
    plain = gwas(GwasOptions(bfile=str(folder / "geno"), out=str(tmp_path / "a"), **options))
    found = gwas(GwasOptions(bfile=str(folder / name), out=str(tmp_path / "b"), **options))
    table, expected = (run.tables["y1"].drop("chromosome") for run in (found, plain))
    assert table.equals(expected)
    assert set(found.tables["y1"]["chromosome"]) == {FILES[name]}


def test_men_are_0_or_2_and_their_heterozygous_calls_1(shared_data):
    folder = shared_data / "formats" / "chrX"
    plain, odd = (open_genotypes(folder / name) for name in ("geno", "hethap"))
    a, b = (source.dosages(np.arange(19)) for source in (plain, odd))
    sex = np.array([line.split()[4] for line in (folder / "geno.fam").read_text().splitlines()])
    men = a[sex == "1"]
    assert set(men[~np.isnan(men)].tolist()) == {0.0, 2.0}
    changed = (a != b) & ~(np.isnan(a) & np.isnan(b))
    assert changed.sum() == 3
    assert b[changed].tolist() == [1.0, 1.0, 1.0]
    assert set(sex[changed.any(axis=1)]) == {"1"}


def test_haploid_and_diploid_calls_of_one_vcf(tmp_path):
    """A man, haploid on X, Y and MT and diploid on the region that X and Y share, and a woman."""
    pytest.importorskip("cyvcf2")
    rows = [("X", "1", "0/1"), ("X", "0", "1|1"), ("X", ".", "./."), ("PAR1", "0/1", "1/1")]
    rows += [("Y", "1", "."), ("MT", "1", "0")]
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="">']
    lines += [f"##contig=<ID={name}>" for name in ("X", "PAR1", "Y", "MT")]
    lines += ["#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tman\twoman"]
    for position, (chromosome, *calls) in enumerate(rows, 1):
        fields = [chromosome, position, f"v{position}", "A", "C", ".", ".", ".", "GT", *calls]
        lines.append("\t".join(map(str, fields)))
    (tmp_path / "a.vcf").write_text("\n".join(lines) + "\n")
    source = open_genotypes(tmp_path / "a.vcf")
    nan = np.nan
    np.testing.assert_array_equal(
        source.dosages(np.arange(6)), [[2, 0, nan, 1, 2, 2], [1, 2, nan, 2, nan, 0]]
    )
    assert source.variants.chromosome.tolist() == ["X", "X", "X", "PAR1", "Y", "MT"]


def test_each_name_is_a_chromosome_of_its_own_to_leave_out():
    names = ["X", "chrX", "x", "23", "XY", "PAR1", "PAR2", "25", "Y", "M", "MT", "chrMT"]
    groups = chromosome_groups(np.arange(len(names)), string_array(names))
    assert {name: index.tolist() for name, index in groups.items()} == {
        "X": [0, 1, 2],
        **{name: [3 + i] for i, name in enumerate(names[3:10])},
        "MT": [10, 11],
    }
