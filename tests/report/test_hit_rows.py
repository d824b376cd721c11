import copy
from typing import Any

from nextlmm.report.hit_rows import hit_rows, loci_lines


def hits_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return copy.deepcopy(document["traits"]["height"]["top_hits"])


def test_loci_lines__every_row_that_is_listed_is_announced(document: dict[str, Any]) -> None:
    strong, weak = hits_of(document)
    assert loci_lines([strong, weak], 5000) == [
        "1 locus at p < 1e-5 (0.05 / 5,000 tests)",
        "1 suggestive locus at p < 2e-4 (1 / 5,000 tests), marked *",
    ]
    assert loci_lines([strong, strong], 5000) == ["2 loci at p < 1e-5 (0.05 / 5,000 tests)"]
    assert loci_lines([weak, weak], 10**7) == [
        "no locus at p < 5e-8",
        "none at p < 1e-6 either, * is the strongest",
    ]


def test_loci_lines__a_full_list_may_have_more(document: dict[str, Any]) -> None:
    strong, weak = hits_of(document)
    assert loci_lines([strong] * 10, 5000)[0].startswith("10 loci or more at")
    first, second = loci_lines([strong] * 8 + [weak] * 2, 5000)
    assert first.startswith("8 loci at")
    assert second.startswith("2 suggestive loci or more at")


def test_hit_rows__are_aligned(document: dict[str, Any]) -> None:
    strong, weak = hits_of(document)
    lines = hit_rows([strong, weak])
    assert [line.split()[0] for line in lines] == ["variant", "snp01_170", "snp08_057"]
    assert lines[2].split()[-1] == "4.40"
    assert len({len(line) for line in lines}) == 1
