"""A relationship matrix of other genotypes than those tested, against the textbook."""

import numpy as np
import pytest

from nextlmm.errors import AlignmentError, UsageError, VariantError
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.filters import VariantFilter, select_variants
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array
from nextlmm.relatedness.prune import prune
from nextlmm.relatedness.prune_rule import parse_pruning
from nextlmm.run.arrays import RelatedGenotypes, associate
from nextlmm.run.model import Model
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.testing import reference

from .conftest import make_cohort

COLUMNS = [0, 5, 90, 170, 239]
ROUTES = [
    {"route": "dense"},
    {"route": "hodlr"},
    {"mode": "dense"},
    {"mode": "hodlr", "kl_tolerance": 1e-9},
]


def run(files, **choices):
    result = gwas(GwasOptions(**(files | choices)))
    return result.tables["y"], result.document


@pytest.mark.parametrize("options", [*ROUTES, {"mode": "dense", "loco": False}])
def test_gwas__the_same_file_twice_is_the_file(files, options):
    once, _ = run(files, **options)
    twice, document = run(files, grm_bfile=files["bfile"], **options)
    assert twice.equals(once)
    assert {"bed", "grm_bed", "grm_bim", "grm_fam"} <= set(document["inputs"])


@pytest.mark.parametrize("options", [{"route": "dense"}, {"mode": "hodlr"}, {"route": "plain"}])
def test_gwas__the_same_file_twice_is_the_file_for_many_samples(files, monkeypatch, options):
    """By the ways that large cohorts go: single precision, and compression without a matrix."""
    monkeypatch.setattr("nextlmm.run.exact.plan.LARGEST_DOUBLE", 10)
    monkeypatch.setattr("nextlmm.run.compressed.find.SMALLEST", 10)
    once, _ = run(files, **options)
    twice, _ = run(files, grm_bfile=files["bfile"], **options)
    assert twice.equals(once)


