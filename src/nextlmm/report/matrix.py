"""What the screen shows of matrices and components that were written, from the document alone."""

import textwrap
from collections.abc import Mapping
from typing import Any

from nextlmm.report.summary import LABEL_WIDTH, TEXT_WIDTH, Paragraph
from nextlmm.report.wording import count, duration, real_up, reasons

_SHOWN = 4


def describe_matrix(document: Mapping[str, Any]) -> list[Paragraph]:
    """Samples, variants and files, in reading order."""
    samples, variants = document["samples"], document["relationship_matrix"]
    weighting, own = document["options"]["grm_weighting"], document["matrices"]
    what = f"{count(samples['kept'], 'sample')}, {weighting} variants"
    if len(own) > 1 or own[0]["chromosome"] is not None:
        what += f"; {count(len(own), 'matrix', 'matrices')}, one for each chromosome"
    else:
        what += f"; mean diagonal {own[0]['mean_diagonal']:.6g}"
    files = document["files"]
    more = len(files) - _SHOWN
    shown = files if more <= 1 else [*files[:_SHOWN], f"and {more:,} more"]
    return [
        Paragraph("", (f"nextlmm {document['nextlmm']['version']}",), "title"),
        Paragraph("matrix", _lines(what)),
        Paragraph("samples", _lines(_step("kept", samples["kept"], samples))),
        Paragraph("variants", _lines(*_variants(variants))),
        Paragraph("files", tuple(shown)),
        Paragraph("time", (duration(document["seconds"]),)),
    ]


def _lines(*sentences: str) -> tuple[str, ...]:
    width = TEXT_WIDTH - LABEL_WIDTH
    return tuple(
        line for text in sentences for line in textwrap.wrap(text, width, break_on_hyphens=False)
    )


def _step(word: str, left: int, steps: Mapping[str, Any]) -> str:
    dropped = reasons(steps["excluded"])
    text = f"{steps['in_genotypes']:,} in the genotype file -> {left:,} {word}"
    return text + (f" (left out: {dropped})" if dropped else "")


def _variants(variants: Mapping[str, Any]) -> tuple[str, ...]:
    pruned = variants["pruned"]
    lines = [_step("selected", pruned["of"] if pruned else variants["selected"], variants)]
    if pruned:
        lines.append(f"{pruned['kept']:,} kept of {pruned['of']:,} by pruning: {pruned['rule']}")
    return (*lines, f"{variants['varying']:,} that vary make the matrix")


def describe_components(document: Mapping[str, Any]) -> list[Paragraph]:
    """Samples, variants, components with their certificate, and files, in reading order."""
    samples, found = document["samples"], document["components"]
    shares = ", ".join(f"{100 * share:.2g}" for share in found["shares"])
    what = f"{count(len(found['shares']), 'component')} of {count(samples['kept'], 'sample')}"
    certificate = (
        "residual |K v - lambda v| / lambda of each at most "
        f"{real_up(found['largest_residual'])} (asked for: {found['tolerance']:g}), in "
        f"{count(found['passes'], 'pass', 'passes')} over the genotypes"
    )
    return [
        Paragraph("", (f"nextlmm {document['nextlmm']['version']}",), "title"),
        Paragraph("components", _lines(what, f"% of the variance: {shares}")),
        Paragraph("certificate", _lines(certificate)),
        Paragraph("samples", _lines(_step("kept", samples["kept"], samples))),
        Paragraph("variants", _lines(*_variants(document["relationship_matrix"]))),
        Paragraph("files", tuple(document["files"])),
        Paragraph("time", (duration(document["seconds"]),)),
    ]
