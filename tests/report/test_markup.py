from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.report.markup import Markup, data_script, element, joined, table


class Texts(HTMLParser):
    """What a reader sees, the names of the elements, and the attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", list[str](), list[tuple[str, str | None]]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


# Line ends are made one kind by every parser, and nothing else may change.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"))


@given(words, words)
def test_element__shows_any_text_as_it_is(text: str, value: str) -> None:
    seen = Texts(element("p", text, data_name=value))
    assert seen.text == text
    assert seen.tags == ["p"]
    assert seen.attributes == [("data-name", value)]


def test_element__leaves_out_what_is_not_given() -> None:
    assert element("p", None, class_=None, hidden=True, open=False) == "<p hidden></p>"
    assert element("br") == "<br>"


def test_joined__takes_markup_as_it_is_and_escapes_what_is_added_to_it() -> None:
    made = Markup("<b>x</b>")
    assert joined([made, ["&", None]]) == "<b>x</b>&amp;"
    assert joined(made + "<i>") == "&lt;b&gt;x&lt;/b&gt;&lt;i&gt;"


def test_data_script__cannot_be_ended_from_inside() -> None:
    script = data_script("data", {"name": "</script><script>alert(1)</script><!--&"})
    assert script.count("<") == 2
    assert "&" not in script


def test_data_script__refuses_numbers_that_json_has_not() -> None:
    with pytest.raises(ValueError, match="JSON"):
        data_script("data", float("nan"))


def test_table__aligns_numbers() -> None:
    made = table(["a", "b"], [["x", "1"]], numbers=(1,))
    assert '<td>x</td><td class="number">1</td>' in made
