import io
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from nextlmm.report.figures import manhattan, qq, write_figure, write_png

TableFactory = Callable[..., pl.DataFrame]


def png(figure: Figure) -> bytes:
    handle = io.BytesIO()
    write_png(figure, handle)
    return handle.getvalue()


def texts(figure: Figure) -> list[str]:
    axes = figure.axes[0]
    return [text.get_text() for text in axes.texts]


def drawn(figure: Figure) -> int:
    return sum(len(np.atleast_1d(line.get_xdata())) for line in figure.axes[0].lines)


def test_manhattan__names_the_lead_and_the_threshold(make_table: TableFactory) -> None:
    figure = manhattan(make_table(), title="height")
    assert "v1000" in texts(figure)
    assert "p = 2.5e-5 (0.05 / 2,000 tests)" in texts(figure)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1", "2", "X"]


@pytest.mark.parametrize("draw", [manhattan, qq])
def test_same_table_same_bytes(draw: Callable[..., Figure], make_table: TableFactory) -> None:
    frame = make_table()
    first = png(draw(frame, title="height"))
    assert first == png(draw(frame, title="height"))
    assert first.startswith(b"\x89PNG")
    assert b"Software" not in first
    assert b"tIME" not in first


@pytest.mark.parametrize("draw", [manhattan, qq])
def test_no_global_plotting_state(draw: Callable[..., Figure], make_table: TableFactory) -> None:
    draw(make_table())
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("draw", [manhattan, qq])
def test_nothing_to_draw(draw: Callable[..., Figure], make_table: TableFactory) -> None:
    empty = make_table(10).with_columns(neg_log_10_p_value=pl.lit(None, pl.Float64))
    for frame in (empty, empty.head(0)):
        figure = draw(frame)
        assert texts(figure) == ["no variant could be tested"]
        png(figure)


@pytest.mark.parametrize("draw", [manhattan, qq])
def test_one_variant(draw: Callable[..., Figure], make_table: TableFactory) -> None:
    png(draw(make_table(3, ("1",)).head(1)))


def test_variants_without_a_result_are_not_drawn(make_table: TableFactory) -> None:
    frame = make_table(100)
    holes = frame.with_columns(
        neg_log_10_p_value=pl.when(pl.col("n") > 0).then(pl.col("neg_log_10_p_value"))
    )
    assert drawn(manhattan(holes)) == drawn(manhattan(frame))
    some = frame.with_columns(
        neg_log_10_p_value=pl.when(pl.arange(pl.len()) < 90).then(pl.col("neg_log_10_p_value"))
    )
    assert drawn(manhattan(some)) < drawn(manhattan(frame))


@pytest.mark.parametrize("draw", [manhattan, qq])
def test_points_on_the_same_pixel_are_drawn_once(
    draw: Callable[..., Figure], make_table: TableFactory
) -> None:
    frame = make_table(200_000, ("1",))
    assert drawn(draw(frame)) < 120_000


def test_thinning_keeps_every_isolated_point(make_table: TableFactory) -> None:
    figure = manhattan(make_table(50, ("1",)))
    points = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    xs = np.concatenate([np.atleast_1d(line.get_xdata()) for line in points[:2]])
    assert len(xs) == 50


def test_names_with_dollars_are_not_formulas(make_table: TableFactory) -> None:
    frame = make_table(20).with_columns(
        variant_id=pl.lit("v$^{$1"), chromosome=pl.lit("c$_$"), neg_log_10_p_value=pl.lit(9.0)
    )
    png(manhattan(frame, title="oil ($\\frac$ per kg)"))


def test_thousands_of_scaffolds(make_table: TableFactory) -> None:
    scaffolds = tuple(f"scaffold_{i}" for i in range(3000))
    figure = manhattan(make_table(3000, scaffolds))
    assert figure.axes[0].get_xlabel().startswith("chromosome (")
    assert any(text.startswith("v1500 (scaffold_") for text in texts(figure))


