"""What a notebook shows of the results of a trait: a card, warnings first."""

from collections.abc import Mapping, Sequence
from typing import Any

from nextlmm.lmm.described import null_rows
from nextlmm.notebook import card, grid, listing
from nextlmm.report.hit_rows import HEADER, hit_cells, loci_lines
from nextlmm.report.null_model import accuracy_lines, prediction_lines
from nextlmm.report.summary import certificate_lines
from nextlmm.report.wording import duration, sentence, shortened

_MOST_CARDS, _MOST_LOCI = 3, 5
_NUMBERS = (2, 4, 5, 6, 7)


def trait_card(title: str, facts: Mapping[str, Any]) -> str:
    """The card of one trait as HTML.

    Parameters
    ----------
    title : its heading.
    facts : its entry in the result document, or a mapping with what of that is shown: n,
        n_covariates, method, h2, h2_se, h2_interval, h2_boundary, sigma_g2, sigma_e2,
        log_likelihood, lambda_gc, variants (tested), top_hits, certificate, budget and warnings.
    """
    inflation, tested = facts["lambda_gc"], facts["variants"]["tested"]
    rows = [
        *null_rows(facts),
        ("variants tested", f"{tested:,}"),
        ("inflation lambda", "not defined" if inflation is None else f"{inflation:.3f}"),
    ]
    certificate = certificate_lines(facts["certificate"], facts["budget"])
    return card(
        title,
        rows,
        _loci(facts["top_hits"], tested),
        listing("How close to the exact model", [sentence(line) for line in certificate]),
        warnings=[sentence(text) for text in facts.get("warnings") or ()],
    )


def _loci(hits: Sequence[Mapping[str, Any]], tested: int) -> str:
    """The strongest loci, as the summary on the screen lists them."""
    shown = hits[:_MOST_LOCI]
    heading = "; ".join(loci_lines(hits, tested))
    if len(shown) < len(hits):
        heading += f"; the {len(shown)} strongest:"
    rows = [_starred(hit) for hit in shown]
    return grid(HEADER, rows, numbers=_NUMBERS, heading=sentence(heading))


def _starred(hit: Mapping[str, Any]) -> tuple[str, ...]:
    name, *others = hit_cells(hit)
    return (name if hit["genome_wide_significant"] else f"{name} *", *others)


def run_cards(document: Mapping[str, Any]) -> str:
    """All of a run as HTML: a card for each trait, or a row where there are many, and the files."""
    traits = document["traits"]
    if len(traits) > _MOST_CARDS:
        cards = [_overview(traits)]
    else:
        cards = [trait_card(f"Trait {name}", facts) for name, facts in traits.items()]
    return "".join([*cards, _files(document)])


def null_cards(document: Mapping[str, Any]) -> str:
    """Null models as HTML: a card for each trait, or a row where there are many, and the files."""
    traits = document["traits"]
    if len(traits) > _MOST_CARDS:
        cards = [_overview(traits)]
    else:
        cards = [_null_card(f"Trait {name}", facts) for name, facts in traits.items()]
    return "".join([*cards, _files(document)])


def _null_card(title: str, facts: Mapping[str, Any]) -> str:
    parts = {"How well it is known": accuracy_lines(facts["certificate"])}
    if "prediction" in facts:
        parts["Predictions"] = prediction_lines(facts["prediction"])
    return card(
        title,
        null_rows(facts),
        *(listing(name, map(sentence, lines)) for name, lines in parts.items()),
        warnings=[sentence(text) for text in facts.get("warnings") or ()],
    )


def _files(document: Mapping[str, Any]) -> str:
    files = [(kind, str(path)) for kind, path in document["files"].items()]
    return card(f"Files, after {duration(document['seconds'])}", files)


def _overview(traits: Mapping[str, Mapping[str, Any]]) -> str:
    """One row for each trait."""
    tested = all("top_hits" in facts for facts in traits.values())
    header = ("trait", "samples", "h2", "standard error", *(("lambda", "loci") if tested else ()))
    rows = [
        (
            shortened(name, 40),
            f"{facts['n']:,}",
            f"{facts['h2']:.4f}",
            "" if facts["h2_se"] is None else f"{facts['h2_se']:.3f}",
            *(_found(facts) if tested else ()),
        )
        for name, facts in traits.items()
    ]
    warnings = [
        f"{name}: {sentence(text, [name])}"
        for name, facts in traits.items()
        for text in facts.get("warnings") or ()
    ]
    more = grid(header, rows, numbers=(1, 2, 3, 4, 5))
    return card(f"{len(traits):,} traits", (), more, warnings=warnings)


def _found(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Inflation and the number of loci."""
    inflation = facts["lambda_gc"]
    loci = sum(hit["genome_wide_significant"] for hit in facts["top_hits"])
    return "" if inflation is None else f"{inflation:.3f}", str(loci)
