"""Where a plot is drawn: on a figure of its own, or on the axes of another one."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextlmm.errors import UsageError
from nextlmm.report.figures import DPI, Sheet

_CSS_DPI = 96  # pixels of a browser to the inch


class NotebookFigure(Figure):
    """A figure that a notebook shows by itself.

    One that pyplot did not make is shown only where pyplot was loaded, and one that it made is kept
    alive by it.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        handle = io.BytesIO()
        self.savefig(handle, format="png")
        width, height = (round(_CSS_DPI * float(side)) for side in self.get_size_inches())
        return handle.getvalue(), {"width": width, "height": height}


def open_axes(ax: Axes | None, size: Sequence[float] | None, sheet: Sheet) -> tuple[Axes, Sheet]:
    """Axes to draw on and what they are on: those given, or of a figure like ``sheet``.

    Raises
    ------
    UsageError
        If both are given, or the size is none.
    """
    if ax is not None:
        if size is not None:
            raise UsageError(
                "ax and size are both given; expected one of them: the axes have a size already"
            )
        return ax, _sheet_of(ax)
    chosen = sheet if size is None else _resized(sheet, size)
    figure = NotebookFigure(figsize=chosen.inches, dpi=DPI)
    return figure.subplots(gridspec_kw=dict(chosen.margins)), chosen


def figure_of(axes: Axes) -> Figure:
    """The figure that axes belong to."""
    return axes.figure.canvas.figure  # of a part of a figure, the whole


def _sheet_of(axes: Axes) -> Sheet:
    """The axes as a sheet by themselves."""
    box, dpi = axes.get_window_extent(), axes.figure.dpi
    whole = {"left": 0.0, "right": 1.0, "bottom": 0.0, "top": 1.0}
    return Sheet((box.width / dpi, box.height / dpi), whole)


def _resized(sheet: Sheet, size: Sequence[float]) -> Sheet:
    """A sheet of another size with margins as wide as before."""
    try:
        width, height = (float(side) for side in size)
        is_size = width > 0.0 and height > 0.0
    except (TypeError, ValueError):
        is_size = False
    if not is_size:
        raise UsageError(f"size is {size!r}; expected width and height in inches, as in (8, 4)")
    scale = {"left": sheet.inches[0] / width, "bottom": sheet.inches[1] / height}
    scale |= {"right": scale["left"], "top": scale["bottom"]}
    margins = {
        side: share * scale[side]
        if side in ("left", "bottom")
        else 1.0 - (1.0 - share) * scale[side]
        for side, share in sheet.margins.items()
    }
    if margins["left"] >= margins["right"] or margins["bottom"] >= margins["top"]:
        raise UsageError(
            f"size is {size!r} inches, too small for the labels; expected at least {_least(sheet)}"
        )
    return Sheet((width, height), margins)


def _least(sheet: Sheet) -> str:
    """A size at which the labels leave room for the plot."""
    width = 2.0 * sheet.inches[0] * (1.0 - sheet.margins["right"] + sheet.margins["left"])
    height = 2.0 * sheet.inches[1] * (1.0 - sheet.margins["top"] + sheet.margins["bottom"])
    return f"({width:.1f}, {height:.1f})"
