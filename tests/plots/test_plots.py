"""Every plot of every kind of result, and what it says where it cannot be drawn."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

import nextlmm
from nextlmm import plots
from nextlmm.errors import FormatError, NextlmmError, UsageError
from nextlmm.genotype.correlation import squared_correlation
from nextlmm.genotype.source import open_genotypes
from nextlmm.report import figures
from nextlmm.run.analysis import Analysis
from nextlmm.run.pipeline import GwasRun
from nextlmm.testing import reference

OF_TABLES = (plots.manhattan, plots.qq, plots.qq_by_maf)
OF_RUNS = (*OF_TABLES, plots.region, plots.h2_profile, plots.distribution, plots.components)
Plot = Callable[..., Figure]


def pixels(figure: Figure) -> np.ndarray:
    handle = io.BytesIO()
    figure.savefig(handle, format="png", dpi=60)
    return np.asarray(Image.open(handle).convert("RGB"))


def spots(figure: Figure) -> int:
    """How many points are drawn."""
    lines = (line for line in figure.axes[0].lines if line.get_marker() not in ("", "None"))
    return sum(len(np.atleast_1d(line.get_xdata())) for line in lines)


@pytest.mark.parametrize("plot", [*OF_RUNS, plots.relationships], ids=lambda plot: plot.__name__)
def test_a_run_is_drawn(run: GwasRun, plot: Plot) -> None:
    figure = plot(run, trait="y")
    assert isinstance(figure, Figure)
    assert len(np.unique(pixels(figure).reshape(-1, 3), axis=0)) > 8
    assert (pixels(plot(run, trait="y")) == pixels(figure)).all()
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("plot", OF_TABLES, ids=lambda plot: plot.__name__)
def test_a_table_looks_the_same_from_every_library(table: pl.DataFrame, plot: Plot) -> None:
    drawn = pixels(plot(table))
    assert (pixels(plot(nextlmm.GwasRun.to_pandas(_run_of(table)))) == drawn).all()
    assert (pixels(plot(table.with_columns(pl.all().name.keep()))) == drawn).all()


def _run_of(table: pl.DataFrame) -> GwasRun:
    return GwasRun({"traits": {}}, {"y": table}, None)  # type: ignore[arg-type]


def test_manhattan__is_that_of_the_command_line(run: GwasRun) -> None:
    mine = plots.manhattan(run, trait="y")
    assert (pixels(mine) == pixels(figures.manhattan(run.tables["y"], title="y"))).all()


@pytest.mark.parametrize("size", [(11.0, 4.4), (6.0, 3.0)])
def test_size__is_that_of_the_figure(table: pl.DataFrame, size: tuple[float, float]) -> None:
    figure = plots.manhattan(table, size=size)
    assert tuple(figure.get_size_inches()) == size
    box = figure.axes[0].get_position()
    assert box.x0 * size[0] == pytest.approx(0.056 * 11)
    assert (1 - box.y1) * size[1] == pytest.approx(0.075 * 4.4)


@pytest.mark.parametrize("size", [(0.5, 0.5), (3,), "big", (-1, 2), (float("nan"), 2)])
def test_size__is_refused(table: pl.DataFrame, size: Any) -> None:
    with pytest.raises(UsageError, match="size is"):
        plots.qq(table, size=size)


@pytest.mark.parametrize("plot", [*OF_RUNS, plots.relationships], ids=lambda plot: plot.__name__)
def test_ax__is_drawn_on(run: GwasRun, plot: Plot) -> None:
    figure = Figure(figsize=(9, 4))
    left, right = figure.subplots(1, 2)
    assert plot(run, trait="y", ax=left) is figure
    assert left.has_data()
    assert not right.has_data()
    with pytest.raises(UsageError, match="ax and size are both given"):
        plot(run, trait="y", ax=left, size=(3, 3))


def test_a_notebook_shows_a_figure(table: pl.DataFrame) -> None:
    content, size = plots.qq(table)._repr_png_()  # type: ignore[attr-defined]
    assert Image.open(io.BytesIO(content)).size == (960, 960)
    assert size == {"width": 461, "height": 461}


def test_qq_by_maf__has_a_curve_for_each_range(run: GwasRun, table: pl.DataFrame) -> None:
    figure = plots.qq_by_maf(run, trait="y")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert all(re.match(r"MAF .*: \d+, λ = \d", text) for text in texts)
    tested = table.height - table["neg_log_10_p_value"].null_count()
    assert sum(int(text.split(": ")[1].split(",")[0]) for text in texts) == tested


def test_region__the_stored_one_and_the_computed_one_are_the_same(
    run: GwasRun, table: pl.DataFrame
) -> None:
    stored = plots.region(run, trait="y")
    lead = run.document["traits"]["y"]["portrait"]["regions"][0]["variant_id"]
    source = open_genotypes(run.document["options"]["bfile"])
    for genotypes in (source, run.document["options"]["bfile"]):
        again = plots.region(run, lead, trait="y", genotypes=genotypes)
        assert spots(again) == spots(stored)
        colours = [line.get_xdata().tolist() for line in again.axes[0].lines[:6]]
        assert colours == [line.get_xdata().tolist() for line in stored.axes[0].lines[:6]]
    assert stored.axes[0].get_title(loc="left") == f"y: {lead}"


def test_region__colours_are_r2(analysis: Analysis, cohort: Any) -> None:
    figure = plots.region(analysis, 5, genotypes=cohort.dosage)
    source = nextlmm.array_source(cohort.dosage)
    everything = np.arange(cohort.dosage.shape[1])
    r2 = squared_correlation(source, 5, everything, np.arange(len(cohort.y)))
    strong = figure.axes[0].lines[4]
    assert strong.get_label() == "0.8 to 1"
    expected = [place for place in np.flatnonzero(r2 >= 0.8) if place != 5]
    assert np.asarray(strong.get_xdata()).tolist() == [place + 1.0 for place in expected]


def test_region__of_one_variant(table: pl.DataFrame, run: GwasRun) -> None:
    one = table.filter(pl.col("variant_id") == "v5")
    pixels(plots.region(one, genotypes=run.document["options"]["bfile"]))


@pytest.mark.parametrize(
    ("lead", "genotypes", "message"),
    [
        ("v7", None, "LD around 'v7' is not known; expected one of the leads of the report, "),
        ("nobody", "files", "no variant named 'nobody'"),
        (100_000, "files", "row 100000 of a table of 240"),
        (11, "files", "row 11 has no p-value"),
        ("v7", np.ones((96, 240)), "does not vary among the 96 samples"),
        (None, np.ones((96, 3)), "array has 3 columns and the table 240 rows"),
    ],
)
def test_region__says_what_is_wrong(run: GwasRun, lead: Any, genotypes: Any, message: str) -> None:
    if isinstance(genotypes, str):
        genotypes = run.document["options"]["bfile"]
    with pytest.raises(UsageError, match=message):
        plots.region(run, lead, trait="y", genotypes=genotypes)


def test_a_table_without_places_is_refused(table: pl.DataFrame) -> None:
    for name in ("chromosome", "base_pair_location"):
        holes = table.with_columns(pl.when(pl.col("n") < 0).then(pl.col(name)).alias(name))
        with pytest.raises(FormatError, match=f"has no {name} in row 0"):
            plots.manhattan(holes)
    with pytest.raises(UsageError, match="flank_bp is -1"):
        plots.region(table, genotypes=np.ones((2, 240)), flank_bp=-1)


def test_region__of_other_genotypes(run: GwasRun, table: pl.DataFrame) -> None:
    moved = table.with_columns(pl.col("base_pair_location") + 1)
    with pytest.raises(UsageError, match=r"have no variant 'v.*' where the table has it"):
        plots.region(moved, genotypes=run.document["options"]["bfile"])


def test_region__needs_ld(analysis: Analysis, table: pl.DataFrame) -> None:
    for result in (analysis, table):
        with pytest.raises(UsageError, match="holds no LD around a lead"):
            plots.region(result)
    twice = table.with_columns(variant_id=pl.lit("same"))
    with pytest.raises(UsageError, match="has 240 variants named 'same', in rows 0 and 1"):
        plots.region(twice, "same", genotypes=np.ones((2, 240)))


def test_h2_profile__is_that_of_the_null_model(run: GwasRun, analysis: Analysis) -> None:
    for result in (analysis, analysis.null):
        axes = plots.h2_profile(result).axes[0]
        low, high = analysis.null.h2_interval or (0, 0)
        assert axes.get_xlabel() == (
            f"h2 = {analysis.null.h2:.3f}, 95 % interval {low:.3f} to {high:.3f}"
        )
        curve = axes.lines[2]
        x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
        # The interval is where the curve crosses the line, to the width of its cells.
        inside = x[y >= -1.920729]
        assert inside.min() == pytest.approx(low, abs=2 * (x[1] - x[0]))
        assert inside.max() == pytest.approx(high, abs=2 * (x[1] - x[0]))
    with pytest.raises(UsageError, match="no profile of a likelihood"):
        plots.h2_profile(run.tables["y"])


def test_distribution__of_values_and_of_a_column(run: GwasRun, cohort: Any) -> None:
    from_run = plots.distribution(run, trait="y")
    from_values = plots.distribution(np.append(cohort.y, np.nan), "y")
    assert (pixels(from_run) == pixels(from_values)).all()
    assert plots.distribution(run, "age", trait="y").axes[0].get_title(loc="left") == "age"
    few = plots.distribution([1, 2, 2], "a $ of 2").axes[0]
    assert [bar.get_height() for bar in few.patches] == [1, 2]
    with pytest.raises(UsageError, match="no column 'agee'; expected one of y, age"):
        plots.distribution(run, "agee", trait="y")
    with pytest.raises(UsageError, match=r"numbers of shape \(n,\)"):
        plots.distribution([["a"]])
    with pytest.raises(NextlmmError, match="no finite number"):
        plots.distribution([np.nan])


def test_samples__of_k_and_of_genotypes_are_the_same(cohort: Any) -> None:
    varying = np.delete(cohort.dosage, [11, 12], axis=1)
    k = reference.relationship_matrix(varying)
    for plot in (plots.components, plots.relationships):
        a, b = pixels(plot(k=5.0 * k)), pixels(plot(genotypes=varying))
        assert np.mean(a != b) < 0.01


def test_components__names_shares(run: GwasRun) -> None:
    axes = plots.components(run, x=2, y=3, trait="w").axes[0]
    assert re.fullmatch(r"component 2 \(\d+\.\d %\)", axes.get_xlabel())
    assert re.fullmatch(r"component 3 \(\d+\.\d %\)", axes.get_ylabel())


def test_samples__say_what_is_wrong(run: GwasRun, analysis: Analysis, cohort: Any) -> None:
    for plot in (plots.components, plots.relationships):
        with pytest.raises(UsageError, match="expected one of them"):
            plot()
        with pytest.raises(UsageError, match="expected one of them"):
            plot(run, k=np.eye(3))
        with pytest.raises(UsageError, match=r"shape \(2, 3\); expected \(n, n\)"):
            plot(k=np.ones((2, 3)))
        with pytest.raises(UsageError, match="not symmetric"):
            plot(k=np.triu(np.ones((4, 4))))
        with pytest.raises(UsageError, match="does not hold the components"):
            plot(analysis)
        with pytest.raises(UsageError, match=r"type list; expected what nextlmm\.gwas"):
            plot([1, 2])
    with pytest.raises(UsageError, match="there are 4 components"):
        plots.components(run, x=1, y=9, trait="y")


@pytest.mark.parametrize("plot", OF_TABLES, ids=lambda plot: plot.__name__)
def test_what_is_no_result_is_refused(run: GwasRun, table: pl.DataFrame, plot: Plot) -> None:
    with pytest.raises(UsageError, match=r"type list; expected what nextlmm\.gwas"):
        plot([1, 2])
    with pytest.raises(UsageError, match="has 2 traits: y, w"):
        plot(run)
    with pytest.raises(UsageError, match="no trait 'yy'; did you mean 'y'"):
        plot(run, trait="yy")
    with pytest.raises(UsageError, match="trait is 'y', but only"):
        plot(table, trait="y")
    with pytest.raises(FormatError, match="has no column 'neg_log_10_p_value'"):
        plot(table.drop("neg_log_10_p_value"))
    with pytest.raises(FormatError, match="'neg_log_10_p_value' of the table cannot be read"):
        plot(table.with_columns(neg_log_10_p_value=pl.lit("a")))


@pytest.mark.parametrize("plot", OF_TABLES, ids=lambda plot: plot.__name__)
def test_nothing_to_draw(table: pl.DataFrame, plot: Plot) -> None:
    empty = table.with_columns(neg_log_10_p_value=pl.lit(None, pl.Float64))
    figure = plot(empty)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no variant could be tested"]
    pixels(figure)
