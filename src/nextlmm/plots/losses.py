"""Where samples and variants were lost on the way from the files to the tests."""

from typing import Any, Literal, get_args

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextlmm.errors import UsageError
from nextlmm.plots.axes import figure_of, open_axes
from nextlmm.plots.results import shown
from nextlmm.report.figures import ACCENT, DARK, GREY, Sheet, dress
from nextlmm.report.waterfall import Step, sample_steps, variant_steps
from nextlmm.report.wording import shortened
from nextlmm.run.pipeline import GwasRun

What = Literal["samples", "variants"]

_MARGINS = {"left": 0.36, "right": 0.86}
_WIDTH, _ROW, _ABOVE, _BELOW = 7.0, 0.28, 0.45, 0.15  # inches
_LONGEST = 36


def waterfall(
    result: Any,
    what: What = "samples",
    *,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw how many samples or variants were left at each step, and how many each reason took.

    Parameters
    ----------
    result : what ``nextlmm.gwas`` or ``nextlmm.read_run`` returns.
    what : samples or variants.
    trait, title, size, ax : as for :func:`nextlmm.plots.manhattan`.

    Raises
    ------
    UsageError
        If the result is of another kind, or ``what`` is neither.
    """
    if what not in get_args(What):
        raise UsageError(f"what is {what!r}; expected 'samples' or 'variants'")
    if not isinstance(result, GwasRun):
        raise UsageError(
            f"a plot of losses got an object of type {type(result).__name__}; expected what "
            "nextlmm.gwas returns, which alone knows what was in the files"
        )
    found = shown(result, trait)
    steps = sample_steps if what == "samples" else variant_steps
    rows = steps(result.document, found.facts)
    height = _ROW * len(rows) + _ABOVE + _BELOW
    margins = {**_MARGINS, "bottom": _BELOW / height, "top": 1.0 - _ABOVE / height}
    axes, _ = open_axes(ax, size, Sheet((_WIDTH, height), margins))
    dress(axes, f"{found.name}: {what}" if title is None else title)
    _draw(axes, rows)
    return figure_of(axes)


def _draw(axes: Axes, rows: list[Step]) -> None:
    """A bar for each step: what is left from the axis on, what was lost where it was."""
    largest = max((row.number for row in rows), default=0) or 1
    left = 0
    for at, row in enumerate(rows):
        is_loss = row.kind == "lost"
        left = left - row.number if is_loss else row.number
        start = left if is_loss else 0
        colour = ACCENT if is_loss else DARK
        # The edge shows also what is too little for a bar.
        axes.barh(
            at, row.number, left=start, height=0.62, color=colour, edgecolor=colour, linewidth=1.0
        )
        sign = "\N{MINUS SIGN}" if is_loss else ""
        axes.text(
            1.02,
            at,
            f"{sign}{row.number:,}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
        )
    axes.set_yticks(
        range(len(rows)), [shortened(row.label, _LONGEST) for row in rows], parse_math=False
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 1.004 * largest)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_color(GREY)
