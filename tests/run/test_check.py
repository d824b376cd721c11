"""A check finds every problem at once, and none where there is none."""

from pathlib import Path

import numpy as np
import pytest

from nextlmm.genotype import packages
from nextlmm.run import forecast
from nextlmm.run.check import check
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from ..genotype.formats import call_records, write_vcf
from .conftest import make_cohort, write_cohort


@pytest.fixture
def files(tmp_path, cohort):
    return write_cohort(tmp_path, cohort)


def found(files, **choices):
    return check(GwasOptions(**(files | choices)))


def rewritten(path, change):
    """Rewrite a table, cell by cell: ``change`` of its rows, the header first."""
    rows = [line.split() for line in Path(path).read_text().splitlines()]
    Path(path).write_text("\n".join(" ".join(row) for row in change(rows)) + "\n")


def test_check__of_what_is_well(tmp_path, files):
    before = sorted(tmp_path.iterdir())
    report = found(files)
    assert report.is_ok
    assert report.errors == ()
    assert report.warnings == ()
    assert report.plan.document["traits"]["y"]["n"] == 96
    assert sorted(tmp_path.iterdir()) == before
    assert "0 errors and 0 warnings: the run can begin." in repr(report)
    gwas(GwasOptions(**files))


def test_check__finds_all_errors_at_once(tmp_path, files):
    """A table that is not there, a trait of words, bad covariates, and no folder for results."""
    rewritten(
        files["pheno"],
        lambda rows: [[*row, "abc" if k == 4 else "1"] for k, row in enumerate(rows)],
    )
    rewritten(
        files["covar"],
        lambda rows: [[*rows[0], "same", "bad"]] + [[*row, "3", "1,5"] for row in rows[1:]],
    )
    report = found(
        files,
        trait=("y", "1", "height"),
        covar_name=("age", "bad", "missing"),
        keep=str(tmp_path / "nobody.txt"),
        out=str(tmp_path / "nowhere" / "x"),
    )
    assert not report.is_ok
    assert report.plan is None
    text = "\n".join(report.errors)
    assert "nobody.txt does not exist" in text
    assert "line 5: trait '1' of sample 's3' is 'abc'" in text
    assert "no trait 'height'" in text
    assert "no covariate 'missing'" in text
    assert "nowhere does not exist" in text
    assert len(report.errors) == 5
    assert f"{len(report.errors)} errors" in repr(report)
    report = found(files, trait="y", covar_name=("age", "bad", "same"))
    assert len(report.errors) == 1
    assert "covariate 'bad'" in report.errors[0]
    report = found(files, trait="y", covar_name=("age", "same"))
    assert len(report.errors) == 1
    assert "covariate 'same'" in report.errors[0]


def test_check__a_trait_and_covariates_that_are_both_wrong(files):
    rewritten(files["pheno"], lambda rows: [rows[0]] + [[row[0], "7"] for row in rows[1:]])
    rewritten(
        files["covar"], lambda rows: [[*rows[0], "two"]] + [[*row, row[1]] for row in rows[1:]]
    )
    report = found(files)
    assert len(report.errors) == 2
    assert "is 7 in all 96 analysed samples" in report.errors[0]
    assert "two" in report.errors[1]


def test_check__genotypes_and_tables_are_looked_at_apart(files):
    """Samples cannot be matched without genotypes, and tables can still be read."""
    bed = Path(f"{files['bfile']}.bed")
    bed.write_bytes(bed.read_bytes()[:100])
    Path(files["covar"]).write_text("IID age\ns1 1 2\n")
    report = found(files)
    assert len(report.errors) == 2
    assert "covariates.txt" in report.errors[0]
    assert "geno.bed has 100 bytes" in report.errors[1]


def test_check__a_trait_that_is_none_is_said_beside_genotypes_that_are_not_there(files):
    report = found(files, bfile=files["bfile"] + "x", trait=("yy",))
    text = "\n".join(report.errors)
    assert "there is no trait 'yy'" in text
    assert "does not exist" in text
    assert len(report.errors) == 2


