from html.parser import HTMLParser

from nextlmm.notebook import card, grid, listing


class _Tags(HTMLParser):
    """Every tag that is opened, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    assert tags.open == []
    return tags


def test_card__escapes_every_text() -> None:
    evil = "<script>\"&'</script>"
    tags = parsed(
        card(evil, [(evil, evil)], grid([evil], [[evil]]), listing(evil, [evil]), warnings=[evil])
    )
    assert "script" not in tags.tags
    assert "".join(tags.text).count("<script>") == 8


def test_card__warnings_come_before_numbers() -> None:
    text = "".join(parsed(card("t", [("h2", "0.5")], warnings=["Careful."])).text)
    assert text.index("Careful.") < text.index("h2")


def test_card__loads_nothing_and_sets_no_colour_of_text() -> None:
    html = card("t", [("h2", "0.5")], grid(["a"], [["b"]], numbers=(0,)), warnings=["w"])
    assert "http" not in html
    assert "url(" not in html
    assert "color: inherit" in html
    assert "color: #" not in html.replace("background-color", "")


def test_grid__without_rows_is_its_heading() -> None:
    assert "table" not in parsed(grid(["a"], [], heading="None passes.")).tags
