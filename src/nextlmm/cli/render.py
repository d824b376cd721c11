"""The summary on the screen: the log's text, with colour where there is a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from nextlmm.report.stages import stage_table
from nextlmm.report.summary import Kind, Paragraph, plain_lines, summarise

_STYLES: dict[Kind, str] = {
    "title": "bold",
    "fact": "",
    "warning": "bold yellow",
    "strong": "bold green",
    "weak": "dim",
}


def show_summary(document: Mapping[str, Any], stream: TextIO, *, profile: bool = False) -> None:
    """Print the summary of a run, with ``profile`` also where its time went."""
    show_paragraphs([*summarise(document), *(stage_table(document) if profile else ())], stream)


def show_paragraphs(paragraphs: Sequence[Paragraph], stream: TextIO) -> None:
    """Print paragraphs, with colour on a terminal."""
    if not stream.isatty():
        show_lines(plain_lines(paragraphs), stream)
        return
    console = Console(file=stream, highlight=False)
    for number, paragraph in enumerate(paragraphs):
        if paragraph.kind == "title" and number:
            console.print()
        for text in _styled(paragraph):
            console.print(text, soft_wrap=True)


def show_lines(lines: Iterable[str], stream: TextIO) -> None:
    """Print plain lines."""
    for line in lines:
        stream.write(line + "\n")


def _styled(paragraph: Paragraph) -> list[Text]:
    if paragraph.kind == "title":
        return [Text(line, style=_STYLES["title"]) for line in paragraph.lines]
    rows = []
    for label, line in zip(_margin(paragraph), plain_lines([paragraph]), strict=True):
        text = Text(line)
        text.stylize("cyan", 2, 2 + len(label))
        text.stylize(_STYLES[paragraph.kind], 2 + len(label))
        rows.append(text)
    return rows


def _margin(paragraph: Paragraph) -> list[str]:
    return [paragraph.label] + [""] * (len(paragraph.lines) - 1)