class Other:
    """Other variants of the samples of a cohort but four, in another order, on chromosomes chr1 to
    chr3 and a fourth one."""

    def __init__(self, folder, cohort):
        rng = np.random.default_rng(5)
        n = len(cohort.y)
        dosage = make_cohort(n, 200, seed=8).dosage
        related = np.arange(n // 3)
        dosage[related] = np.where(rng.random((n // 3, 200)) < 0.5, dosage[related - 1], 1.0)
        self.dosage = dosage
        self.chromosome = np.array(["chr1", "chr2", "X", "4"])[np.arange(200) * 4 // 200]
        self.rows = rng.permutation(n)[4:]
        self.present = np.sort(self.rows)
        ids = string_array([cohort.ids[i] for i in self.rows])
        variants = VariantTable(
            chromosome=string_array(self.chromosome.tolist()),
            variant_id=string_array(f"o{j}" for j in range(200)),
            position_bp=np.arange(1, 201) * 500,
            effect_allele=string_array(["C"] * 200),
            other_allele=string_array(["T"] * 200),
        )
        write_plink(folder / "other", dosage[self.rows], SampleTable(ids, ids), variants)
        self.prefix = str(folder / "other")

    def matrix(self, used=None, without=None):
        """K of the samples that both have, in the order of the cohort."""
        columns = np.arange(200) if used is None else used
        if without is not None:
            columns = columns[
                np.char.lstrip(self.chromosome[columns].astype(str), "chr") != without
            ]
        dosage = self.dosage[np.ix_(self.present, columns)]
        called = ~np.isnan(dosage).all(axis=0)
        return reference.relationship_matrix(dosage[:, called])


@pytest.fixture
def other(cohort, tmp_path):
    return Other(tmp_path, cohort)


@pytest.mark.parametrize("options", ROUTES)
@pytest.mark.parametrize("loco", [True, False])
def test_gwas__a_matrix_of_another_file_is_the_textbook(cohort, files, other, options, loco):
    table, document = run(files, grm_bfile=other.prefix, loco=loco, **options)
    at = other.present
    y, c = cohort.y[at], np.column_stack([np.ones(len(at)), cohort.covariate[at]])
    whole = other.matrix()
    h2 = reference.estimate_h2(y, c, whole, reml=True)
    for j in COLUMNS:
        x = cohort.dosage[at, j]
        x = np.where(np.isnan(x), np.nanmean(x), x)
        k = other.matrix(without=cohort.chromosome[j]) if loco else whole
        expected = reference.associate(x, y, c, k, test="wald", h2=h2, h2_ml=h2)
        exact = -np.log10(expected.p_value)
        if options.get("mode") is None:
            assert table["neg_log_10_p_value_low"][j] <= exact * (1.0 + 2e-3) + 1e-4
            assert table["neg_log_10_p_value_high"][j] >= exact * (1.0 - 2e-3) - 1e-4
        if options != {"route": "hodlr"}:  # which predicts where there is no hit
            assert table["neg_log_10_p_value"][j] == pytest.approx(exact, rel=2e-3, abs=1e-4)
    facts = document["traits"]["y"]
    assert document["samples"]["excluded"] == {"not in the relationship matrix": 4}
    assert facts["n"] == len(cohort.y) - 4
    assert facts["relationship_matrix"] == {
        "genotypes": other.prefix + ".bed",
        "in_genotypes": 200,
        "excluded": {},
        "selected": 200,
        "pruned": None,
        "varying": 199,
    }
    assert facts["warnings"] == []


def test_gwas__grm_extract_is_of_the_other_file(files, other, tmp_path):
    (tmp_path / "grm.txt").write_text("".join(f"o{j}\n" for j in range(0, 200, 2)))
    listed = str(tmp_path / "grm.txt")
    _, document = run(files, grm_bfile=other.prefix, grm_extract=listed, chr="1")
    matrix = document["traits"]["y"]["relationship_matrix"]
    assert matrix["excluded"] == {"not in the extract list": 100}
    (tmp_path / "grm.txt").write_text("v1\n")
    with pytest.raises(VariantError, match=r"relationship matrix \(--grm-extract\)"):
        run(files, grm_bfile=other.prefix, grm_extract=listed)


@pytest.mark.parametrize("separate", [False, True])
def test_gwas__pruning_is_a_list_of_variants(cohort, files, other, tmp_path, separate):
    choice = {"grm_bfile": other.prefix} if separate else {}
    found, document = run(files, grm_prune="50,5,0.2", maf=0.05, **choice)
    prefix = other.prefix if separate else files["bfile"]
    source = open_bed(prefix)
    rows = np.arange(len(source.samples))
    summary = summarise_variants(source)
    common = select_variants(source.variants, summary, len(rows), VariantFilter(maf=0.05)).index
    left = prune(source, common, rows, summary, parse_pruning("50,5,0.2"))
    listed = tmp_path / "left.txt"
    listed.write_text("".join(f"{name}\n" for name in source.variants.variant_id[left]))
    expected, _ = run(files, grm_extract=str(listed), maf=0.05, **choice)
    assert found.equals(expected)
    matrix = document["traits"]["y"]["relationship_matrix"]
    assert matrix["pruned"] == {
        "rule": "window 50 variants, step 5, r2 0.2",
        "kept": len(left),
        "of": len(common),
    }
    assert 0 < len(left) < len(common)
    run(files, grm_prune="50,5,0.2", maf=0.05, **choice)
    log = "".join((tmp_path / "result.log").read_text().split())
    assert f"({len(left)}keptof{len(common)}bypruning:window50variants" in log
    assert (f"variantsof{other.prefix}" in log) == separate


def test_gwas__chromosomes_that_the_matrix_does_not_have_are_named(cohort, files, other, tmp_path):
    bim = tmp_path / "other.bim"
    bim.write_text(bim.read_text().replace("chr1\t", "scaffold1\t"))
    _, document = run(files, grm_bfile=other.prefix)
    (warning,) = document["traits"]["y"]["warnings"]
    assert "no variant of the relationship matrix is on chromosome 1 of the tested" in warning
    assert "(the matrix has scaffold1, 2, X and 1 more)" in warning
    _, document = run(files, grm_bfile=other.prefix, loco=False)
    assert not document["traits"]["y"]["warnings"]


def test_gwas__other_samples(files, other, tmp_path):
    fam = tmp_path / "other.fam"
    fam.write_text(fam.read_text().replace("s", "t"))
    with pytest.raises(AlignmentError, match=r"other\.fam"):
        run(files, grm_bfile=other.prefix)


@pytest.mark.parametrize("options", [{"mode": "dense"}, {"mode": "exact", "route": "hodlr"}])
@pytest.mark.parametrize("loco", [True, False])
def test_associate__a_matrix_of_other_genotypes(cohort, files, other, options, loco):
    """From arrays as from files."""
    at = other.present
    k = RelatedGenotypes(other.dosage[at], other.chromosome if loco else None)
    found = associate(
        cohort.y[at],
        cohort.dosage[at],
        k=k,
        covariates=cohort.covariate[at],
        chromosome=cohort.chromosome,
        model=Model(**options),
    )
    expected, _ = run(files, grm_bfile=other.prefix, loco=loco, **options)
    for name in ("beta", "neg_log_10_p_value"):
        np.testing.assert_allclose(
            found.table[name].drop_nulls().to_numpy(),
            expected[name].drop_nulls().to_numpy(),
            rtol=1e-2 if "route" in options else 1e-6,  # other bounds of what is predicted
        )


def test_associate__other_samples_in_the_matrix(cohort):
    with pytest.raises(UsageError, match="the genotypes of k have 95 rows"):
        associate(cohort.y, cohort.dosage, k=RelatedGenotypes(cohort.dosage[1:]))


def test_gwas__the_matrix_of_a_file_of_another_format(files, tmp_path):
    """The same calls as VCF, which has no families and other alleles to count."""
    source = open_bed(files["bfile"])
    calls = source.dosages(np.arange(240))
    texts = {0.0: "1/1", 1.0: "0/1", 2.0: "0/0"}
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="call">']
    lines += [f"##contig=<ID={name}>" for name in ("1", "2", "X")]
    head = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    lines.append("\t".join([*head, *reversed(source.samples.sample_id.tolist())]))
    for j in range(240):
        row = [source.variants.chromosome[j], str(source.variants.position_bp[j]), f"v{j}"]
        row += ["A", "G", ".", ".", ".", "GT"]
        row += [texts.get(float(x), "./.") for x in calls[::-1, j]]
        lines.append("\t".join(row))
    (tmp_path / "k.vcf").write_text("\n".join(lines) + "\n")
    expected, _ = run(files, mode="dense")
    found, document = run(files, mode="dense", grm_bfile=str(tmp_path / "k.vcf"))
    np.testing.assert_allclose(
        found["beta"].drop_nulls().to_numpy(), expected["beta"].drop_nulls().to_numpy(), rtol=1e-9
    )
    assert "grm_vcf" in document["inputs"]


def test_options__a_matrix_and_genotypes_for_one():
    for name in ("grm_bfile", "grm_prune"):
        both = {"grm": "k", name: "50,5,0.2"}
        with pytest.raises(UsageError, match=f"Options grm and {name.replace('_', '-')} both"):
            GwasOptions(bfile="a", pheno="b", out="c", loco=False, **both)


def test_options__pruning_of_no_form():
    with pytest.raises(UsageError, match="WINDOW,STEP,R2"):
        GwasOptions(bfile="a", pheno="b", out="c", grm_prune="200")
