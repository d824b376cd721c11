"""Pieces of Markdown."""

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """A text on one line, with what would end a cell escaped."""
    return " ".join(str(text).split()).replace("|", r"\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(x) for x in line) + " |" for line in lines) + "\n"


def code(text: object) -> str:
    """A text in the type of a typewriter; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def codes(texts: Iterable[object], between: str = ", ") -> str:
    """Several of them."""
    return between.join(code(text) for text in texts)
