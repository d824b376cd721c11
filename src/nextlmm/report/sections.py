"""The part of the page that belongs to one trait."""

from collections.abc import Mapping, Sequence
from typing import Any

from nextlmm.report.charts import (
    distribution_chart,
    profile_chart,
    relationship_chart,
    share_bar,
    summary_of,
)
from nextlmm.report.explain import explain_certificate
from nextlmm.report.markup import Child, Markup, element, table
from nextlmm.report.payload import regions_of
from nextlmm.report.summary import model_lines
from nextlmm.report.thresholds import describe_threshold
from nextlmm.report.waterfall import Step, sample_steps, variant_steps
from nextlmm.report.wording import count, real, sentence, shortened

_MOST_LEADS = 200
_ALLELE = 20
_STRENGTH = "\N{MINUS SIGN}log10 p"


def trait_section(
    at: int, name: str, document: Mapping[str, Any], payload: Mapping[str, Any] | None
) -> Markup:
    """Everything about the trait with number ``at``, whose plots are drawn from ``payload``."""
    facts = document["traits"][name]
    portrait = facts.get("portrait") or {}
    return element(
        "section",
        element("h2", name, id=f"trait-{at}"),
        _key_figures(facts),
        _scatter(at, facts, payload),
        _heritability(facts, portrait),
        _waterfall(facts, document),
        _leads(at, facts, portrait),
        _distributions(portrait, facts),
        _structure(at, portrait, facts),
        _model(name, facts, document),
        _certificate(facts),
        class_="trait",
        data_trait=at,
    )


def card(title: str, *children: Child, wide: bool = False, note: Child = None) -> Markup:
    """A titled box of the page."""
    return element(
        "article",
        element("h3", title),
        *children,
        None if note is None else element("p", note, class_="note"),
        class_="card wide-card" if wide else "card",
    )


def plot_place(kind: str, at: int, region: int | None = None, *, label: str) -> Markup:
    """Where the script draws a plot."""
    return element(
        "div",
        class_="draw",
        data_plot=kind,
        data_trait=at,
        data_region=region,
        data_label=label,
    )


def _key_figures(facts: Mapping[str, Any]) -> Markup:
    interval = facts.get("h2_interval")
    span = None if interval is None else f"95 % interval {interval[0]:.3f} to {interval[1]:.3f}"
    strong = [hit for hit in facts["top_hits"] if hit["genome_wide_significant"]]
    more = "+" if len(strong) == len(facts["top_hits"]) >= 10 else ""
    inflation = facts.get("lambda_gc")
    tested = facts["variants"]["tested"]
    figures = [
        ("samples", f"{facts['n']:,}", None),
        ("variants tested", f"{tested:,}", None),
        ("heritability h2", f"{facts['h2']:.3f}", span),
        (
            "inflation lambda",
            "not defined" if inflation is None else f"{inflation:.3f}",
            "median chi-square over its null value",
        ),
        ("loci", f"{len(strong)}{more}", f"p < {describe_threshold(tested)}"),
    ]
    return element(
        "dl",
        [
            element("div", element("dt", label), element("dd", value), _small(note))
            for label, value, note in figures
        ],
        class_="figures",
    )


def _small(note: str | None) -> Markup | None:
    return None if note is None else element("dd", note, class_="note")


def _scatter(at: int, facts: Mapping[str, Any], payload: Mapping[str, Any] | None) -> list[Markup]:
    """The Manhattan and the QQ plot, with inflation by allele frequency."""
    if payload is None:
        return [card("Manhattan plot", element("p", "No variant could be tested."), wide=True)]
    shown, tested = len(payload["id"]), payload["tested"]
    thinned = (
        "Every tested variant is drawn."
        if shown == tested
        else f"{shown:,} of {tested:,} variants are drawn: all of the strongest, and one for each "
        "spot of the picture among the others."
    )
    curves = payload["qq"]["curves"]
    whole = facts["lambda_gc"]
    rows = [
        [
            curve["name"],
            f"{curve['n']:,}",
            curve["lambda"] or ("" if whole is None else real(whole, 4)),
        ]
        for curve in curves
    ]
    return [
        card(
            "Manhattan plot",
            plot_place("manhattan", at, label="Manhattan plot"),
            wide=True,
            note=f"{thinned} The dashed line is p = {payload['threshold']}. Point at or tap a "
            "variant for its numbers; choose a chromosome to look closer.",
        ),
        card(
            "QQ plot",
            plot_place("qq", at, label="QQ plot"),
            table(["variants", "number", "lambda"], rows, numbers=(1, 2)),
            note="The band holds 95 % of the points of independent variants without any effect; LD "
            "makes it a little narrow. Lambda should be near 1 in every row; where it rises with "
            "the allele frequency, many small effects are a likely reason.",
        ),
    ]


