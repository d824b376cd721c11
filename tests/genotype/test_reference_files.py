"""Every readable file of the collection of odd files says what the plain one says."""

import numpy as np
import pytest

from nextlmm.genotype.source import open_genotypes

SAME_GENOTYPES = [
    "mixsep", "crlf", "nofinalnewline", "blanklines", "bim5col", "fam5col", "utf8", "numeric_ids",
    "dup_iid_diff_fid", "dup_fid_iid", "fam_pheno", "fam_casecontrol", "fam_gemma11col",
    "dup_snp_ids", "bim_odd", "bed_v099_1byte", "bed_headerless_indmajor",
]  # fmt: skip
SAME_TABLES = ["mixsep", "crlf", "nofinalnewline", "blanklines", "bim5col", "fam5col"]
ALL_VARIANTS = np.arange(139)


@pytest.fixture(scope="module")
def formats(shared_data):
    return shared_data / "formats"


@pytest.fixture(scope="module")
def truth(formats):
    """Copies of A1, samples by variants, from a table that another program wrote."""
    lines = (formats / "base" / "truth.tsv").read_text().splitlines()[1:]
    values = [
        [float("nan") if v == "NA" else float(v) for v in line.split("\t")[3:]] for line in lines
    ]
    return np.array(values).T


@pytest.fixture(scope="module")
def base(formats):
    return open_genotypes(formats / "base" / "geno")


def test_base__genotypes_and_tables(formats, base, truth):
    assert np.array_equal(base.dosages(ALL_VARIANTS), truth, equal_nan=True)
    header, *lines = (formats / "base" / "truth.tsv").read_text().splitlines()
    assert base.samples.sample_id.tolist() == header.split("\t")[3:]
    rows = zip(
        base.variants.variant_id,
        base.variants.effect_allele,
        base.variants.other_allele,
        strict=True,
    )
    assert ["\t".join(row) for row in rows] == ["\t".join(line.split("\t")[:3]) for line in lines]


@pytest.mark.parametrize("name", SAME_GENOTYPES)
def test_odd__genotypes_are_read_as_they_are(formats, truth, name):
    source = open_genotypes(formats / "odd" / name)
    assert np.array_equal(source.dosages(ALL_VARIANTS), truth, equal_nan=True)


@pytest.mark.parametrize("name", SAME_TABLES)
def test_odd__dialects_of_the_tables_do_not_matter(formats, base, name):
    source = open_genotypes(formats / "odd" / name)
    for table, expected in ((source.samples, base.samples), (source.variants, base.variants)):
        for column, values in vars(expected).items():
            if column != "origin":
                assert np.array_equal(getattr(table, column), values)


def test_odd__identifiers_are_text(formats):
    numeric = open_genotypes(formats / "odd" / "numeric_ids").samples
    assert numeric.family_id[:2].tolist() == ["00", "0"]
    assert numeric.sample_id[:2].tolist() == ["00000", "00001"]
    names = open_genotypes(formats / "odd" / "utf8").samples
    assert names.sample_id[:3].tolist() == ["Zoë", "样本", "a/b:c;d"]
    variants = open_genotypes(formats / "odd" / "bim_odd").variants
    assert variants.chromosome[[1, 4, 5]].tolist() == ["0", "chr1", "scaffold_12"]
    assert variants.position_bp[[2, 3]].tolist() == [0, -5]
    assert variants.effect_allele[[0, 6, 7, 8]].tolist() == ["0", "ACGTACGT", "1", "<DEL>"]


def test_odd__one_sample_and_one_variant(formats, truth):
    one_sample = open_genotypes(formats / "odd" / "onesample")
    assert one_sample.dosages(ALL_VARIANTS).shape == (1, 139)
    one_variant = open_genotypes(formats / "odd" / "onesnp")
    j = base_position(formats, one_variant.variants.variant_id[0])
    assert np.array_equal(one_variant.dosages(np.array([0])), truth[:, [j]], equal_nan=True)


def base_position(formats, variant_id):
    return open_genotypes(formats / "base" / "geno").variants.variant_id.tolist().index(variant_id)


def test_odd__unsorted_variants_are_the_same_variants(formats, base, truth):
    source = open_genotypes(formats / "odd" / "unsorted")
    where = {variant_id: j for j, variant_id in enumerate(base.variants.variant_id)}
    order = [where[variant_id] for variant_id in source.variants.variant_id]
    assert np.array_equal(source.dosages(ALL_VARIANTS), truth[:, order], equal_nan=True)


def test_odd__samples_without_any_call(formats):
    dosages = open_genotypes(formats / "odd" / "sample_allmiss").dosages(ALL_VARIANTS)
    assert np.count_nonzero(np.isnan(dosages).all(axis=1)) == 2


def test_odd__linked_variants_and_twins(formats):
    linked = open_genotypes(formats / "odd" / "perfect_ld").dosages(np.arange(3))
    assert np.array_equal(linked[:, 0], linked[:, 1], equal_nan=True)
    assert np.array_equal(linked[:, 0], 2 - linked[:, 2], equal_nan=True)
    twins = open_genotypes(formats / "odd" / "twins").dosages(ALL_VARIANTS)
    assert len(np.unique(np.nan_to_num(twins, nan=9), axis=0)) == len(twins) - 2
