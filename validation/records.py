"""What a validation found, as Markdown for readers and as one line of JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nextlmm.output.provenance import describe_machine, library_versions

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """Tables by their titles, and whether all that was asked is so; ``figures`` are file names."""

    title: str
    command: str
    seconds: float
    stands: bool
    threads: int
    tables: Mapping[str, Sequence[Row]]
    notes: Sequence[str] = ()
    figures: Mapping[str, str] = field(default_factory=dict)


def write_record(folder: Path, name: str, record: Record) -> None:
    """Write NAME.md anew, and append a line to NAME.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    machine, versions = describe_machine(record.threads), library_versions()
    lines = [
        f"# {record.title}",
        "",
        f"Made by `{record.command}` on {date} in {record.seconds:,.0f} s.",
        "",
        f"Verdict: **{'stands' if record.stands else 'does not stand'}**.",
        "",
        *(f"{note}\n" for note in record.notes),
    ]
    for title, rows in record.tables.items():
        lines += [f"## {title}", "", *_table(rows), ""]
    for title, file in record.figures.items():
        lines += [f"## {title}", "", f"![{title}]({file})", ""]
    lines += [
        "## Machine and versions",
        "",
        *_table([{**_flat(machine), **_flat(versions)}], False),
    ]
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    entry = {
        "date": date,
        "command": record.command,
        "seconds": round(record.seconds, 1),
        "stands": record.stands,
        "machine": machine,
        "versions": versions,
        "tables": {title: list(rows) for title, rows in record.tables.items()},
    }
    with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(entry) + "\n")


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if isinstance(value, str | int | float)}


def _table(rows: Sequence[Row], wide: bool = True) -> list[str]:
    """Rows as a table; one row as a list of its cells unless ``wide``."""
    if not rows:
        return ["None."]
    if not wide:
        return [f"- {key}: {_cell(value)}" for key, value in rows[0].items()]
    names = list(rows[0])
    head = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return head + ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
