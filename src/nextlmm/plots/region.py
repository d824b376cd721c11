"""The surroundings of a lead variant, coloured by linkage disequilibrium with it."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nextlmm.errors import UsageError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.correlation import squared_correlation
from nextlmm.genotype.source import GenotypeSource, open_genotypes
from nextlmm.genotype.tables import IndexArray
from nextlmm.plots.axes import figure_of, open_axes
from nextlmm.plots.results import PLACE, STRENGTH, Shown, shown
from nextlmm.report.axis import apply_axis, strength_axis
from nextlmm.report.figures import GREY, Sheet, dress
from nextlmm.report.figures import STRENGTH as STRENGTH_LABEL
from nextlmm.report.loci import count_tested
from nextlmm.report.thresholds import genome_wide_threshold

FLANK_BP = 500_000
"""Base pairs on each side of a lead that are drawn."""

_MOST = 2_000  # variants drawn, and read for their LD
_REGION = Sheet((7.0, 4.2), {"left": 0.09, "right": 0.985, "bottom": 0.125, "top": 0.915})
# Of Okabe and Ito behind a grey, the weakest LD first, and a violet for the lead.
_COLOURS = ("#8d99a6", "#56b4e9", "#009e73", "#e69f00", "#d55e00")
_LEAD = "#7b3294"


@dataclass(frozen=True, eq=False)
class _Around:
    """What lies around a lead: rows of the result table, and r2 of each with the lead."""

    lead: int
    rows: IndexArray
    r2: NDArray[np.float64]
    span: tuple[int, int]


def region(
    result: Any,
    lead: str | int | None = None,
    *,
    genotypes: Any = None,
    flank_bp: int = FLANK_BP,
    trait: str | None = None,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw -log10 p around a lead variant, coloured by r2 with it.

    A run with a report has computed r2 around its strongest leads, over the analysed samples; for
    another lead, or another kind of result, give the genotypes.

    Parameters
    ----------
    result : what ``nextlmm.gwas`` or ``nextlmm.associate`` returns, or a table of polars or pandas.
    lead : identifier of the lead, or its row in the table; the strongest unless given.
    genotypes : what r2 is computed from, over all samples there: what ``open_genotypes`` returns or
        takes, whose variants are found by name and place, or an array with one column for each
        row of the table.
    flank_bp : base pairs on each side of the lead that are drawn, with ``genotypes``; at most the
        2,000 strongest variants are.
    trait, title, size, ax : as for :func:`nextlmm.plots.manhattan`; the title is the lead's name
        unless given.

    Raises
    ------
    UsageError, FormatError
        If there is no such lead, its LD is not known, or the genotypes are of other variants.
    """
    found = shown(result, trait, (*PLACE, STRENGTH))
    if genotypes is None:
        around = _stored(found, lead)
    else:
        around = _computed(found, lead, genotypes, flank_bp)
    axes, _ = open_axes(ax, size, _REGION)
    dress(axes, _name(found, around.lead) if title is None else title)
    _draw(axes, found, around)
    return figure_of(axes)


def _stored(found: Shown, lead: str | int | None) -> _Around:
    """A region that the run kept for its report."""
    regions: Sequence[Mapping[str, Any]] = found.portrait.get("regions") or ()
    names = ", ".join(str(each["variant_id"]) for each in regions)
    for each in regions:
        if lead is None or lead in (each["variant_id"], each["lead_row"]):
            rows = np.array(each["rows"], dtype=np.intp)
            span = each["start"], each["end"]
            return _Around(each["lead_row"], rows, np.array(each["r2"], dtype=float), span)
    if regions:
        raise UsageError(
            f"the LD around {lead!r} is not known; expected one of the leads of the report, "
            f"{names}, or the genotypes by genotypes="
        )
    raise UsageError(
        "the result holds no LD around a lead; expected that of a run with a report that found a "
        "lead, or the genotypes by genotypes="
    )


def _computed(found: Shown, lead: str | int | None, genotypes: Any, flank_bp: int) -> _Around:
    if flank_bp < 0:
        raise UsageError(f"flank_bp is {flank_bp}; expected a number of base pairs, 0 or more")
    table = found.table
    row = _lead_row(table, lead)
    chromosome, at = table["chromosome"][row], table["base_pair_location"][row]
    own = table.with_row_index("row").filter(pl.col("chromosome") == chromosome)
    inside = (
        own.filter(
            pl.col("base_pair_location").is_between(at - flank_bp, at + flank_bp),
            pl.col(STRENGTH).is_not_null(),
        )
        .sort(STRENGTH, descending=True, maintain_order=True)
        .head(_MOST)
    )
    extent = own["base_pair_location"].to_numpy()
    span = max(at - flank_bp, int(extent.min())), min(at + flank_bp, int(extent.max()))
    rows = np.sort(inside["row"].to_numpy().astype(np.intp))
    source = _source(genotypes)
    variants = _positions(source, table, np.append(rows, row))
    samples = np.arange(len(source.samples))
    r2 = squared_correlation(source, int(variants[-1]), variants[:-1], samples)
    if np.isnan(r2).all():
        raise UsageError(
            f"the lead in row {row} does not vary among the {len(samples):,} samples of the "
            "genotypes; expected genotypes in which it does"
        )
    return _Around(row, rows, r2, span)


