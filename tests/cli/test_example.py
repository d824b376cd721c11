import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from nextlmm.cli.commands.example import example_options, verdict
from nextlmm.simulation.example import ExampleFiles, PlantedLocus


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The first command of the README, run as a user runs it."""
    folder = tmp_path_factory.mktemp("first contact")
    command = Path(sys.executable).with_name("nextlmm")
    done = subprocess.run(
        [command, "example", "--out", "new/example"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "new" / "example", done.stdout


def test_it_ends_with_every_file(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "cohort.bed",
        "cohort.bim",
        "cohort.fam",
        "covariates.txt",
        "result.height.leads.tsv",
        "result.height.manhattan.png",
        "result.height.qq.png",
        "result.height.tsv.gz",
        "result.height.tsv.gz.tbi",
        "result.html",
        "result.json",
        "result.log",
        "traits.txt",
        "truth.txt",
    ]
    with gzip.open(folder / "result.height.tsv.gz", "rt") as table:
        assert len(table.readlines()) == 5001


def test_the_screen_tells_the_story(finished: tuple[Path, str]) -> None:
    _, shown = finished
    assert shown.isascii()
    for words in ("h2", "95 % interval", "lambda", "certificate", "route dense", "time"):
        assert words in shown
    assert "4 of 4 are among those found" in shown
    assert "nextlmm gwas --bfile new/example/cohort --pheno new/example/traits.txt" in shown


def test_the_log_is_what_the_screen_showed(finished: tuple[Path, str]) -> None:
    folder, shown = finished
    log = (folder / "result.log").read_text()
    summary = shown[: shown.index("\nThe data were simulated")]
    assert log.startswith(summary.rstrip())


def test_the_document_agrees_with_the_truth(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    trait = json.loads((folder / "result.json").read_text())["traits"]["height"]
    low, high = trait["h2_interval"]
    assert low < 0.5 < high
    assert trait["certificate"]["kl"] < 0.1


def test_example_options__mode_and_threads(tmp_path: Path) -> None:
    files = ExampleFiles(
        tmp_path / "cohort", tmp_path / "traits.txt", tmp_path / "c.txt", tmp_path / "t.txt", ()
    )
    options = example_options(files, tmp_path, mode="dense", threads=1)
    assert (options.mode, options.threads) == ("dense", 1)


def test_verdict__counts_only_significant_loci_near_a_planted_one() -> None:
    planted = (
        PlantedLocus("a", "1", 5_000_000, "A", 1.0),
        PlantedLocus("b", "2", 5_000_000, "A", 1.0),
        PlantedLocus("c", "3", 5_000_000, "A", 1.0),
    )
    hits = [
        {"chromosome": "1", "locus_start": 5_500_000, "locus_end": 5_600_000, "strong": True},
        {"chromosome": "2", "locus_start": 5_000_000, "locus_end": 5_000_000, "strong": False},
        {"chromosome": "3", "locus_start": 9_000_000, "locus_end": 9_100_000, "strong": True},
    ]
    for hit in hits:
        hit["genome_wide_significant"] = hit.pop("strong")
    assert verdict(planted, hits)[1:] == [
        "The data were simulated with 3 loci (a, b, c);",
        "1 of 3 are among those found.",
    ]
