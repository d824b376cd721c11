"""What the README says in numbers is what the benchmarks wrote, and what it links to is there."""

import re

import pytest

from .pages import ROOT

README = ROOT / "README.md"
pytestmark = pytest.mark.skipif(
    not (ROOT / "docs" / "conf.py").exists(), reason="the pages are not beside the tests"
)

LINES_OF_A_SCREEN = 70
ROWS = {
    "GEMMA": "GEMMA -lmm 1",
    "FaST-LMM": "FaST-LMM single_snp",
    "BOLT-LMM": "BOLT-LMM --lmmInfOnly",
    "fastGWA": "GCTA fastGWA",
}


def test_it_is_one_screen():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LINES_OF_A_SCREEN


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert len(local) > 10
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_times_are_those_of_the_benchmark():
    text = README.read_text(encoding="utf-8")
    head = _cells(next(line for line in text.splitlines() if "| nextlmm | GEMMA |" in line))
    times = _cells(next(line for line in text.splitlines() if "over nextlmm's" in line))
    said = dict(zip(head, times, strict=True))
    suite = (ROOT / "benchmarks" / "results" / "suite.md").read_text(encoding="utf-8")
    part = suite.split("mixture: 2,000 samples")[1].split("\n## ")[0]
    rows = {cells[0]: cells for cells in map(_cells, part.splitlines()) if cells}
    column = rows["program"].index("time over nextlmm's")
    for name, row in ROWS.items():
        assert float(said[name]) == pytest.approx(float(rows[row][column]), abs=0.05), (
            f"README.md says that {name} takes {said[name]} times as long; "
            f"benchmarks/results/suite.md says {rows[row][column]}"
        )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else []
