"""What a check of the inputs of a run has found, in words."""

import shlex
from collections.abc import Mapping
from typing import Any

from nextlmm.report.forecast import cost_lines
from nextlmm.report.summary import Paragraph, wrapped
from nextlmm.report.wording import count, sentence


def describe_check(document: Mapping[str, Any]) -> list[Paragraph]:
    """Errors, then warnings, then what a run would be like, then the verdict."""
    errors, warnings, plan = document["errors"], document["warnings"], document["plan"]
    typed = shlex.split(document["command"])  # whose words keep their letters
    found = [
        Paragraph(label, wrapped(sentence(text, typed)), "warning")
        for label, texts in (("error", errors), ("warning", warnings))
        for text in texts
    ]
    verdict = f"{count(len(errors), 'error')} and {count(len(warnings), 'warning')}"
    if errors:
        verdict += ": the run would be refused."
    else:
        verdict += ": the run can begin."
    return [
        Paragraph("", ("Check of the inputs; nothing was run",), "title"),
        *found,
        *([] if plan is None else _planned(plan)),
        Paragraph("", (verdict,), "title"),
        Paragraph("command", (document["command"],)),
    ]


def _planned(plan: Mapping[str, Any]) -> list[Paragraph]:
    """What would be done, shorter than the plan itself says it."""
    lines = []
    for name, trait in plan["traits"].items():
        counts = trait["variants"]
        near = "" if counts["looked_at"] is None else "about "
        lines.append(
            f"{name}: {count(trait['n'], 'sample')}, {near}{counts['selected']:,} variants, "
            f"{count(len(trait['covariates']) - 1, 'covariate')}, route {trait['route']}"
        )
    costs = [Paragraph(label, wrapped(text)) for label, text in cost_lines(plan)]
    return [Paragraph("traits", wrapped(*lines)), *costs]
