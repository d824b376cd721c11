"""The strongest loci in words and as aligned rows of text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nextlmm.report.thresholds import (
    describe_suggestive,
    describe_threshold,
    suggestive_threshold,
)
from nextlmm.report.wording import count, real, shortened

HEADER = ("variant", "chr", "position", "allele", "freq", "beta", "se", "-log10 p")

_LISTED = 10  # loci at most, in the result document


def loci_lines(hits: Sequence[Mapping[str, Any]], tested: int) -> list[str]:
    """How many loci pass which threshold, from the strongest of ``tested`` variants.

    >>> loci_lines([], 5000)
    ['no locus at p < 1e-5 (0.05 / 5,000 tests)']
    """
    strong = sum(bool(hit["genome_wide_significant"]) for hit in hits)
    weak = len(hits) - strong
    more = " or more" if len(hits) >= _LISTED else ""
    found = count(strong, "locus", "loci") + ("" if weak else more) if strong else "no locus"
    lines = [f"{found} at p < {describe_threshold(tested)}"]
    if not weak:
        return lines
    if hits[-1]["neg_log_10_p_value"] < -math.log10(suggestive_threshold(tested)):
        return [*lines, f"none at p < {describe_suggestive(tested)} either, * is the strongest"]
    found = count(weak, "suggestive locus", "suggestive loci") + more
    return [*lines, f"{found} at p < {describe_suggestive(tested)}, marked *"]


def hit_rows(hits: Sequence[Mapping[str, Any]]) -> list[str]:
    """A header and one aligned row per locus."""
    cells = [HEADER, *(hit_cells(hit) for hit in hits)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADER))]
    left = {0, 1, 3}
    return [
        "  ".join(
            text.ljust(width) if column in left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def hit_cells(hit: Mapping[str, Any]) -> tuple[str, ...]:
    """What `HEADER` names, of a locus."""
    return (
        shortened(str(hit["variant_id"]), 24),
        shortened(str(hit["chromosome"]), 12),
        f"{hit['base_pair_location']:,}",
        shortened(str(hit["effect_allele"]), 6),
        f"{hit['effect_allele_frequency']:.3f}",
        real(hit["beta"]),
        real(hit["standard_error"]),
        f"{hit['neg_log_10_p_value']:.2f}",
    )
