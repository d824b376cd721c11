"""Loci as aligned rows of text."""

from collections.abc import Mapping, Sequence
from typing import Any

from nextlmm.report.wording import real, shortened


def hit_rows(hits: Sequence[Mapping[str, Any]]) -> list[str]:
    """A header and one aligned row per locus."""
    header = ("variant", "chr", "position", "allele", "freq", "beta", "se", "-log10 p")
    cells = [header, *(_hit_cells(hit) for hit in hits)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    left = {0, 1, 3}
    return [
        "  ".join(
            text.ljust(width) if column in left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]


def _hit_cells(hit: Mapping[str, Any]) -> tuple[str, ...]:
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
