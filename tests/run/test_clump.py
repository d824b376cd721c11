"""Leads of finished runs: those of the run itself, those of a definition, those of PLINK."""

import json
import re
import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

import nextlmm
from nextlmm.cli.main import main
from nextlmm.errors import FormatError, MissingFileError, OutputError, UsageError, VariantError
from nextlmm.genotype.source import open_genotypes
from nextlmm.run.clump import clump
from nextlmm.run.clump_options import ClumpOptions
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.simulation.example import write_example


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The example, some samples of which are left out, with the leads that the run writes."""
    folder = tmp_path_factory.mktemp("study")
    files = write_example(folder)
    (folder / "out.txt").write_text("".join(f"S{i:03d}\n" for i in range(1, 40)))
    options = GwasOptions(
        bfile=str(files.prefix),
        pheno=str(files.traits),
        trait=("height", "noise"),
        covar=str(files.covariates),
        remove=str(folder / "out.txt"),
        maf=0.02,
        mode="dense",
        plots=False,
        out=str(folder / "run"),
    )
    gwas(options)
    return folder


def made(study, folder, document="run.json", **choices):
    choices = {"out": str(folder / "c"), "trait": "height"} | choices
    return clump(str(study / document), ClumpOptions(**choices))


@pytest.mark.parametrize("trait", ["height", "noise"])
def test_clump__is_what_the_run_wrote(study, tmp_path, trait):
    run = made(study, tmp_path, trait=trait)
    assert (tmp_path / "c.leads.tsv").read_bytes() == (
        study / f"run.{trait}.leads.tsv"
    ).read_bytes()
    assert run.document["leads"] == run.leads.height
    assert json.loads((tmp_path / "c.clump.json").read_text()) == run.document


def table_of(study):
    return pl.read_csv(study / "run.height.tsv.gz", separator="\t", null_values="#NA")


@pytest.mark.parametrize(
    ("p1", "r2", "kb"), [(1e-3, 0.1, 250.0), (0.02, 0.3, 50.0), (0.01, 0.05, 5000.0)]
)
def test_clump__is_its_definition(study, tmp_path, p1, r2, kb):
    run = made(study, tmp_path, p1=p1, r2=r2, kb=kb)
    table = table_of(study).with_columns(pl.col("chromosome").cast(pl.String))
    passing = table.filter(pl.col("neg_log_10_p_value") >= -np.log10(p1))
    left = passing.sort("neg_log_10_p_value", descending=True, maintain_order=True).to_dicts()
    source = open_genotypes(str(study / "cohort"))
    at = {name: i for i, name in enumerate(source.variants.variant_id)}
    people = [line.split("\t") for line in (study / "traits.txt").read_text().splitlines()[1:]]
    analysed = [
        i for i, (_, name, height, _) in enumerate(people) if height != "NA" and int(name[1:]) >= 40
    ]
    g = source.dosages(np.array([at[row["variant_id"]] for row in left])).astype(float)[analysed]
    g = np.where(np.isnan(g), np.nanmean(g, axis=0), g)
    correlation = np.corrcoef(g, rowvar=False) ** 2
    free, expected = list(range(len(left))), []
    while free:
        lead = free[0]
        taken = [
            i
            for i in free
            if left[i]["chromosome"] == left[lead]["chromosome"]
            and abs(left[i]["base_pair_location"] - left[lead]["base_pair_location"]) <= 1000 * kb
            and (i == lead or correlation[lead, i] >= r2)
        ]
        expected.append((left[lead]["variant_id"], len(taken)))
        free = [i for i in free if i not in taken]
    found = run.leads.select("variant_id", "clump_variants").rows()
    assert sorted(found) == sorted(expected)
    assert len(found) > 4


@pytest.mark.parametrize(("r2", "least"), [(1e-12, 1.0), (0.2, 0.85)])
def test_clump__is_plink(study, tmp_path, r2, least):
    """The same leads where distance alone decides, and most where r2 does.

    PLINK estimates haplotypes and has the r2 of these, leaving missing calls out, and not that of
    dosages; a variant whose r2 is near the limit may then lead by itself, or its neighbour may.
    """
    if shutil.which("plink1.9") is None:
        pytest.skip("plink1.9 is not installed")
    table = table_of(study).filter(pl.col("neg_log_10_p_value").is_not_null())
    table.select(
        ID="variant_id", P=10.0 ** -pl.col("neg_log_10_p_value"), A1="effect_allele"
    ).write_csv(tmp_path / "p.txt", separator="\t")
    people = (study / "traits.txt").read_text().splitlines()[1:]
    keep = [line.split("\t") for line in people]
    keep = [row for row in keep if row[2] != "NA" and int(row[1][1:]) >= 40]
    (tmp_path / "keep.txt").write_text("".join(f"{row[0]}\t{row[1]}\n" for row in keep))
    command = [
        *("plink1.9", "--bfile", str(study / "cohort"), "--keep", str(tmp_path / "keep.txt")),
        *("--clump", str(tmp_path / "p.txt"), "--clump-p1", "0.01", "--clump-p2", "0.01"),
        *("--clump-r2", str(r2), "--clump-kb", "400", "--clump-snp-field", "ID"),
        *("--out", str(tmp_path / "theirs"), "--threads", "1"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    lines = [line.split() for line in (tmp_path / "theirs.clumped").read_text().splitlines()]
    theirs = {row[2] for row in lines[1:] if row}
    ours = set(made(study, tmp_path, p1=0.01, r2=r2, kb=400).leads["variant_id"])
    assert len(theirs & ours) >= least * len(theirs | ours)
    assert len(ours) > 20


def test_clump__other_genotypes(study, tmp_path):
    """With all samples of a reference: here the cohort itself, alleles turned around."""
    rows = [line.split("\t") for line in (study / "cohort.bim").read_text().splitlines()]
    for end in ("bed", "fam"):
        shutil.copy(study / f"cohort.{end}", tmp_path / f"reference.{end}")
    turned = ["\t".join([f"chr{row[0]}", *row[1:4], row[5], row[4]]) + "\n" for row in rows]
    (tmp_path / "reference.bim").write_text("".join(turned))
    run = made(study, tmp_path, bfile=str(tmp_path / "reference"))
    everyone = len((study / "cohort.fam").read_text().splitlines())
    assert run.document["samples"] == everyone
    own = pl.read_csv(study / "run.height.leads.tsv", separator="\t")
    assert run.leads["variant_id"][0] == own["variant_id"][0]


def test_clump__variants_that_are_not_there(study, tmp_path):
    text = (study / "cohort.bim").read_text()
    name = pl.read_csv(study / "run.height.leads.tsv", separator="\t")["variant_id"][0]
    for end in ("bed", "fam"):
        shutil.copy(study / f"cohort.{end}", tmp_path / f"reference.{end}")
    (tmp_path / "reference.bim").write_text(text.replace(name, "elsewhere"))
    with pytest.raises(VariantError, match=f"1 of the .* variants that pass .*{name}"):
        made(study, tmp_path, bfile=str(tmp_path / "reference"))


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"trait": None}, UsageError, "are height, noise, but no trait was named"),
        ({"trait": "weight"}, UsageError, "it has no trait 'weight'"),
        ({"p1": 0.0}, UsageError, "Option p1 is 0.0"),
        ({"r2": 1.5}, UsageError, "Option r2 is 1.5"),
        ({"kb": -1}, UsageError, "Option kb is -1"),
        ({"document": "traits.txt"}, FormatError, "is not a result document"),
        ({"document": "nothing.json"}, MissingFileError, "nothing.json cannot be read"),
        ({"bfile": "nothing"}, MissingFileError, "nothing"),
    ],
)
def test_clump__what_cannot_be(study, tmp_path, choices, error, message):
    with pytest.raises(error, match=re.escape(message)):
        made(study, tmp_path, **choices)
    assert list(tmp_path.iterdir()) == []


def test_clump__samples_that_have_changed(study, tmp_path):
    document = json.loads((study / "run.json").read_text())
    document["options"]["remove"] = None
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match="analysed samples, but its files now give"):
        clump(str(path), ClumpOptions(out=str(tmp_path / "c"), trait="height"))


def test_clump__the_run_is_not_overwritten(study, tmp_path):
    shutil.copy(study / "run.json", tmp_path / "c.clump.json")
    with pytest.raises(OutputError, match="input of this run"):
        clump(str(tmp_path / "c.clump.json"), ClumpOptions(out=str(tmp_path / "c"), trait="noise"))


def test_nextlmm_clump__prints_the_leads(study, tmp_path, capsys):
    document, out = str(study / "run.json"), str(tmp_path / "c")
    arguments = ["clump", document, "--out", out, "--trait", "height", "--r2", "0.2"]
    assert main(arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"\d+ leads of height in \d+ loci", text)
    assert "r2 of 0.2 or more within a locus" in text
    command = json.loads((tmp_path / "c.clump.json").read_text())["command"]
    assert command == " ".join(["nextlmm", *arguments])
    assert main(["clump", document, "--out", out, "--trait", "height", "--p1", "1e-30"]) == 0
    assert "0 leads of height in 0 loci" in " ".join(capsys.readouterr().out.split())
    assert main(["clump", "--out", out]) == 2


def test_nextlmm__has_it_for_python(study, tmp_path):
    options = nextlmm.ClumpOptions(out=str(tmp_path / "c"), trait="height")
    assert "leads: " in repr(nextlmm.clump(str(study / "run.json"), options))