def test_scaffolds_of_one_size_are_named_evenly(make_table: TableFactory) -> None:
    scaffolds = tuple(f"s{i}" for i in range(188))
    figure = manhattan(make_table(1880, scaffolds))
    ticks = figure.axes[0].get_xticks()
    assert len(ticks) > 20
    assert max(np.diff(ticks)) < 0.1


def test_one_overwhelming_signal_does_not_flatten_the_others(make_table: TableFactory) -> None:
    frame = make_table()
    strength = frame["neg_log_10_p_value"].to_numpy().copy()
    strength[3] = 4580.0
    frame = frame.with_columns(neg_log_10_p_value=pl.Series(strength))
    for figure in (manhattan(frame), qq(frame)):
        axes = figure.axes[0]
        assert any(text.startswith("axis compressed above") for text in texts(figure))
        low, high = axes.transAxes.inverted().transform(axes.transData.transform([(0, 0), (0, 5)]))
        assert high[1] - low[1] > 0.1
        assert axes.get_ylim()[1] > 4580


def test_unknown_positions_are_spread(make_table: TableFactory) -> None:
    frame = make_table(100).with_columns(base_pair_location=pl.lit(0, pl.Int64))
    figure = manhattan(frame)
    xs = np.concatenate([np.atleast_1d(line.get_xdata()) for line in figure.axes[0].lines[:2]])
    assert len(np.unique(xs)) == 100


def test_a_variant_without_a_name_is_called_by_its_place(make_table: TableFactory) -> None:
    frame = make_table(20).with_columns(variant_id=pl.lit("."))
    assert "2:10001" in texts(manhattan(frame))


def test_very_small_p_values_stay_inside(make_table: TableFactory) -> None:
    frame = make_table(20).with_columns(neg_log_10_p_value=pl.lit(1234.5))
    for figure in (manhattan(frame), qq(frame)):
        assert figure.axes[0].get_ylim()[1] > 1234.5


def test_qq__states_the_facts(make_table: TableFactory) -> None:
    figure = qq(make_table(), lambda_gc=1.0749, n_samples=513)
    assert texts(figure)[0].split("\n") == [
        "2,000 variants",
        "513 samples",
        "λ = 1.075",
    ]


def test_qq__a_uniform_sample_stays_in_the_band() -> None:
    m = 5000
    exact = -np.log10((np.arange(1, m + 1) - 0.5) / m)
    frame = pl.DataFrame({"neg_log_10_p_value": exact})
    axes = qq(frame).axes[0]
    band = axes.collections[0].get_paths()[0].vertices
    points = axes.lines[1]
    x, y = np.asarray(points.get_xdata()), np.asarray(points.get_ydata())
    np.testing.assert_allclose(x, y)
    for value in x[:: len(x) // 50]:
        heights = np.sort(band[np.isclose(band[:, 0], value), 1])
        assert heights[0] < value < heights[-1]


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_write_figure__same_table_same_bytes(make_table: TableFactory, suffix: str) -> None:
    def drawn() -> bytes:
        handle = io.BytesIO()
        write_figure(manhattan(make_table(), title="a & <b>"), suffix, handle)
        return handle.getvalue()

    content = drawn()
    assert drawn() == content
    assert content.startswith(b"%PDF" if suffix == ".pdf" else b"<?xml")
    assert b"CreationDate" not in content


def test_write_figure__svg_keeps_text_and_paints_points(make_table: TableFactory) -> None:
    handle = io.BytesIO()
    write_figure(manhattan(make_table(20_000), title="a & <b>"), ".svg", handle)
    root = ElementTree.fromstring(handle.getvalue())
    texts = [node.text for node in root.iter() if node.tag.endswith("}text")]
    assert "a & <b>" in texts
    assert any(node.tag.endswith("}image") for node in root.iter())
    assert len(handle.getvalue()) < 1e6


def test_write_figure__png_does_not_depend_on_the_other_formats(make_table: TableFactory) -> None:
    figure = manhattan(make_table())
    write_figure(figure, ".pdf", io.BytesIO())
    assert png(figure) == png(manhattan(make_table()))