def test_check__repeated_samples(files):
    rewritten(files["pheno"], lambda rows: [*rows, rows[3], rows[4], rows[5]])
    report = found(files)
    assert any("several rows for 3 samples (s2, s3, s4)" in text for text in report.errors)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["1", "2"], "two values, 1 (48 samples) and 2 (48), which look like codes of controls"),
        (["0", "1"], "which look like codes of controls and cases"),
        (["3", "5"], "codes and not measurements"),
        (["1", "2", "3"], "3 values only (1, 2, 3)"),
        (["1", "2", "-9"], "-9 was taken as missing"),
    ],
)
def test_check__traits_that_look_like_codes(files, values, text):
    count = len(values)
    rewritten(
        files["pheno"],
        lambda rows: [rows[0]] + [[row[0], values[k % count]] for k, row in enumerate(rows[1:])],
    )
    report = found(files)
    assert report.is_ok
    assert text in "\n".join(report.warnings)


def test_check__a_value_far_from_all_others(files):
    rewritten(
        files["pheno"],
        lambda rows: [[row[0], "1e4"] if k == 9 else row for k, row in enumerate(rows)],
    )
    report = found(files)
    assert "10000 of sample 's8' the farthest" in report.warnings[0]
    assert found(files, rint=True).warnings == ()


def test_check__few_samples_in_common(files):
    rewritten(
        files["pheno"],
        lambda rows: (
            [rows[0]]
            + [[f"x{row[0]}" if k > 30 else row[0], row[1]] for k, row in enumerate(rows[1:])]
        ),
    )
    report = found(files)
    assert report.is_ok
    assert "only 31 of the 96 samples of" in report.warnings[0]


def odd_bim(files, change):
    path = Path(f"{files['bfile']}.bim")
    rows = [line.split() for line in path.read_text().splitlines()]
    path.write_text("\n".join("\t".join(row) for row in change(rows)) + "\n")


def test_check__odd_variants(files):
    def change(rows):
        rows[5][1] = rows[6][1] = "twice"
        rows[20][3] = rows[21][3]
        rows[30][0] = "0"
        rows[-1][3] = str(2**29 + 1)
        return rows

    odd_bim(files, change)
    text = "\n".join(found(files).warnings)
    assert "1 identifier of" in text
    assert "(twice)" in text
    assert "with the place and the alleles of another one (1:22000)" in text
    assert "1 variant of" in text
    assert "without a known chromosome or position (v30)" in text
    assert "gets none (.tbi)" in text


def test_check__variants_without_information(tmp_path):
    cohort = make_cohort(missing=0.2)
    cohort.dosage[:, ::5] = 2.0
    report = found(write_cohort(tmp_path, cohort))
    text = "\n".join(report.warnings)
    assert "do not vary" in text
    assert "of the genotypes of 240 variants looked at are missing" in text


def test_check__results_that_exist(files):
    gwas(GwasOptions(**files))
    report = found(files)
    assert report.is_ok
    assert len(report.warnings) == 1
    assert "exist already and will be replaced" in report.warnings[0]


def test_check__loco_with_one_chromosome(files):
    report = found(files, chr="2")
    assert "two or more chromosomes" in report.errors[0]
    assert found(files, chr="2", loco=False).is_ok


def test_check__an_extra_that_is_missing(tmp_path, files, cohort, monkeypatch):
    calls = cohort.dosage
    path = write_vcf(tmp_path, call_records(calls), len(calls))

    def absent(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(packages, "import_module", absent)
    rest = {name: value for name, value in files.items() if name != "bfile"}
    report = found(rest, vcf=str(path))
    assert len(report.errors) == 1
    assert "pip install 'nextlmm[vcf]'" in report.errors[0]


def test_check__a_disk_with_little_space(files, monkeypatch):
    usage = type(forecast.shutil.disk_usage("/"))
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda _: usage(100, 90, 10))
    assert "has 1e-08 GB of free space" in found(files).errors[0]


def test_check__more_threads_than_cores(files):
    assert "threads than cores" in "\n".join(found(files, threads=4_000).warnings)


def test_check__vcf(tmp_path, files, cohort):
    calls = cohort.dosage
    ids = np.array(cohort.ids)
    path = write_vcf(tmp_path, call_records(calls), len(calls))
    text = path.read_text()
    names = text.split("FORMAT\t")[1].split("\n")[0]
    path.write_text(text.replace(names, "\t".join(ids)))
    rest = {name: value for name, value in files.items() if name != "bfile"}
    report = found(rest, vcf=str(path))
    assert report.is_ok, report
    assert report.plan.document["variants"]["in_genotypes"] == calls.shape[1]
