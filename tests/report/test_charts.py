import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from nextlmm.report.charts import (
    distribution_chart,
    profile_chart,
    relationship_chart,
    summary_of,
    ticks,
)

LEFT, RIGHT, TOP, BOTTOM = 48, 350, 14, 184


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def of_class(svg: str, name: str) -> list[dict[str, str]]:
    return [node.attrib for node in parsed(svg).iter() if node.get("class") == name]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (-4.0, 0.2, [-4, -3, -2, -1, 0]),
        (3e6, 7e6, [3e6, 4e6, 5e6, 6e6, 7e6]),
        (5.0, 5.0, [5]),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


def test_distribution_chart__bars_are_as_high_as_the_counts() -> None:
    entry = {"name": "height", "edges": [1.0, 2.0, 3.0], "counts": [10, 5], "mean": 1.5, "sd": 0.5}
    tall, low = (float(bar["height"]) for bar in of_class(distribution_chart(entry), "bar"))
    assert tall == pytest.approx(BOTTOM - TOP)
    assert low == pytest.approx(tall / 2)
    assert "mean 1.500" in summary_of(entry)


def test_distribution_chart__names_categories_and_escapes_them() -> None:
    entry = {"name": "<b>sex</b>", "values": ["1<2", "2"], "counts": [3, 4]}
    svg = distribution_chart(entry)
    texts = [node.text for node in parsed(svg).iter() if node.tag.endswith("text")]
    assert "<b>sex</b>" in texts
    assert any(text and text.startswith("1<2") for text in texts)
    assert summary_of(entry) == "2 values"


def normal_profile(h2: float, se: float, points: np.ndarray) -> dict[str, Any]:
    """A profile that is a parabola on the scale of log(h2 / (1 - h2))."""
    t, best = np.log(points / (1 - points)), np.log(h2 / (1 - h2))
    width = se / (h2 * (1 - h2))
    low, high = (1 / (1 + np.exp(-(best + sign * 1.96 * width))) for sign in (-1, 1))
    facts = {"h2": h2, "h2_interval": [low, high], "log_likelihood": -100.0}
    return facts | {
        "points": list(zip(points, -100.0 - 0.5 * ((t - best) / width) ** 2, strict=True))
    }


@pytest.mark.parametrize("se", [0.2, 0.01])
def test_profile_chart__crosses_the_line_at_the_ends_of_the_interval(se: float) -> None:
    facts = normal_profile(0.4, se, np.array([0.01, 0.1, 0.3, 0.38, 0.5, 0.7, 0.9]))
    svg = profile_chart(facts, facts["points"])
    assert svg is not None
    (band,), (line,) = of_class(svg, "band"), of_class(svg, "threshold")
    curve = np.array(
        [
            [float(x), float(y)]
            for x, y in re.findall(r"[ML](\S+) ([\d.]+)", of_class(svg, "curve")[0]["d"])
        ]
    )
    above = curve[curve[:, 1] < float(line["y1"])]
    ends = [float(band["x"]), float(band["x"]) + float(band["width"])]
    np.testing.assert_allclose([above[0, 0], above[-1, 0]], ends, atol=2.5)  # pixels; steps are 1.5
    (estimate,) = of_class(svg, "estimate")
    highest = curve[curve[:, 1] == curve[:, 1].min(), 0]  # several, since pixels are rounded
    assert highest.mean() == pytest.approx(float(estimate["x1"]), abs=2.5)


def test_profile_chart__none_where_nothing_was_searched() -> None:
    assert profile_chart({"h2": 0.5, "log_likelihood": 0.0}, [[0.5, 0.0]]) is None
    assert profile_chart({"h2": 0.0, "log_likelihood": 0.0}, []) is None


def test_profile_chart__at_an_end_of_the_range() -> None:
    points = [[1e-5, -10.0], [0.1, -10.5], [0.3, -12.0], [0.6, -15.0]]
    facts = {"h2": 1e-5, "h2_interval": [0.0, 0.28], "log_likelihood": -10.0}
    assert profile_chart(facts, points) is not None


def test_relationship_chart__frames_both_halves_and_writes_ranks() -> None:
    structure = {
        "n": 100,
        "cells": [[1.0, 0.1], [0.1, 1.0]],
        "top": 0.5,
        "blocks": [[0, 50, 100, 7], [0, 25, 50, None], [50, 51, 52, 3]],
    }
    svg = relationship_chart(structure)
    assert len(of_class(svg, "block")) == 6
    texts = [node.text for node in parsed(svg).iter() if node.get("class") == "rank"]
    assert texts == ["7"]  # the smallest block has no room for its own
    assert "data:image/png;base64," in svg
