"""Where to write names beside points so that no two of them overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

_CHARACTER_WIDTH = 0.62  # of the font size; wide enough for capitals and digits of DejaVu Sans
_LINE_HEIGHT = 1.3


@dataclass(frozen=True)
class Label:
    """A text that belongs above the point (x, y), in typographic points."""

    text: str
    x: float
    y: float


def place_labels(
    labels: Sequence[Label], font_size: float, width: float
) -> list[tuple[float, float]]:
    """Offset of each label's bottom centre from its point, in typographic points.

    Labels are placed in the order given, the most important first: each goes just above its point,
    sideways as far as it must to stay between 0 and ``width``, and up until it is free of every
    point and of the labels placed before.
    """
    dot = 0.3 * font_size
    boxes = [(label.x - dot, label.x + dot, label.y - dot, label.y + dot) for label in labels]
    offsets = []
    line = _LINE_HEIGHT * font_size
    for label in labels:
        half = 0.5 * _CHARACTER_WIDTH * font_size * len(label.text)
        centre = min(max(label.x, half), max(width - half, half))
        bottom = label.y + 0.6 * font_size
        while any(
            centre - half < right and left < centre + half and bottom < high and low < bottom + line
            for left, right, low, high in boxes
        ):
            bottom += 0.5 * line
        boxes.append((centre - half, centre + half, bottom, bottom + line))
        offsets.append((centre - label.x, bottom - label.y))
    return offsets