def _lead_row(table: pl.DataFrame, lead: str | int | None) -> int:
    """The row of a lead in a result table."""
    if count_tested(table) == 0:
        raise UsageError("the table has no variant with a p-value; expected one to draw around")
    if lead is None:
        return int(table[STRENGTH].arg_max() or 0)
    row = _named(table, lead) if isinstance(lead, str) else int(lead)
    if not 0 <= row < table.height:
        raise UsageError(
            f"the lead is row {row} of a table of {table.height:,}; expected one of its rows"
        )
    if table[STRENGTH][row] is None:
        raise UsageError(
            f"the variant in row {row} has no p-value; expected a lead that was tested"
        )
    return row


def _named(table: pl.DataFrame, lead: str) -> int:
    """The row of a variant by its name."""
    rows = np.flatnonzero((table["variant_id"] == lead).fill_null(False).to_numpy())
    if len(rows) == 1:
        return int(rows[0])
    if len(rows):
        raise UsageError(
            f"the table has {len(rows):,} variants named '{lead}', in rows {rows[0]} and "
            f"{rows[1]} first; expected one: give the row of the lead"
        )
    raise UsageError(
        f"the table has no variant named '{lead}'; expected one in its variant_id, or a row"
    )


def _source(genotypes: Any) -> GenotypeSource:
    if isinstance(genotypes, str | os.PathLike):
        return open_genotypes(os.fspath(genotypes))
    if hasattr(genotypes, "dosages") and hasattr(genotypes, "variants"):
        source: GenotypeSource = genotypes
        return source
    return array_source(genotypes)


def _positions(source: GenotypeSource, table: pl.DataFrame, rows: IndexArray) -> IndexArray:
    """Where the variants of rows of the table are in the genotypes."""
    if not source.files:
        if len(source.variants) == table.height:
            return rows
        raise UsageError(
            f"the genotype array has {len(source.variants):,} columns and the table "
            f"{table.height:,} rows; expected one column for each row"
        )
    wanted = table[rows].select(PLACE).rows()
    spots = np.unique([spot for _, spot, _ in wanted])
    variants = source.variants
    near = np.flatnonzero(np.isin(variants.position_bp, spots))
    known = {
        (variants.chromosome[at], int(variants.position_bp[at]), variants.variant_id[at]): at
        for at in near[::-1]
    }
    lacking = [name for *place, name in wanted if (*place, name) not in known]
    if lacking:
        raise UsageError(
            f"the genotypes have no variant '{lacking[0]}' where the table has it; expected the "
            "genotypes that were tested"
        )
    return np.array([known[key] for key in wanted], dtype=np.intp)


def _draw(axes: Axes, found: Shown, around: _Around) -> None:
    table = found.table
    place = table["base_pair_location"].to_numpy()[around.rows]
    y = table[STRENGTH].to_numpy()[around.rows]
    unit, name = (1e6, "Mb") if around.span[1] >= 100_000 else (1.0, "base pairs")
    layer = np.clip(np.floor(5.0 * np.nan_to_num(around.r2) + 1e-6), 0, 4).astype(int)
    others = around.rows != around.lead
    for at, colour in enumerate(_COLOURS):
        chosen = others & (layer == at)
        axes.plot(
            place[chosen] / unit,
            y[chosen],
            linestyle="none",
            marker="o",
            markersize=4.2,
            markeredgecolor="white",
            markeredgewidth=0.3,
            color=colour,
            label=f"{at / 5:g} to {(at + 1) / 5:g}",
            zorder=2 + 0.1 * at,
        )
    axes.plot(
        table["base_pair_location"][around.lead] / unit,
        table[STRENGTH][around.lead],
        linestyle="none",
        marker="D",
        markersize=7,
        color=_LEAD,
        label="lead",
        zorder=4,
    )
    line = -math.log10(genome_wide_threshold(count_tested(table)))
    apply_axis(axes, strength_axis(float(y.max(initial=line)), line), GREY)
    axes.axhline(line, color=GREY, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
    margin = max(0.02 * (around.span[1] - around.span[0]), 1.0)
    axes.set_xlim((around.span[0] - margin) / unit, (around.span[1] + margin) / unit)
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    axes.set_xlabel(f"chromosome {table['chromosome'][around.lead]}, {name}", parse_math=False)
    axes.set_ylabel(STRENGTH_LABEL)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        title="r² with the lead",
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        loc="best",
        handletextpad=0.2,
    )


def _name(found: Shown, row: int) -> str:
    """The lead by name, or by place where it has none, and the trait."""
    name, chromosome = found.table["variant_id"][row], found.table["chromosome"][row]
    place = f"{chromosome}:{found.table['base_pair_location'][row]}"
    lead = place if name in (None, "", ".") else str(name)
    return f"{found.name}: {lead}" if found.name else lead
