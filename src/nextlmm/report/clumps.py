"""What the screen shows of lead variants that were written."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from nextlmm.report.summary import Paragraph
from nextlmm.report.wording import count, duration, exponent, real

_SHOWN = 10


def describe_clumps(document: Mapping[str, Any], leads: pl.DataFrame) -> list[Paragraph]:
    """How many leads, the strongest of them, and files, in reading order."""
    options = document["options"]
    reach = "within a locus" if options["kb"] is None else f"within {options['kb']:g} kb"
    rule = (
        f"p at most {exponent(document['p_value'])}, r2 of {options['r2']:g} or more {reach}",
        f"r2 over {count(document['samples'], 'sample')}",
    )
    shown = [
        f"{lead['variant_id']}  {lead['chromosome']}:{lead['base_pair_location']}  "
        f"-log10 p {real(lead['neg_log_10_p_value'])}  {count(lead['clump_variants'], 'variant')}"
        for lead in leads.head(_SHOWN).iter_rows(named=True)
    ]
    rest = leads.height - len(shown)
    more = (f"and {rest:,} more",) if rest else ()
    return [
        Paragraph("", (f"nextlmm {document['nextlmm']['version']}",), "title"),
        Paragraph(
            "leads",
            (
                f"{count(leads.height, 'lead')} of {document['trait']} in "
                f"{count(document['loci'], 'locus', 'loci')}",
            ),
        ),
        Paragraph("rule", rule),
        *([Paragraph("strongest", (*shown, *more))] if shown else ()),
        Paragraph("files", tuple(document["files"])),
        Paragraph("time", (duration(document["seconds"]),)),
    ]
