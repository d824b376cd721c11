"""Where the time of a run went, as a table: seconds, cores and speed by stage."""

from collections.abc import Mapping
from typing import Any

from nextlmm.report.summary import LABEL_WIDTH, Paragraph
from nextlmm.report.wording import real, shortened, size
from nextlmm.work import SEPARATOR

_HEADER = ("", "seconds", "cores", "GFLOP/s", "Ggenotypes/s")
_LONGEST_NAME = 22
_SUMMED = ("seconds", "processor_seconds")

_Row = tuple[str, ...]


def stage_table(document: Mapping[str, Any]) -> list[Paragraph]:
    """Every stage of a run and of its traits, parts indented, and their sum beside the whole.

    Cores are processor seconds over seconds. A speed is what was counted over all seconds of a
    stage, and is left out where nothing was counted.
    """
    works = {"run": document["work"]}
    works |= {name: trait["work"] for name, trait in document["traits"].items()}
    blocks = {
        label: [_row(_shown(name), entry) for name, entry in work.items()]
        for label, work in works.items()
    }
    stages = [
        entry for work in works.values() for name, entry in work.items() if SEPARATOR not in name
    ]
    together = {amount: sum(entry[amount] for entry in stages) for amount in _SUMMED}
    closing = [
        _row("all stages", together),
        _row("the whole run", {"seconds": document["seconds"]}),
    ]
    rows = [_HEADER, *(row for block in blocks.values() for row in block), *closing]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    peak = document["peak_memory_bytes"]
    return [
        Paragraph("", ("Stages",), "title"),
        _paragraph("", [_HEADER], widths),
        *(_paragraph(label, block, widths) for label, block in blocks.items()),
        _paragraph("together", closing, widths),
        *([] if peak is None else [Paragraph("memory", (f"{size(peak)} at most",))]),
    ]


def _row(name: str, entry: Mapping[str, float]) -> _Row:
    """The cells of a stage; empty where something was not measured or counted."""
    seconds = entry["seconds"]
    ratios = [
        amount / seconds if seconds else 0.0
        for amount in (
            entry.get("processor_seconds", 0.0),
            1e-9 * entry.get("operations", 0.0),
            1e-9 * entry.get("genotypes", 0.0),
        )
    ]
    cores, *speeds = ratios
    cells = [f"{cores:.1f}" if cores else "", *(real(speed) if speed else "" for speed in speeds)]
    return (name, f"{seconds:.2f}", *cells)


def _shown(name: str) -> str:
    """A part without its stage, indented."""
    *outer, own = name.split(SEPARATOR)
    return shortened("  " * len(outer) + own, _LONGEST_NAME)


def _paragraph(label: str, rows: list[_Row], widths: list[int]) -> Paragraph:
    lines = tuple(
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return Paragraph(shortened(label, LABEL_WIDTH - 1), lines)
