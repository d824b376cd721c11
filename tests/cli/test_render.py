import io
from typing import Any

from nextlmm.cli.render import show_summary
from nextlmm.report.summary import plain_lines, summarise

DOCUMENT: dict[str, Any] = {
    "nextlmm": {"version": "0.1.0"},
    "command": "nextlmm gwas " + "--bfile a-rather-long-name " * 5,
    "traits": {},
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_the_text_of_the_log() -> None:
    stream = io.StringIO()
    show_summary(DOCUMENT, stream)
    assert stream.getvalue().splitlines() == plain_lines(summarise(DOCUMENT))


def test_a_terminal_gets_the_same_words(monkeypatch: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    show_summary(DOCUMENT, stream)
    assert stream.getvalue().splitlines() == plain_lines(summarise(DOCUMENT))
