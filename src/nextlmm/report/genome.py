"""Where variants lie when the chromosomes of a genome are put side by side."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextlmm.report.loci import chromosome_order

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Genome:
    """Where each variant lies on the horizontal axis, in units of the genome's length.

    Attributes
    ----------
    x : (m,) where each variant is drawn.
    group : (m,) position of its chromosome in ``names``.
    place : (m,) where it lies on its chromosome: the position in base pairs, or its number if the
        positions of the chromosome are not known.
    names : of the chromosomes, in the order in which they are drawn.
    is_placed : (c,) whether the positions of a chromosome are known.
    starts, widths : (c,) of the chromosomes on the axis.
    length : of the genome with its gaps, in base pairs.
    """

    x: FloatArray
    group: NDArray[np.intp]
    place: FloatArray
    names: list[str]
    is_placed: NDArray[np.bool_]
    starts: FloatArray
    widths: FloatArray
    length: float


def lay_out(frame: pl.DataFrame) -> Genome:
    """Put the chromosomes of a result table side by side, each as wide as its last position.

    There is a small gap between two of them. ``frame`` must not be empty.
    """
    chromosome = frame["chromosome"].to_numpy()
    names = chromosome_order(chromosome)
    rank = {name: index for index, name in enumerate(names)}
    code = frame["chromosome"].cast(pl.Categorical).to_physical().to_numpy()
    by_code = np.zeros(int(code.max()) + 1, dtype=np.intp)
    first = np.unique(code, return_index=True)
    by_code[first[0]] = [rank[name] for name in chromosome[first[1]]]
    group = by_code[code]
    position = frame["base_pair_location"].to_numpy().astype(np.float64)
    widths = np.zeros(len(names))
    np.maximum.at(widths, group, position)
    counts = np.bincount(group, minlength=len(names))
    unplaced = widths <= 1  # positions are not known: spread the variants in their order
    if unplaced.any():
        position = np.where(unplaced[group], _order_within(group, len(names)), position)
        widths = np.where(unplaced, counts, widths)
    gap = 0.25 * widths.sum() / max(len(names), 25) / 10 + 0.002 * widths.sum() / len(names)
    starts = np.concatenate([[0.0], np.cumsum(widths + gap)[:-1]])
    length = float(starts[-1] + widths[-1])
    return Genome(
        x=(starts[group] + position) / length,
        group=group,
        place=position,
        names=names,
        is_placed=~unplaced,
        starts=starts / length,
        widths=widths / length,
        length=length,
    )


def _order_within(group: NDArray[np.intp], n_groups: int) -> FloatArray:
    """1, 2, 3, ... within each group, in the order of appearance."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group, minlength=n_groups)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    within = np.empty(len(group))
    within[order] = np.arange(len(group)) - first + 1
    return within
