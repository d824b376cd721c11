"""The part of the log that nobody needs until somebody asks: versions, machine, inputs, options."""

from collections.abc import Mapping
from typing import Any

from nextlmm.report.summary import Paragraph
from nextlmm.report.wording import size


def provenance(document: Mapping[str, Any]) -> list[Paragraph]:
    """Everything that is needed to repeat the run and to compare machines."""
    machine = document["machine"]
    blas = ", ".join(
        f"{pool['library']} {pool['version']} with {pool['threads']} threads"
        for pool in machine["blas"]
    )
    memory = machine["memory_bytes"]
    hardware = (
        f"{machine['processor']}, {machine['cores']} cores",
        *((f"{size(memory)} of memory",) if memory else ()),
        f"{machine['system']} {machine['release']}",
        *((blas,) if blas else ()),
    )
    inputs = [
        line
        for role, entry in document["inputs"].items()
        for line in (f"{role}: {entry['path']}, {entry['bytes']:,} bytes", entry["sha256"])
    ]
    options = tuple(f"{name} = {value}" for name, value in document["options"].items())
    return [
        Paragraph("", ("Provenance",), "title"),
        Paragraph("started", (document["started"],)),
        Paragraph("versions", tuple(f"{k} {v}" for k, v in document["versions"].items())),
        Paragraph("machine", hardware),
        Paragraph("inputs", tuple(inputs) or ("none",)),
        Paragraph("options", options or ("none",)),
    ]
