from typing import Any

from nextlmm.report.stages import stage_table
from nextlmm.report.summary import TEXT_WIDTH, plain_lines


def test_every_stage_has_a_row(document: dict[str, Any]) -> None:
    assert plain_lines(stage_table(document)) == [
        "Stages",
        "                                    seconds  cores  GFLOP/s  Ggenotypes/s",
        "  run          start-up                0.30    1.0",
        "               writing results         0.05    2.0",
        "  height       relationship matrix     0.42    1.9     3.10       0.00595",
        "               null model              1.30    1.0",
        "               association             0.20    1.5                 0.0125",
        "                 scores                0.10    2.0                 0.0250",
        "  together     all stages              2.27    1.2",
        "               the whole run           2.31",
        "  memory       174 MB at most",
    ]


def test_long_names_stay_within_the_page(document: dict[str, Any]) -> None:
    stages = document["traits"]["height"]["work"]
    stages["n" * 80] = stages["association"]
    document["traits"] = {"t" * 80: document["traits"]["height"]}
    lines = plain_lines(stage_table(document))
    assert max(map(len, lines)) <= TEXT_WIDTH


def test_a_system_that_does_not_tell_its_memory(document: dict[str, Any]) -> None:
    document["peak_memory_bytes"] = None
    assert not any("memory" in line for line in plain_lines(stage_table(document)))


def test_a_stage_that_took_no_time_has_no_speed(document: dict[str, Any]) -> None:
    document["work"] = {"start-up": document["work"]["start-up"] | {"seconds": 0.0}}
    assert "  run          start-up                0.00" in plain_lines(stage_table(document))