def _heritability(facts: Mapping[str, Any], portrait: Mapping[str, Any]) -> Markup:
    chart = profile_chart(facts, portrait.get("profile") or ())
    error = facts.get("h2_se")
    rows: list[Sequence[Child]] = [
        ["h2", f"{facts['h2']:.4f}"],
        *([["standard error", f"{error:.4f}"]] if error is not None else ()),
    ]
    if facts.get("h2_interval") is not None:
        low, high = facts["h2_interval"]
        rows.append(["95 % interval", f"{low:.4f} to {high:.4f}"])
    rows += [
        ["sigma_g2", real(facts["sigma_g2"], 4)],
        ["sigma_e2", real(facts["sigma_e2"], 4)],
        ["log-likelihood", f"{facts['log_likelihood']:.3f}"],
    ]
    rows += [
        [f"h2 without {name}", f"{h2:.4f}"]
        for name, h2 in (facts.get("h2_by_chromosome") or {}).items()
    ]
    note = (
        "The curve is the log-likelihood below its maximum; dots are where it was computed, the "
        "shaded band is the 95 % interval, where it stays above the dashed line."
    )
    return card(
        "Heritability",
        chart,
        table(["quantity", "value"], rows, numbers=(1,)),
        note=None if chart is None else note,
    )


def _leads(at: int, facts: Mapping[str, Any], portrait: Mapping[str, Any]) -> list[Markup]:
    """The table of lead variants, from the clumps where there are any, and the regional plots."""
    leads = portrait.get("leads")
    hits = facts["top_hits"] if leads is None else leads
    if not hits:
        return [card("Lead variants", element("p", "No variant passes the threshold."), wide=True)]
    header = ["variant", "chr", "position", "effect / other", "freq", "beta", "se", _STRENGTH]
    clumped = leads is not None
    rows = [_lead_row(hit, clumped=clumped) for hit in hits[:_MOST_LEADS]]
    header += ["in its clump"] if clumped else ["in its locus"]
    found = card(
        "Independent lead variants" if clumped else "Lead variants",
        table(header, rows, numbers=(2, 4, 5, 6, 7, 8)),
        wide=True,
        note=_lead_note(hits, portrait if clumped else None),
    )
    return [found, *_regions(at, facts)]


def _lead_note(hits: Sequence[Any], portrait: Mapping[str, Any] | None) -> str:
    shown = "" if len(hits) <= _MOST_LEADS else f"The {_MOST_LEADS} strongest of {len(hits):,}. "
    starred = "* below the genome-wide threshold of significance, listed as suggestive."
    if portrait is None:
        return f"{shown}One variant for each locus. {starred}"
    limits = portrait["clumping"]
    cut = f" Only the {len(hits):,} strongest were looked for." if not limits["is_complete"] else ""
    return (
        f"{shown}Within a locus, a variant leads if its r2 with every stronger lead is below "
        f"{limits['r2']:g} in the analysed samples; a clump is what it takes along.{cut} {starred} "
        "The strongest loci are drawn below."
    )


def _lead_row(hit: Mapping[str, Any], *, clumped: bool) -> list[Child]:
    star = "" if hit["genome_wide_significant"] else " *"
    effect = shortened(str(hit["effect_allele"]), _ALLELE)
    other = hit.get("other_allele")
    frequency = hit["effect_allele_frequency"]
    return [
        f"{shortened(str(hit['variant_id']), 40)}{star}",
        shortened(str(hit["chromosome"]), 20),
        f"{hit['base_pair_location']:,}",
        effect if other is None else f"{effect} / {shortened(str(other), _ALLELE)}",
        "" if frequency is None else f"{frequency:.3f}",
        real(hit["beta"]),
        real(hit["standard_error"]),
        f"{hit['neg_log_10_p_value']:.2f}",
        f"{hit['clump_variants' if clumped else 'locus_variants']:,}",
    ]


def _regions(at: int, facts: Mapping[str, Any]) -> list[Markup]:
    found = []
    for number, region in enumerate(regions_of(facts)):
        lead = shortened(str(region["variant_id"]), 40)
        more = (
            f" The {len(region['rows']):,} strongest of {region['variants']:,} variants are drawn."
            if len(region["rows"]) < region["variants"]
            else ""
        )
        found.append(
            card(
                f"Around {lead}",
                plot_place("region", at, number, label=f"Around {lead}"),
                note=f"Colours are r2 with the lead in the analysed samples.{more}",
            )
        )
    return found


