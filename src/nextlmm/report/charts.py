"""Small pictures as SVG: drawn once, in the colours of the page, without a script."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.lmm.null import DROP_95
from nextlmm.report.markup import Child, Markup, element
from nextlmm.report.profile import DEEPEST, ProfileCurve, profile_curve
from nextlmm.report.wording import count, real, shortened

FloatArray = NDArray[np.float64]

_WIDTH, _HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 350, 14, 184
_LABEL_LENGTH = 14
_SMALLEST_LABELLED = 0.045  # of the matrix, for a block that carries its rank

# Cividis, thinned: even in lightness, and alike for every kind of colour vision.
_CIVIDIS = np.array(
    [
        *((0, 34, 78), (18, 53, 112), (59, 73, 108), (87, 93, 109), (112, 113, 115)),
        *((138, 134, 120), (165, 156, 116), (195, 179, 105), (225, 204, 85), (254, 232, 56)),
    ],
    dtype=float,
)


class _Scale:
    """A linear axis from values to pixels."""

    def __init__(self, values: tuple[float, float], pixels: tuple[float, float]) -> None:
        self.values, self._pixels = values, pixels

    def __call__(self, value: float) -> float:
        low, high = self.values
        share = (value - low) / (high - low) if high > low else 0.5
        return self._pixels[0] + share * (self._pixels[1] - self._pixels[0])


def picture(name: str, *children: Child, width: int = _WIDTH, height: int = _HEIGHT) -> Markup:
    """An SVG drawing with a name for those who do not see it."""
    return element(
        "svg",
        element("title", name),
        *children,
        viewBox=f"0 0 {width} {height}",
        role="img",
        class_="plot",
        xmlns="http://www.w3.org/2000/svg",
    )


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values from ``low`` to ``high``, about as many as wanted.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def profile_chart(facts: Mapping[str, Any], profile: Sequence[Sequence[float]]) -> Markup | None:
    """The profile likelihood of h2 with its 95 % interval; None if it was not searched.

    See :func:`nextlmm.report.profile.profile_curve`; where it was evaluated is marked.
    """
    curve = profile_curve(facts["h2"], facts["log_likelihood"], profile)
    return None if curve is None else _profile_picture(facts, curve)


def _profile_picture(facts: Mapping[str, Any], curve: ProfileCurve) -> Markup:
    span = curve.span
    x, y = _Scale(span, (_LEFT, _RIGHT)), _Scale((-DEEPEST, 0.2), (_BOTTOM, _TOP))
    parts: list[Markup] = []
    if facts.get("h2_interval") is not None:
        low, high = (min(max(end, span[0]), span[1]) for end in facts["h2_interval"])
        parts.append(_rectangle(x(low), _TOP, x(high) - x(low), _BOTTOM - _TOP, "band"))
    deep_enough = curve.drop >= -DEEPEST
    line = "".join(
        f"{'M' if at == 0 else 'L'}{x(h2):.1f} {y(drop):.1f}"
        for at, (h2, drop) in enumerate(
            zip(curve.h2[deep_enough], curve.drop[deep_enough], strict=True)
        )
    )
    dots = "".join(
        f"M{x(h2):.1f} {y(drop):.1f}h0"
        for h2, drop in zip(curve.evaluated_h2, curve.evaluated_drop, strict=True)
        if drop >= -DEEPEST and span[0] <= h2 <= span[1]
    )
    return picture(
        "Profile likelihood of the heritability",
        parts,
        _frame(x, y, "h2", "log-likelihood"),
        _line(_LEFT, y(-DROP_95), _RIGHT, y(-DROP_95), "threshold"),
        element("path", d=line, class_="curve"),
        element("path", d=dots, class_="dots accent"),
        _line(x(facts["h2"]), _TOP, x(facts["h2"]), _BOTTOM, "estimate"),
    )


def distribution_chart(entry: Mapping[str, Any]) -> Markup:
    """A histogram of numbers, or how many samples there are of each value or category."""
    if "edges" in entry:
        return _histogram(entry)
    return _bars(entry)


def _histogram(entry: Mapping[str, Any]) -> Markup:
    edges, counts = entry["edges"], entry["counts"]
    x = _Scale((edges[0], edges[-1]), (_LEFT, _RIGHT))
    y = _Scale((0.0, max(counts)), (_BOTTOM, _TOP))
    bars = [
        _rectangle(x(low), y(n), max(x(high) - x(low) - 0.6, 0.3), _BOTTOM - y(n), "bar")
        for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
        if n
    ]
    return picture(f"Distribution of {entry['name']}", bars, _frame(x, y, entry["name"], "samples"))


def _bars(entry: Mapping[str, Any]) -> Markup:
    names, counts = entry["values"], entry["counts"]
    y = _Scale((0.0, max(counts)), (_BOTTOM, _TOP))
    step = (_RIGHT - _LEFT) / len(names)
    letters = max(3, int(step / 6.5))
    parts = []
    for at, (name, n) in enumerate(zip(names, counts, strict=True)):
        left = _LEFT + (at + 0.15) * step
        parts += [
            _rectangle(left, y(n), 0.7 * step, _BOTTOM - y(n), "bar"),
            _label(left + 0.35 * step, _BOTTOM + 14, shortened(name, letters), "middle"),
        ]
    x = _Scale((0.0, 1.0), (_LEFT, _RIGHT))
    return picture(
        f"Distribution of {entry['name']}",
        parts,
        _frame(x, y, entry["name"], "samples", named=False),
    )


def relationship_chart(structure: Mapping[str, Any]) -> Markup:
    """Mean relationships between stretches of samples, with the blocks of the hierarchy over them.

    Each block beside the diagonal carries how many columns of the factor link its two halves, where
    there is a factor; above the diagonal only, so that below it the relationships are seen.
    """
    cells, top = np.array(structure["cells"], dtype=float), structure["top"]
    size, n = 340.0, structure["n"]
    left, above = 10.0, 8.0
    share = np.clip(cells / top, 0.0, 1.0)
    blocks: list[Markup] = []
    for start, middle, stop, rank in structure["blocks"]:
        a, b, c = (size * at / n for at in (start, middle, stop))
        blocks += [
            _rectangle(left + b, above + a, c - b, b - a, "block"),
            _rectangle(left + a, above + b, b - a, c - b, "block"),
        ]
        if rank is not None and min(b - a, c - b) > _SMALLEST_LABELLED * size:
            font = min(16.0, 0.4 * min(b - a, c - b))
            blocks.append(
                element(
                    "text",
                    str(rank),
                    x=left + (b + c) / 2,
                    y=above + (a + b) / 2 + 0.35 * font,
                    font_size=font,
                    text_anchor="middle",
                    class_="rank",
                )
            )
    image = element(
        "image",
        href=_image(share),
        x=left,
        y=above,
        width=size,
        height=size,
        preserveAspectRatio="none",
        class_="pixels",
    )
    return picture(
        "Relationships of the samples in the order of the hierarchy",
        image,
        blocks,
        _rectangle(left, above, size, size, "outline"),
        _key(left, above + size + 14, size, f"{top:.3g} or more"),
        width=_WIDTH,
        height=390,
    )


def _key(left: float, top: float, width: float, highest: str) -> Markup:
    """What the colours of the relationships mean."""
    ramp = np.linspace(0.0, 1.0, 64)[None, :]
    return element(
        "g",
        element(
            "image",
            href=_image(ramp),
            x=left + 70,
            y=top,
            width=width - 190,
            height=10,
            preserveAspectRatio="none",
        ),
        _label(left + 64, top + 9, "0 or less", "end"),
        _label(left + width - 114, top + 9, highest, "start"),
    )


def _image(share: FloatArray) -> str:
    """Values from 0 to 1 as the pixels of a PNG, in the page itself."""
    # What writes images takes a while to load, and pages without relationships need none.
    from nextlmm.output.png import write_png_image  # noqa: PLC0415

    at = np.linspace(0.0, 1.0, len(_CIVIDIS))
    pixels = np.stack([np.interp(share, at, channel) for channel in _CIVIDIS.T], axis=-1)
    handle = io.BytesIO()
    write_png_image(np.rint(pixels).astype(np.uint8), handle, dpi=96)
    return "data:image/png;base64," + base64.b64encode(handle.getvalue()).decode("ascii")


def share_bar(share: float) -> Markup:
    """A bar for a cell of a table, from 0 to 1 of its width."""
    return element(
        "svg",
        element("rect", x=0, y=0, width=100, height=8, class_="track"),
        element("rect", x=0, y=0, width=max(100.0 * share, 0.5), height=8, class_="bar"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        class_="share",
        aria_hidden="true",
    )


def summary_of(entry: Mapping[str, Any]) -> str:
    """A distribution in a line."""
    if "edges" in entry:
        return (
            f"mean {real(entry['mean'], 4)}, standard deviation {real(entry['sd'], 4)}, "
            f"{real(entry['edges'][0], 4)} to {real(entry['edges'][-1], 4)}"
        )
    return count(len(entry["values"]), "value")


def _frame(x: _Scale, y: _Scale, name_x: str, name_y: str, *, named: bool = True) -> list[Markup]:
    parts = [
        _line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"),
        _line(_LEFT, _TOP, _LEFT, _BOTTOM, "axis"),
    ]
    for tick in ticks(*y.values, 4):
        parts += [
            _line(_LEFT - 4, y(tick), _LEFT, y(tick), "axis"),
            _label(_LEFT - 7, y(tick) + 4, _short(tick), "end"),
        ]
    for tick in ticks(*x.values, 5) if named else ():
        parts += [
            _line(x(tick), _BOTTOM, x(tick), _BOTTOM + 4, "axis"),
            _label(x(tick), _BOTTOM + 16, _short(tick), "middle"),
        ]
    title = shortened(name_x, 3 * _LABEL_LENGTH)
    parts.append(_label((_LEFT + _RIGHT) / 2, _HEIGHT - 5, title, "middle"))
    parts.append(
        element(
            "text",
            name_y,
            x=11,
            y=(_TOP + _BOTTOM) / 2,
            text_anchor="middle",
            transform=f"rotate(-90 11 {(_TOP + _BOTTOM) / 2})",
        )
    )
    return parts


def _short(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e5 else f"{value:.3g}"


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return element("rect", x=x, y=y, width=width, height=height, class_=kind)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _label(x: float, y: float, text: str, anchor: str) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor)
