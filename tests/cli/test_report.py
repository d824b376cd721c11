"""``nextlmm report`` as a user meets it."""

from pathlib import Path

import pytest

from nextlmm.cli.main import main

from ..run.conftest import make_cohort, write_cohort


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    files = write_cohort(tmp_path, make_cohort())
    return [
        "gwas",
        *(word for name in ("bfile", "pheno", "out") for word in (f"--{name}", files[name])),
    ]


def test_report__writes_the_page_again(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--no-plots"]) == 0
    page = tmp_path / "result.html"
    before = page.read_bytes()
    capsys.readouterr()
    again = tmp_path / "again.html"
    assert main(["report", str(tmp_path / "result.json"), "-o", str(again)]) == 0
    assert capsys.readouterr().out == f"{again}\n"
    assert again.read_bytes() == before
    leads = (tmp_path / "result.y.leads.tsv").read_text().splitlines()
    assert leads[0].split("\t")[:4] == [
        *("chromosome", "base_pair_location", "effect_allele", "other_allele")
    ]


def test_report__sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none.json")]) == 3
    assert capsys.readouterr().err.startswith("nextlmm: The result document")
    assert main(["report"]) == 2
    assert main(["reprot", "x.json"]) == 2
    assert "report" in capsys.readouterr().err


def test_gwas__without_report_and_with_other_plots(command: list[str], tmp_path: Path) -> None:
    assert main([*command, "--no-report", "--plot-format", "pdf,svg"]) == 0
    names = {path.name for path in tmp_path.glob("result*")}
    assert names == {
        *("result.json", "result.log", "result.y.tsv.gz", "result.y.tsv.gz.tbi"),
        *("result.y.manhattan.pdf", "result.y.manhattan.svg", "result.y.qq.pdf", "result.y.qq.svg"),
    }


def test_gwas__an_unknown_format_of_plots(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--plot-format", "pmg"]) == 2
    assert "must be one of png, pdf, svg; did you mean png" in capsys.readouterr().err


def test_report__draws_every_plot(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--no-plots"]) == 0
    page = (tmp_path / "result.html").read_bytes()
    capsys.readouterr()
    assert main(["report", str(tmp_path / "result.json"), "--figures", "png", "svg"]) == 0
    shown = capsys.readouterr().out.split()
    folder = tmp_path / "result.figures"
    assert sorted(shown) == sorted(map(str, folder.iterdir()))
    assert str(folder / "y.region1.svg") in shown
    assert (tmp_path / "result.html").read_bytes() == page
    assert main(["report", str(tmp_path / "result.json"), "--figures", "gif"]) == 2
    assert "figures" in capsys.readouterr().err
