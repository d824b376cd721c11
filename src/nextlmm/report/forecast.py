"""The plan of a run in words: its model, counts, route, costs, and how to hand it to a cluster."""

from collections.abc import Mapping
from typing import Any

from nextlmm.report.summary import Paragraph, model_lines, sample_lines, wrapped
from nextlmm.report.wording import duration, reasons, sentence, size


def describe_forecast(document: Mapping[str, Any]) -> list[Paragraph]:
    """Everything that a plan says, in reading order."""
    title = f"nextlmm {document['nextlmm']['version']}: a plan, and nothing was run"
    paragraphs = [Paragraph("", (title,), "title")]
    for name, trait in document["traits"].items():
        paragraphs += _trait(name, trait, document)
    return [*paragraphs, *_costs(document)]


def cost_lines(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels and sentences of what a run will cost, beside what it may take."""
    predicted, limits = document["predicted"], document["limits"]
    memory = f"about {size(round(predicted['memory_bytes']))} at most"
    if limits["memory_bytes"] is not None:
        allowed = size(round(limits["memory_bytes"]))
        memory += f" ({limits['memory_source']} allows {allowed})"
    disk = f"about {size(round(predicted['disk_bytes']))}"
    if limits["disk_free_bytes"] is not None:
        disk += f" ({size(limits['disk_free_bytes'])} free)"
    threads = predicted["threads"]
    on = f"{threads} thread{'' if threads == 1 else 's'}"
    return [
        ("time", f"about {duration(predicted['seconds'])} with {on}, on a machine like this"),
        ("memory", memory),
        ("disk", disk),
    ]


def _trait(name: str, trait: Mapping[str, Any], document: Mapping[str, Any]) -> list[Paragraph]:
    warnings = [
        Paragraph("warning", wrapped(sentence(text, [name])), "warning")
        for text in trait["warnings"]
    ]
    return [
        Paragraph("", (f"Trait {name}",), "title"),
        *warnings,
        Paragraph("model", wrapped(*model_lines(name, trait, document))),
        Paragraph("samples", wrapped(*sample_lines(trait, document))),
        Paragraph("variants", wrapped(*_variants(trait, document))),
        Paragraph("route", wrapped(f"{trait['route']}: {trait['reason']}")),
    ]


def _variants(trait: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    counts, every = trait["variants"], document["variants"]
    about = "" if every["is_counted"] else "about "
    text = f"{about}{every['in_genotypes']:,} in the genotype file"
    looked_at = counts["looked_at"]
    near = "" if looked_at is None else "about "
    text += f" -> {near}{counts['selected']:,} selected"
    dropped = reasons(counts["excluded"])
    text += f" (left out: {dropped})" if dropped else ""
    text += f", {near}{counts['varying']:,} of which vary"
    lines = [text]
    if looked_at is not None:
        lines.append(f"estimated from {looked_at:,} variants; the run counts all")
    if counts["pruned"] is not None:
        lines.append(
            f"the relationship matrix will have fewer than that: thinned by {counts['pruned']}"
        )
    return lines


def _costs(document: Mapping[str, Any]) -> list[Paragraph]:
    costs = [Paragraph(label, wrapped(text)) for label, text in cost_lines(document)]
    lines = [Paragraph(name, (line,)) for name, line in document["submit"].items()]
    return [
        Paragraph("", ("Run",), "title"),
        *costs,
        Paragraph("files", tuple(document["files"])),
        Paragraph("command", (document["command"],)),
        Paragraph("", ("On a cluster, with a quarter more memory and twice the time",), "title"),
        *lines,
    ]
