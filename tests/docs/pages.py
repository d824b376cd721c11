"""The pages of the project, and what can be run in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
SHELL = {"console", "bash", "sh"}
_NAMED = re.compile(r"^(nextlmm|plink2|gemma|python3?|\.venv/bin/\w+|\.ci/run|pip|pytest)\b")


@dataclass(frozen=True)
class Page:
    """A page by its path below the root."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def commands(self) -> Iterator[str]:
        """Every command of the shell, one after the other; lines that go on are joined.

        They stand in blocks marked as a console, every line of which is a command, and in
        indented blocks, where the lines are that begin with the name of a program.
        """
        for language, block in _blocks(self.text):
            if language in SHELL and not block.startswith("#!"):
                yield from _parts(block)
            elif language is None:
                yield from (part for part in _parts(block) if _NAMED.match(part))

    def scripts(self) -> Iterator[str]:
        """Every script of the shell."""
        for language, block in _blocks(self.text):
            if language in SHELL and block.startswith("#!"):
                yield block

    def python(self) -> Iterator[str]:
        """Every block of Python that is no dialogue with an interpreter."""
        for language, block in _blocks(self.text):
            if language == "python" and not block.startswith(">>>"):
                yield block

    def code(self) -> Iterator[str]:
        """What stands in the type of a typewriter in running text and in tables."""
        for token in MarkdownIt("commonmark").enable("table").parse(self.text):
            yield from (part.content for part in token.children or () if part.type == "code_inline")


def pages() -> list[Page]:
    """README, CONTRIBUTING and every page of the site, where they are beside the tests."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [Page(path) for path in found if path.exists()]


def _blocks(text: str) -> Iterator[tuple[str | None, str]]:
    """Language and content of every block of code; no language for indented ones."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "fence":
            yield token.info.split()[0] if token.info.strip() else "", token.content
        elif token.type == "code_block":
            yield None, token.content


def _parts(block: str) -> Iterator[str]:
    for line in block.replace("\\\n", " ").splitlines():
        if line.strip():
            without = " ".join(shlex.quote(word) for word in shlex.split(line, comments=True))
            yield from (part.strip() for part in without.replace("'&&'", "&&").split("&&"))
