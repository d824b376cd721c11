"""Every trait, covariate and list file of the collection of odd files."""

import numpy as np
import pytest

from nextlmm.cohort.align import align
from nextlmm.cohort.table import read_sample_list, read_sample_table
from nextlmm.errors import AlignmentError, DesignError, FormatError, TraitError
from nextlmm.genotype.source import open_genotypes


@pytest.fixture(scope="module")
def formats(shared_data):
    return shared_data / "formats"


@pytest.fixture(scope="module")
def genotyped(formats):
    return open_genotypes(formats / "base" / "geno").samples


@pytest.fixture(scope="module")
def traits(formats):
    return read_sample_table(formats / "base" / "pheno.txt")


def expected_of(traits, name="y1"):
    ids = traits.sample_id.tolist()
    return dict(zip(ids, map(float, traits.columns[name]), strict=True))


@pytest.mark.parametrize(
    ("name", "trait"),
    [
        ("pheno_noheader.txt", "column3"),
        ("pheno_hash_header.txt", "y1"),
        ("pheno_iid_only.txt", "y1"),
        ("pheno_csv.csv", "y1"),
        ("pheno_spaces_in_name.txt", "y"),
    ],
)
def test_align__dialects_give_the_same_trait(formats, genotyped, traits, name, trait):
    table = read_sample_table(formats / "odd" / name)
    cohort = align(genotyped, table, trait)
    assert cohort.y.tolist() == align(genotyped, traits, "y1").y.tolist()
    assert cohort.warnings == ()
    assert len(table.columns) == 3


def test_align__names_that_are_not_words(formats, genotyped):
    table = read_sample_table(formats / "odd" / "pheno_spaces_in_name.txt")
    assert list(table.columns) == ["y", "y-2", "(y_3)"]
    assert len(align(genotyped, table, "(y_3)")) == 100


def test_align__shuffled_subset_with_others(formats, genotyped, traits):
    table = read_sample_table(formats / "odd" / "pheno_shuffled_subset_extra.txt")
    cohort = align(genotyped, table, "y1")
    expected = expected_of(traits)
    assert dict(cohort.exclusions) == {"not in the trait file": 30}
    assert cohort.y.tolist() == [expected[sample] for sample in cohort.sample_ids]


def test_align__missing_codes(formats, genotyped, traits):
    table = read_sample_table(formats / "odd" / "pheno_missing_codes.txt")
    with pytest.raises(TraitError, match="line 9: trait 'y1' of sample 'HG00145' is 'inf'"):
        align(genotyped, table, "y1")
    assert align(genotyped, table, "y2").y.tolist() == align(genotyped, traits, "y2").y.tolist()


def test_align__empty_cells_are_missing(formats, genotyped, traits):
    table = read_sample_table(formats / "odd" / "pheno_na_tab_empty.txt")
    cohort = align(genotyped, table, "y1")
    assert dict(cohort.exclusions) == {"trait missing": 1}
    assert "HG00128" not in cohort.sample_ids
    expected = expected_of(traits)
    assert cohort.y.tolist() == [expected[sample] for sample in cohort.sample_ids]


def test_align__minus_nine_between_real_values(formats, genotyped):
    table = read_sample_table(formats / "odd" / "pheno_minus9_value.txt")
    cohort = align(genotyped, table, "y1")
    assert len(cohort) == 100
    assert cohort.y[:4].tolist() == [-9, -8.5, -9.5, 3]
    assert "-9 was kept as a measured value (25 times)" in cohort.warnings[0]


def test_align__minus_nine_in_a_binary_trait(formats, genotyped):
    table = read_sample_table(formats / "odd" / "pheno_bin12.txt")
    cohort = align(genotyped, table, "y3")
    assert dict(cohort.exclusions) == {"trait missing": 25}
    assert set(cohort.y) == {0, 1, 2}
    assert "-9 was taken as missing (25 times)" in cohort.warnings[0]
    assert set(align(genotyped, table, "y1").y) == {1, 2}


def test_align__huge_and_tiny_values(formats, genotyped):
    table = read_sample_table(formats / "odd" / "pheno_huge.txt")
    for trait in table.columns:
        cohort = align(genotyped, table, trait)
        assert np.isfinite(cohort.y).all()
        assert cohort.y[0] == float(table.columns[trait][0])


