"""What the screen shows of a simulated cohort."""

from collections.abc import Mapping
from typing import Any

from nextlmm.report.summary import Paragraph
from nextlmm.report.wording import count


def describe_cohort(document: Mapping[str, Any]) -> list[Paragraph]:
    """Its size, its traits and files, in reading order."""
    options = document["options"]
    kind = "given genotypes" if options["structure"] is None else options["structure"]
    size = f"{count(document['samples'], 'sample')}, {count(document['variants'], 'variant')}"
    heritable = f"h2 {options['h2']:g} by {count(document['causal'], 'variant')}"
    return [
        Paragraph("", (f"nextlmm {document['nextlmm']['version']}",), "title"),
        Paragraph("cohort", (f"{kind}: {size}; seed {options['seed']}",)),
        Paragraph("traits", (f"trait: {heritable}, with covariates", "noise: h2 0, without")),
        Paragraph("files", tuple(document["files"])),
    ]