def _waterfall(facts: Mapping[str, Any], document: Mapping[str, Any]) -> Markup:
    return card(
        "From the files to the tests",
        _steps("samples", sample_steps(document, facts)),
        _steps("variants", variant_steps(document, facts)),
    )


def _steps(what: str, steps: Sequence[Step]) -> Markup:
    largest = max((step.number for step in steps), default=0) or 1
    rows = [
        [
            element("strong", step.label) if step.kind == "left" else f"less: {step.label}",
            f"{step.number:,}",
            share_bar(step.number / largest),
        ]
        for step in steps
    ]
    return table([what, "number", ""], rows, numbers=(1,))


def _distributions(portrait: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Markup]:
    entries = portrait.get("distributions") or ()
    charts = [
        card(
            f"{'Trait' if at == 0 else 'Covariate'} {shortened(entry['name'], 40)}",
            distribution_chart(entry),
            note=f"{summary_of(entry)}.",
        )
        for at, entry in enumerate(entries)
    ]
    effects = facts.get("covariate_effects") or ()
    if effects:
        rows = [
            [
                shortened(effect["covariate"], 60),
                real(effect["beta"]),
                real(effect["standard_error"]),
            ]
            for effect in effects
        ]
        header = ["fixed effect", "estimate", "standard error"]
        charts.append(card("Fixed effects", table(header, rows, numbers=(1, 2))))
    return charts


def _structure(at: int, portrait: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Markup]:
    structure = portrait.get("structure")
    if structure is None:
        return []
    if "same_as" in structure:
        same = f"As for {structure['same_as']}, whose samples are the same."
        return [card("Components and relationships", element("p", same))]
    found = []
    if structure["components"]:
        found.append(
            card(
                "Principal components",
                plot_place("components", at, label="Principal components"),
                note=_component_note(structure),
            )
        )
    found.append(
        card("Relationships", relationship_chart(structure), note=_structure_note(structure, facts))
    )
    return found


def _component_note(structure: Mapping[str, Any]) -> str:
    shown, n = len(structure["components"][0]), structure["n"]
    which = "all samples" if shown == n else f"{shown:,} of the {n:,} samples, evenly chosen,"
    values = ", ".join(f"{100 * share:.1f}\N{NO-BREAK SPACE}%" for share in structure["shares"])
    return (
        f"Dots are {which} in the first two components of the relationship matrix, coloured by "
        "their places in the picture of relationships. The first components hold "
        f"{values} of the variance of the genotypes."
    )


def _structure_note(structure: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    text = (
        "Samples stand in the order in which relatives and populations are neighbours, the same "
        f"down and across; {structure['n']:,} samples in {len(structure['cells']):,} stretches, "
        "each cell the mean relationship between two of them, a sample with itself left out."
    )
    if any(rank is not None for *_, rank in structure["blocks"]):
        what = "compressed matrix" if facts["mode"] == "hodlr" else "preconditioner"
        text += (
            f" Frames are the blocks of the {what}; a number is the rank by which the block and "
            "its mirror image are kept."
        )
    else:
        text += " Frames are how the order was cut; the matrix itself was not compressed."
    return text


def _model(name: str, facts: Mapping[str, Any], document: Mapping[str, Any]) -> Markup:
    lines = model_lines(name, facts, document)
    return card("Model", element("ul", [element("li", line) for line in lines]))


def _certificate(facts: Mapping[str, Any]) -> Markup:
    what, *details = explain_certificate(facts)
    levels = facts["certificate"].get("ranks") or ()
    rows = [
        [
            str(level["level"]),
            f"{level['nodes']:,}",
            f"{level['rows_max']:,}",
            _ranks(level["rank_min"], level["rank_max"]),
        ]
        for level in levels
    ]
    return card(
        "How close to the exact model",
        element("p", what),
        element("ul", [element("li", line) for line in details]),
        table(["level", "blocks", "samples", "rank"], rows, numbers=(0, 1, 2, 3)) if rows else None,
        wide=True,
    )


def _ranks(low: int | None, high: int | None) -> str:
    if high is None:
        return "leaf"
    return str(high) if low == high else f"{low} to {high}"


def warning_items(document: Mapping[str, Any]) -> list[Markup]:
    """Every warning of a run, those of several traits under their names."""
    traits = document["traits"]
    return [
        element(
            "li",
            element("strong", f"{name}: ") if len(traits) > 1 else None,
            sentence(text, [name]),
        )
        for name, facts in traits.items()
        for text in facts.get("warnings") or ()
    ]


def warning_heading(number: int) -> str:
    """How many warnings there are, in words."""
    return count(number, "warning") if number else "No warnings"