@pytest.mark.parametrize(
    ("name", "trait", "error", "message"),
    [
        ("pheno_dup_rows.txt", "y1", AlignmentError, "'HG00110' has two rows, on lines 2 and 102"),
        ("pheno_constant.txt", "y1", TraitError, "is 5 in all 100 analysed samples"),
        ("pheno_constant.txt", "y2", TraitError, "trait missing: 100"),
        ("pheno_allna.txt", "y1", TraitError, "trait missing: 100"),
        ("pheno_names_odd.txt", "y1", FormatError, "line 1: the name 'y1' occurs twice"),
    ],
)
def test_align__refused_traits(formats, genotyped, name, trait, error, message):
    with pytest.raises(error, match=message):
        align(genotyped, read_sample_table(formats / "odd" / name), trait)


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("covar_collinear.txt", None, "covariate 'const' of .* is 1 in all 100"),
        (
            "covar_collinear.txt",
            ["sex", "age", "age2x"],
            "'age2x' of .* is collinear with 'age' in",
        ),
        ("covar_categorical.txt", None, r"'site=s2' of .* is collinear with 'sex=F' in"),
        ("covar_saturated.txt", None, "100 analysed, for an intercept and 99 covariates"),
    ],
)
def test_align__refused_covariates(formats, genotyped, traits, name, chosen, message):
    covariates = read_sample_table(formats / "odd" / name)
    with pytest.raises(DesignError, match=message):
        align(genotyped, traits, "y1", covariates=covariates, covariate_names=chosen)


def test_align__accepted_covariates(formats, genotyped, traits):
    plain = read_sample_table(formats / "base" / "covar.txt")
    cohort = align(genotyped, traits, "y1", covariates=plain)
    assert cohort.covariate_names == ("intercept", "sex", "age")
    with_missing = read_sample_table(formats / "odd" / "covar_na.txt")
    cohort = align(genotyped, traits, "y1", covariates=with_missing)
    assert dict(cohort.exclusions) == {"covariate missing": 12}
    part = read_sample_table(formats / "odd" / "covar_collinear.txt")
    cohort = align(genotyped, traits, "y1", covariates=part, covariate_names=["sex", "age"])
    assert cohort.n_covariates == 3


@pytest.mark.parametrize("name", ["keep.txt", "keep_iid.txt"])
def test_align__keep_and_remove_are_complements(formats, genotyped, traits, name):
    listed = read_sample_list(formats / "odd" / name)
    kept = align(genotyped, traits, "y1", keep=listed)
    rest = align(genotyped, traits, "y1", remove=listed)
    assert sorted([*kept.kept, *rest.kept]) == list(range(100))
    assert set(kept.sample_ids) == set(listed.sample_id)


def test_align__identifiers_with_leading_zeros(formats, traits):
    numeric = open_genotypes(formats / "odd" / "numeric_ids").samples
    table = read_sample_table(formats / "odd" / "numeric_ids.pheno.txt")
    assert len(align(numeric, table)) == 100
    with pytest.raises(AlignmentError, match=r"100 of .*numeric_ids.fam \('00 00000', '0 00001'"):
        align(numeric, traits, "y1")


def test_align__duplicated_identifiers(formats, traits):
    two_families = open_genotypes(formats / "odd" / "dup_iid_diff_fid").samples
    assert dict(align(two_families, traits, "y1").exclusions) == {"not in the trait file": 2}
    without_families = read_sample_table(formats / "odd" / "pheno_iid_only.txt")
    with pytest.raises(AlignmentError, match="share the sample ID 'HG00110'"):
        align(two_families, without_families, "y1")
    same_family = open_genotypes(formats / "odd" / "dup_fid_iid").samples
    with pytest.raises(AlignmentError, match=r"number 7 and 8 of .* same family and sample ID"):
        align(same_family, traits, "y1")


@pytest.mark.parametrize(
    ("folder", "trait"),
    [
        ("rice374_44k", "Seed.width"),
        ("soynam5590", "R8"),
        ("1kg1092", "Y1"),
        ("fastlmm_synth500", "pheno10"),
        ("sim2k_50k", "Y2"),
    ],
)
def test_align__reference_data_sets(shared_data, folder, trait):
    data = shared_data / folder
    genotyped = open_genotypes(data / "geno").samples
    covariates = data / "covar.txt"
    cohort = align(
        genotyped,
        read_sample_table(data / "pheno.txt"),
        trait,
        covariates=read_sample_table(covariates) if covariates.exists() else None,
    )
    assert len(cohort) + sum(cohort.exclusions.values()) == len(genotyped)
    assert len(cohort) > 0.85 * len(genotyped)
    assert cohort.warnings == ()


@pytest.mark.parametrize(
    ("name", "columns"), [("sex", ["sex=M"]), ("site", ["site=s2", "site=s3"])]
)
def test_align__categorical_covariates(formats, genotyped, traits, name, columns):
    covariates = read_sample_table(formats / "odd" / "covar_categorical.txt")
    cohort = align(genotyped, traits, "y1", covariates=covariates, covariate_names=[name])
    (found,) = cohort.categories
    assert list(found.columns) == columns
    assert cohort.covariate_names == ("intercept", *found.columns)
    assert set(np.unique(cohort.covariates[:, 1:])) == {0.0, 1.0}
