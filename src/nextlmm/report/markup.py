"""HTML and SVG in which every text is escaped unless it was made here."""

import html
import json
from collections.abc import Iterable
from typing import Any

Value = str | int | float | bool | None
"""What an attribute may be; it is left out where it is None or False, and bare where True."""

_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already. Whatever is added to it is plain text again, to be escaped."""

    __slots__ = ()


Child = str | Markup | None | Iterable["Child"]
"""What an element may hold: texts, elements, nothing, or several of them."""


def element(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """An element of HTML or SVG.

    Names of attributes are written with underscores for hyphens, and with one at the end where they
    are words of Python: ``class_``.

    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(
        f" {_attribute(key)}" if value is True else f' {_attribute(key)}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    opening = f"<{name}{written}>"
    return Markup(opening if name in _VOID else f"{opening}{joined(children)}</{name}>")


def joined(children: Child) -> Markup:
    """Several texts and elements as one.

    >>> joined(["1 & 2", element("b", "3")])
    '1 &amp; 2<b>3</b>'
    """
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return Markup(_text(children))
    return Markup("".join(joined(child) for child in children))


def data_script(identifier: str, value: Any) -> Markup:
    """JSON values for a script to read; nothing in them can end the element.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(f'<script type="application/json" id="{_text(identifier)}">{text}</script>')


def table(
    header: Iterable[Child],
    rows: Iterable[Iterable[Child]],
    *,
    numbers: Iterable[int] = (),
    caption: str | None = None,
) -> Markup:
    """A table that scrolls by itself where it is wider than the page.

    ``numbers`` are the columns that are aligned to the right.
    """
    right = set(numbers)

    def cells(kind: str, row: Iterable[Child]) -> Markup:
        return joined(
            element(
                kind,
                child,
                class_="number" if at in right else None,
                scope="col" if kind == "th" else None,
            )
            for at, child in enumerate(row)
        )

    return element(
        "div",
        element(
            "table",
            None if caption is None else element("caption", caption),
            element("thead", element("tr", cells("th", header))),
            element("tbody", [element("tr", cells("td", row)) for row in rows]),
        ),
        class_="wide",
        tabindex="0",
    )


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _text(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return html.escape(str(value))
