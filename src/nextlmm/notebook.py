"""Results as small pieces of HTML for notebooks.

Nothing is loaded, there is no script, and every text is escaped. Colours are those of the page
around them, so that they suit a light and a dark one; lines and bands are half transparent.
"""

import html
from collections.abc import Collection, Iterable, Sequence

Row = tuple[str, str]
"""The name of a quantity and its value, as they are shown."""

_CARD = (
    "font-family: system-ui, sans-serif; font-size: 13px; line-height: 1.45; "
    "max-width: 60em; margin: 0 0 1.2em"
)
_TITLE = "font-weight: 600; font-size: 14px; margin: 0 0 .4em"
_WARNING = (
    "margin: 0 0 .4em; padding: .2em .7em; border-left: 4px solid #e69f00; "
    "background: rgba(230, 159, 0, .14)"
)
_TABLE = (
    "font-size: inherit; color: inherit; border-collapse: collapse; margin: 0 0 .6em; "
    "font-variant-numeric: tabular-nums"
)
_CELL = (
    "padding: .15em 1em .15em 0; border: 0; border-bottom: 1px solid rgba(128, 128, 128, .3); "
    "background: transparent; color: inherit; white-space: nowrap"
)
_HEADING = "font-weight: 600; margin: .6em 0 .2em"
_LIST = "margin: 0 0 .4em; padding-left: 1.4em"


def card(title: str, rows: Iterable[Row], *more: str, warnings: Iterable[str] = ()) -> str:
    """A titled box: warnings, a table of quantities, and pieces of HTML after it.

    >>> card("a < b", [("h2", "0.5")])[-60:]
    '...>0.5</td></tr></tbody></table></div>'
    """
    return "".join(
        [
            f'<div style="{_CARD}">',
            f'<div style="{_TITLE}">{_text(title)}</div>',
            *(
                f'<div style="{_WARNING}"><strong>Warning</strong> {_text(text)}</div>'
                for text in warnings
            ),
            grid((), rows),
            *more,
            "</div>",
        ]
    )


def grid(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    heading: str | None = None,
) -> str:
    """A table of texts; ``numbers`` are the columns that are aligned to the right.

    Where there are no rows it is the heading alone.
    """
    listed = list(rows)
    if not listed:
        return _headed(heading)
    head = f"<thead>{_row('th', header, numbers)}</thead>" if header else ""
    body = "".join(_row("td", row, numbers) for row in listed)
    return _headed(heading) + f'<table style="{_TABLE}">{head}<tbody>{body}</tbody></table>'


def listing(heading: str, items: Iterable[str]) -> str:
    """A headed list of sentences."""
    entries = "".join(f"<li>{_text(item)}</li>" for item in items)
    return f'{_headed(heading)}<ul style="{_LIST}">{entries}</ul>'


def _headed(heading: str | None) -> str:
    return "" if heading is None else f'<div style="{_HEADING}">{_text(heading)}</div>'


def _row(kind: str, cells: Sequence[str], numbers: Collection[int]) -> str:
    written = "".join(
        f'<{kind} style="{_CELL}; text-align: {"right" if at in numbers else "left"}">'
        f"{_text(cell)}</{kind}>"
        for at, cell in enumerate(cells)
    )
    return f"<tr>{written}</tr>"


def _text(value: str) -> str:
    return html.escape(value)
