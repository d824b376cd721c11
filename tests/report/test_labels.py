from hypothesis import given
from hypothesis import strategies as st

from nextlmm.report.labels import Label, place_labels

SIZE, WIDTH = 8.0, 700.0

labels = st.lists(
    st.builds(
        Label,
        st.text("abcdef0123456789", min_size=1, max_size=20),
        st.floats(0, WIDTH),
        st.floats(0, 300),
    ),
    max_size=12,
)


@given(labels)
def test_no_two_labels_overlap_and_none_leaves_the_figure(wanted: list[Label]) -> None:
    boxes = []
    for label, (dx, dy) in zip(wanted, place_labels(wanted, SIZE, WIDTH), strict=True):
        half = 0.31 * SIZE * len(label.text)
        centre, bottom = label.x + dx, label.y + dy
        assert centre - half >= -1e-9
        assert centre + half <= WIDTH + 1e-9
        assert dy > 0
        boxes.append((centre - half, centre + half, bottom, bottom + 1.3 * SIZE))
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]
            assert apart


def test_a_label_alone_sits_just_above_its_point() -> None:
    ((dx, dy),) = place_labels([Label("rs1", 300, 100)], SIZE, WIDTH)
    assert dx == 0
    assert 0 < dy < SIZE


def test_no_line_crosses_the_label_of_a_neighbour() -> None:
    stack = [Label("rs1234567", 300, 100), Label("rs2345678", 302, 80), Label("rs3", 298, 60)]
    places = place_labels(stack, SIZE, WIDTH)
    for i, (label, (dx, dy)) in enumerate(zip(stack, places, strict=True)):
        for j, (other, (ox, oy)) in enumerate(zip(stack, places, strict=True)):
            if i == j:
                continue
            half = 0.31 * SIZE * len(other.text)
            for step in range(101):
                x, y = label.x + dx * step / 100, label.y + dy * step / 100
                beside = abs(x - other.x - ox) >= half - 1e-6
                assert beside or not other.y + oy + 1e-6 < y < other.y + oy + 1.3 * SIZE - 1e-6
