"""Where to write names beside points so that neither names nor their lines cross another name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_CHARACTER_WIDTH = 0.62  # of the font size; wide enough for capitals and digits of DejaVu Sans
_LINE_HEIGHT = 1.3
_MOST_RISE = 12  # lines of text that a name may be above its point to keep its line clear

_Box = tuple[float, float, float, float]  # left, right, low, high
_Segment = tuple[float, float, float, float]  # x and y of one end, x and y of the other


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

    Labels are placed in the order given, the most important first: each goes as near above its
    point as it can, between 0 and ``width``, free of every point and of the labels placed before.
    The straight line from its bottom centre to the point stays clear of the other labels too,
    unless that would take it far away.
    """
    dot, line = 0.3 * font_size, _LINE_HEIGHT * font_size
    boxes = [(label.x - dot, label.x + dot, label.y - dot, label.y + dot) for label in labels]
    taken: list[_Box] = []
    leaders: list[_Segment] = []
    offsets = []
    for label in labels:
        half = 0.5 * _CHARACTER_WIDTH * font_size * len(label.text)
        places = _places(label, half, line, (half, width - half), 0.6 * font_size)
        for crossing_allowed, centre, bottom in places:
            box = (centre - half, centre + half, bottom, bottom + line)
            leader = (centre, bottom, label.x, label.y)
            if any(_overlap(box, other) for other in (*boxes, *taken)):
                continue
            if crossing_allowed or _is_clear(box, leader, taken, leaders):
                break
        taken.append(box)
        leaders.append(leader)
        offsets.append((centre - label.x, bottom - label.y))
    return offsets


def _places(
    label: Label, half: float, line: float, limits: tuple[float, float], gap: float
) -> Iterator[tuple[bool, float, float]]:
    """Bottom centres to try, the nearest first; without end, the last ones straight above.

    Each comes with whether its line may cross another label.
    """
    shifts = [0.0] + [sign * step * line for step in range(1, 9) for sign in (-1.0, 1.0)]
    rises = [0.5 * step * line for step in range(2 * _MOST_RISE)]
    near = sorted((rise + abs(shift), rise, shift) for rise in rises for shift in shifts)
    for _, rise, shift in near:
        yield False, _within(label.x + shift, limits), label.y + gap + rise
    rise = 0.0
    while True:
        yield True, _within(label.x, limits), label.y + gap + rise
        rise += 0.5 * line


def _within(centre: float, limits: tuple[float, float]) -> float:
    return min(max(centre, limits[0]), max(limits))


def _is_clear(
    box: _Box, leader: _Segment, taken: Iterable[_Box], leaders: Iterable[_Segment]
) -> bool:
    return not any(_crosses(leader, other) for other in taken) and not any(
        _crosses(other, box) for other in leaders
    )


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _crosses(segment: _Segment, box: _Box) -> bool:
    """Whether a segment enters a box: what each pair of sides leaves of it, by Liang and Barsky."""
    x, y, to_x, to_y = segment
    start, end = 0.0, 1.0
    for origin, step, low, high in ((x, to_x - x, *box[:2]), (y, to_y - y, *box[2:])):
        if step == 0.0:
            if not low < origin < high:
                return False
            continue
        first, second = sorted(((low - origin) / step, (high - origin) / step))
        start, end = max(start, first), min(end, second)
    return start < end
