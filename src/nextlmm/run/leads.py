"""Independent lead variants: clumps by LD from the same genotypes, and the regions around them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextlmm.genotype.correlation import squared_correlation
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.tables import IndexArray
from nextlmm.output.schema import LEAD_COLUMNS
from nextlmm.report.loci import LOCUS_GAP_BP, count_tested, locus_labels
from nextlmm.report.thresholds import genome_wide_threshold, suggestive_threshold

CLUMP_R2 = 0.1
"""A variant whose r2 with a stronger lead of its locus is this or more belongs to its clump."""

_MOST_REGIONS = 12
_MOST_IN_REGION = 1_000
_FLANK_BP = 500_000


@dataclass(frozen=True)
class Clumping:
    """What makes a lead, and how many are looked for.

    Attributes
    ----------
    p_value : largest of a variant that is looked at; None for the suggestive threshold.
    r2 : squared correlation with a lead from which a variant belongs to it.
    distance_bp : largest distance of such a variant from its lead, any in its locus if infinite.
    most_candidates, most_leads, most_in_locus : of the variants that pass, of leads in all, and of
        those in a locus.
    """

    p_value: float | None = None
    r2: float = CLUMP_R2
    distance_bp: float = math.inf
    most_candidates: float = 10_000
    most_leads: float = 200
    most_in_locus: float = 20

    def takes(self, r2: NDArray[np.float64], distance_bp: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which variants, (k,), belong to a lead, by r2 with it, high if NaN, and distance."""
        return ~(r2 < self.r2) & (np.abs(distance_bp) <= self.distance_bp)

    def threshold(self, table: pl.DataFrame) -> float:
        """The largest p-value of a table that passes."""
        return self.p_value or suggestive_threshold(count_tested(table))

    def candidates(self, table: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
        """Rows that pass, the strongest first, with their loci, and whether these are all."""
        columns = ("row", "chromosome", "base_pair_location", "neg_log_10_p_value")
        passing = (
            table.with_row_index("row")
            .filter(pl.col("neg_log_10_p_value") >= -np.log10(self.threshold(table)))
            .select(columns)
            .sort("neg_log_10_p_value", descending=True, maintain_order=True)
        )
        cut = passing.head(int(min(self.most_candidates, passing.height)))
        # Whatever is within reach of a lead is in its locus.
        finite = self.distance_bp if math.isfinite(self.distance_bp) else 0.0
        labels = locus_labels(cut, max(LOCUS_GAP_BP, finite))
        return cut.with_columns(locus=pl.Series(labels)), cut.height == passing.height


AS_IN_A_STUDY = Clumping()


@dataclass(frozen=True, eq=False)
class Leads:
    """The leads of a trait as JSON values.

    Attributes
    ----------
    leads : the rows of the table of leads, the strongest first, by the names of `LEAD_COLUMNS`.
    regions : around the strongest leads, the rows of the result table that are shown, and r2 of
        each with the lead.
    is_complete : whether all leads were looked for, and not the strongest alone.
    """

    leads: list[dict[str, Any]]
    regions: list[dict[str, Any]]
    is_complete: bool


@dataclass(frozen=True, eq=False)
class _Clump:
    """Rows of the result table: a lead, and what it takes along, itself included."""

    locus: int
    lead: int
    members: IndexArray


def find_leads(
    table: pl.DataFrame,
    source: GenotypeSource,
    variants: IndexArray,
    samples: IndexArray,
    *,
    with_regions: bool = True,
    clumping: Clumping = AS_IN_A_STUDY,
) -> Leads:
    """Clump the variants that pass a threshold, the suggestive one unless told otherwise.

    Loci are those of :func:`nextlmm.report.loci.find_loci`. Within a locus the strongest variant
    leads and takes along those whose r2 with it is `CLUMP_R2` or more; of what is left the
    strongest leads again, until nothing is left; at most 200 leads in all and 20 in a locus. All
    of this is as ``clumping`` says.

    Parameters
    ----------
    table : a result table.
    source : its genotypes.
    variants : (m,) position in the source of each row; of those that pass, without regions.
    samples : the analysed samples, over which r2 is computed.
    with_regions : whether to look at the surroundings of the strongest leads too.
    clumping : what makes a lead.

    Cost: reading the variants that pass, at most 10,000, once for each lead of their locus, and at
    most 1,000 variants for each of at most 12 regions.
    """
    passing, is_complete = clumping.candidates(table)
    position = table["base_pair_location"].to_numpy()
    clumps: list[_Clump] = []
    for locus in passing.partition_by("locus", maintain_order=True):
        rows = locus["row"].to_numpy().astype(np.intp)
        most = min(clumping.most_leads, len(clumps) + clumping.most_in_locus)
        while len(rows) and len(clumps) < most:
            r2 = squared_correlation(source, variants[rows[0]], variants[rows], samples)
            taken = clumping.takes(r2, position[rows] - position[rows[0]])
            taken[0] = True
            clumps.append(_Clump(int(locus["locus"][0]), int(rows[0]), rows[taken]))
            rows = rows[~taken]
        is_complete = is_complete and not len(rows)
    strength = table["neg_log_10_p_value"].to_numpy()
    clumps.sort(key=lambda clump: (-strength[clump.lead], clump.lead))
    regions = _regions(table, source, variants, samples, clumps) if with_regions else []
    return Leads(_lead_rows(table, clumps), regions, is_complete)


def _lead_rows(table: pl.DataFrame, clumps: Sequence[_Clump]) -> list[dict[str, Any]]:
    """The table of leads, row by row."""
    line = -np.log10(genome_wide_threshold(count_tested(table)))
    position = table["base_pair_location"].to_numpy()
    own = [column.name for column in LEAD_COLUMNS if column.name in table.columns]
    numbered: dict[int, int] = {}
    rows = []
    for clump in clumps:
        lead = table.row(clump.lead, named=True)
        extent = position[clump.members]
        rows.append(
            {
                **{name: lead[name] for name in own},
                "locus": numbered.setdefault(clump.locus, len(numbered) + 1),
                "genome_wide_significant": bool(lead["neg_log_10_p_value"] >= line),
                "clump_variants": len(clump.members),
                "clump_start": int(extent.min()),
                "clump_end": int(extent.max()),
            }
        )
    return rows


def _regions(
    table: pl.DataFrame,
    source: GenotypeSource,
    variants: IndexArray,
    samples: IndexArray,
    clumps: Sequence[_Clump],
) -> list[dict[str, Any]]:
    """What lies around the strongest lead of each of the strongest loci."""
    firsts: dict[int, _Clump] = {}
    for clump in clumps:
        firsts.setdefault(clump.locus, clump)
    chromosome = table["chromosome"]
    position = table["base_pair_location"].to_numpy()
    strength = table["neg_log_10_p_value"].to_numpy()
    found = []
    for clump in list(firsts.values())[:_MOST_REGIONS]:
        if position[clump.lead] <= 0:  # not known
            continue
        start, end = _extent(position, clump)
        name = chromosome[clump.lead]
        inside = (position >= start) & (position <= end) & ~np.isnan(strength)
        rows = np.flatnonzero(inside)
        rows = rows[(chromosome[rows] == name).to_numpy()]
        shown = _strongest(rows, strength)
        r2 = squared_correlation(source, variants[clump.lead], variants[shown], samples)
        found.append(
            {
                "variant_id": table["variant_id"][clump.lead],
                "chromosome": name,
                "start": start,
                "end": end,
                "variants": len(rows),
                "lead_row": clump.lead,
                "rows": shown.tolist(),
                "r2": [round(float(value), 3) for value in r2],
            }
        )
    return found


def _extent(position: NDArray[np.int64], clump: _Clump) -> tuple[int, int]:
    """From half a megabase before the clump to half a megabase after it, on the chromosome."""
    own = position[clump.members]
    return max(1, int(own.min()) - _FLANK_BP), int(own.max()) + _FLANK_BP


def _strongest(rows: IndexArray, strength: NDArray[np.float64]) -> IndexArray:
    """The strongest of some rows, in the order of the table."""
    order = np.argsort(-strength[rows], kind="stable")
    return np.sort(rows[order[:_MOST_IN_REGION]])
