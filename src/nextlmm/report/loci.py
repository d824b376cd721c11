"""Where in the genome the signals are: one lead variant per locus."""

import math
import re
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextlmm.report.thresholds import genome_wide_threshold, suggestive_threshold

LOCUS_GAP_BP = 1_000_000
"""Two variants further apart than this belong to different loci unless others lie between them."""

_SEX_AND_ORGANELLES = {"X": 1, "Y": 2, "XY": 3, "M": 4, "MT": 4}


def chromosome_key(name: str) -> tuple[int, int, str]:
    """Sort key that puts 2 before 10, numbers before X, Y and MT, and scaffolds last."""
    bare = re.sub(r"^chr(omosome)?[_ ]?", "", name, flags=re.IGNORECASE)
    if bare.isascii() and bare.isdigit():
        return (0, int(bare), name)
    if bare.upper() in _SEX_AND_ORGANELLES:
        return (1, _SEX_AND_ORGANELLES[bare.upper()], name)
    return (2, 0, _pad_numbers(bare))


def find_loci(frame: pl.DataFrame, p_value: float) -> pl.DataFrame:
    """The lead variant of every locus with a variant at or below ``p_value``, strongest first.

    A locus is a run of such variants on one chromosome in which neighbours are at most
    `LOCUS_GAP_BP` apart, so that a signal which long-range LD spreads over many megabases is one
    locus and not many.

    Returns
    -------
    pl.DataFrame
        The rows of ``frame`` of the leads, with ``locus_start``, ``locus_end`` (base pairs) and
        ``locus_variants`` (how many pass) added.
    """
    passing = frame.filter(pl.col("neg_log_10_p_value") >= -math.log10(p_value))
    located = passing.with_columns(locus=pl.Series(locus_labels(passing)))
    extent = located.group_by("locus").agg(
        locus_start=pl.col("base_pair_location").min(),
        locus_end=pl.col("base_pair_location").max(),
        locus_variants=pl.len(),
    )
    ordered = located.sort("locus", "base_pair_location", maintain_order=True)
    strongest_first = ordered.sort("neg_log_10_p_value", descending=True, maintain_order=True)
    leads = strongest_first.unique("locus", keep="first", maintain_order=True)
    return leads.join(extent, on="locus", how="left", maintain_order="left").drop("locus")


def locus_labels(passing: pl.DataFrame, gap_bp: float = LOCUS_GAP_BP) -> NDArray[np.intp]:
    """The number of the locus, (k,), of each of the variants that pass; see `find_loci`.

    Neighbours within a locus are at most ``gap_bp`` apart.
    """
    chromosome = passing["chromosome"].rank("dense").to_numpy()
    position = passing["base_pair_location"].to_numpy()
    order = np.lexsort((position, chromosome))
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (np.diff(position[order]) > gap_bp) | (np.diff(chromosome[order]) != 0)
    labels = np.empty(len(order), dtype=np.intp)
    labels[order] = np.cumsum(starts)
    return labels


def top_hits(frame: pl.DataFrame, *, count: int = 10) -> list[dict[str, Any]]:
    """The strongest loci as plain values for the result document.

    Lists at most ``count`` loci that pass the suggestive threshold, each with its lead variant and
    whether it is genome-wide significant; where none passes, the strongest variant alone.
    """
    n_tested = count_tested(frame)
    if n_tested == 0:
        return []
    leads = find_loci(frame, suggestive_threshold(n_tested))
    if leads.is_empty():
        strongest = frame["neg_log_10_p_value"].max()
        leads = find_loci(frame.filter(pl.col("neg_log_10_p_value") == strongest), 1.0)
    line = -math.log10(genome_wide_threshold(n_tested))
    columns = (
        "variant_id",
        "chromosome",
        "base_pair_location",
        "effect_allele",
        "effect_allele_frequency",
        "beta",
        "standard_error",
        "neg_log_10_p_value",
        "locus_start",
        "locus_end",
        "locus_variants",
    )
    chosen = leads.head(count).select(
        *columns, genome_wide_significant=pl.col("neg_log_10_p_value") >= line
    )
    return chosen.to_dicts()


def count_tested(frame: pl.DataFrame) -> int:
    """How many variants have a p-value."""
    return frame.height - frame["neg_log_10_p_value"].null_count()


def chromosome_order(names: NDArray[np.object_]) -> list[str]:
    """The distinct chromosomes in the order in which a genome is drawn."""
    return sorted(set(names.tolist()), key=chromosome_key)


def genome_order(chromosome: NDArray[np.object_], position: NDArray[np.int64]) -> NDArray[np.intp]:
    """The order of variants by chromosome, as a genome is drawn, and position; ties stay."""
    rank = {name: at for at, name in enumerate(chromosome_order(chromosome))}
    label = np.fromiter(map(rank.__getitem__, chromosome.tolist()), np.intp, len(chromosome))
    return np.lexsort((position, label))


def _pad_numbers(text: str) -> str:
    return re.sub(r"\d+", lambda match: match.group().zfill(12), text)
