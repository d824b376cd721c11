"""The null model of a trait, and the trait itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextlmm.errors import TraitError, UsageError
from nextlmm.lmm.null import DROP_95, NullModel
from nextlmm.plots.axes import figure_of, open_axes
from nextlmm.plots.results import shown
from nextlmm.report.charts import summary_of
from nextlmm.report.figures import ACCENT, DARK, GREY, LIGHT, Sheet, dress
from nextlmm.report.profile import DEEPEST, profile_curve
from nextlmm.run.pipeline import GwasRun
from nextlmm.run.portrait import distribution as counted

_SMALL = Sheet((5.2, 3.8), {"left": 0.13, "right": 0.975, "bottom": 0.14, "top": 0.9})


def h2_profile(
    result: Any,
    *,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the profile likelihood of the heritability with its 95 % interval.

    Dots are where the likelihood was computed; the interval is where the curve stays above the
    dashed line, half the 95 % point of a chi-square below its maximum.

    Parameters
    ----------
    result : what ``nextlmm.gwas`` (with a report), ``nextlmm.associate`` or ``nextlmm.fit_null``
        returns.
    trait, title, size, ax : as for :func:`nextlmm.plots.manhattan`.

    Raises
    ------
    UsageError
        If the result holds no likelihood that was searched.
    """
    name, facts, profile = _null(result, trait)
    curve = None if not profile else profile_curve(facts["h2"], facts["log_likelihood"], profile)
    if curve is None:
        raise UsageError(
            "the result holds no profile of a likelihood: it is a table, a run without a report, "
            "or h2 was given or estimated by moments; expected one whose h2 was searched by REML "
            "or ML"
        )
    axes, _ = open_axes(ax, size, _SMALL)
    dress(axes, name if title is None else title)
    if facts["h2_interval"] is not None:
        axes.axvspan(*facts["h2_interval"], color="#d9d9d9", linewidth=0, zorder=0)
    axes.axhline(-DROP_95, color=GREY, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
    axes.axvline(facts["h2"], color=ACCENT, linewidth=1.2, zorder=1)
    axes.plot(curve.h2, curve.drop, color=DARK, linewidth=1.6, zorder=2)
    axes.plot(
        curve.evaluated_h2,
        curve.evaluated_drop,
        linestyle="none",
        marker="o",
        markersize=4,
        color=DARK,
        zorder=3,
    )
    axes.set_xlim(*curve.span)
    axes.set_ylim(-DEEPEST, 0.2)
    axes.set_xlabel(_h2_in_words(facts))
    axes.set_ylabel("log-likelihood below its maximum")
    return figure_of(axes)


def distribution(
    result: Any,
    column: str | None = None,
    *,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw how the trait, or a covariate, is distributed.

    Parameters
    ----------
    result : what ``nextlmm.gwas`` with a report returns, whose trait is shown as it was analysed,
        or the values themselves, (n,), NaN where missing.
    column : the trait unless given, or one of the fitted covariates; a name for values.
    trait, title, size, ax : as for :func:`nextlmm.plots.manhattan`.

    Raises
    ------
    UsageError, TraitError
        If there is no such column, or nothing to count.
    """
    entry = _entry(result, column, trait)
    axes, _ = open_axes(ax, size, _SMALL)
    dress(axes, entry["name"] if title is None else title)
    if "edges" in entry:
        axes.stairs(entry["counts"], entry["edges"], fill=True, color=LIGHT)
        axes.stairs(entry["counts"], entry["edges"], color=DARK, linewidth=0.8)
    else:
        places = np.arange(len(entry["values"]))
        axes.bar(places, entry["counts"], width=0.7, color=LIGHT, edgecolor=DARK, linewidth=0.8)
        axes.set_xticks(places, entry["values"], parse_math=False)
    axes.set_xlabel(summary_of(entry), fontsize=9)
    axes.set_ylabel("samples")
    return figure_of(axes)


def _null(
    result: Any, trait: str | None
) -> tuple[str, Mapping[str, Any], Sequence[Sequence[float]]]:
    """Name, facts and profile of a null model."""
    if isinstance(result, NullModel):
        return "", vars(result), result.profile
    found = shown(result, trait)
    return found.name, found.facts, found.portrait.get("profile") or ()


def _h2_in_words(facts: Mapping[str, Any]) -> str:
    text = f"h2 = {facts['h2']:.3f}"
    if facts["h2_interval"] is not None:
        low, high = facts["h2_interval"]
        text += f", 95 % interval {low:.3f} to {high:.3f}"
    return text


def _entry(result: Any, column: str | None, trait: str | None) -> Mapping[str, Any]:
    """What is counted of a column."""
    if not isinstance(result, GwasRun):
        return _counted(result, column)
    found = shown(result, trait)
    entries: Sequence[Mapping[str, Any]] = found.portrait.get("distributions") or ()
    if not entries:
        raise UsageError(
            "the run kept no distributions, because it made no report; expected one with a report, "
            "or the values of the trait in place of the run"
        )
    for entry in entries:
        if entry["name"] == (found.name if column is None else column):
            return entry
    names = ", ".join(str(entry["name"]) for entry in entries)
    raise UsageError(f"the run has no column '{column}'; expected one of {names}")


def _counted(values: Any, column: str | None) -> Mapping[str, Any]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty((0, 0))
    if numbers.ndim != 1:
        raise UsageError(
            f"a distribution got an object of type {type(values).__name__}; expected what "
            "nextlmm.gwas returns, or numbers of shape (n,): an analysis of arrays does not keep "
            "its trait, so give that"
        )
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        raise TraitError("a distribution got no finite number; expected at least one")
    return counted("" if column is None else column, present)
