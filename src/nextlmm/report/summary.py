"""The summary of a run: what the screen shows and the log keeps, from the result document alone."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nextlmm.report.covariates import covariate_terms, fitted_columns, references
from nextlmm.report.hit_rows import hit_rows, loci_lines
from nextlmm.report.null_model import accuracy_lines, prediction_lines, related_lines
from nextlmm.report.wording import (
    count,
    duration,
    exponent,
    interval_bar,
    real,
    real_up,
    reasons,
    sentence,
    shortened,
    size,
)

LABEL_WIDTH = 13
TEXT_WIDTH = 76
EXACT = "exact matrix"
"""What a certificate says of how its divergence is known where there is none."""

PRODUCTS = "exact model, by products with the genotypes"
"""The same where the exact model was solved for without its matrix."""

ESTIMATED = "estimated with random vectors and exact products"
"""The same where the divergence was measured without the matrix."""

_ROUNDING = 1e-9
_NAMES = 4  # of samples left out for one reason
_TESTS = {"wald": "Wald", "score": "score", "lrt": "likelihood-ratio"}

Kind = Literal["title", "fact", "warning", "strong", "weak"]


@dataclass(frozen=True)
class Paragraph:
    """A label in the margin and the lines beside it.

    ``kind`` is what the lines are, not how they look: ``title`` opens a trait, ``warning`` asks for
    attention, ``strong`` and ``weak`` are rows of loci beyond and below the genome-wide threshold.
    """

    label: str
    lines: tuple[str, ...]
    kind: Kind = "fact"


def summarise(document: Mapping[str, Any]) -> list[Paragraph]:
    """Everything a person wants to know of a run before opening a file, in reading order."""
    paragraphs = [Paragraph("", (f"nextlmm {document['nextlmm']['version']}",), "title")]
    for name, trait in document["traits"].items():
        paragraphs += _trait(name, trait, document)
    return [*paragraphs, *_closing(document)]


def plain_lines(paragraphs: Iterable[Paragraph]) -> list[str]:
    """The summary as text lines in ASCII (names keep their own characters)."""
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph.kind == "title":
            lines += ["", *paragraph.lines] if lines else [*paragraph.lines]
            continue
        labels = [paragraph.label] + [""] * (len(paragraph.lines) - 1)
        lines += [
            f"  {label:<{LABEL_WIDTH}}{text}".rstrip()
            for label, text in zip(labels, paragraph.lines, strict=True)
        ]
    return lines


def _trait(name: str, trait: Mapping[str, Any], document: Mapping[str, Any]) -> list[Paragraph]:
    warnings = [
        Paragraph("warning", wrapped(sentence(text, [name])), "warning")
        for text in trait.get("warnings") or ()
    ]
    tested = "test" in trait
    variants = _variants(trait, document) if tested else related_lines(trait)
    return [
        Paragraph("", (f"Trait {name}",), "title"),
        *warnings,
        Paragraph("model", wrapped(*model_lines(name, trait, document))),
        Paragraph("samples", wrapped(*sample_lines(trait, document))),
        Paragraph("variants", wrapped(*variants)),
        Paragraph("h2", _heritability(trait)),
        *(_tests(trait) if tested else _fit(trait)),
    ]


def _tests(trait: Mapping[str, Any]) -> list[Paragraph]:
    lines = certificate_lines(trait["certificate"], trait["budget"])
    return [
        Paragraph("lambda", wrapped(_inflation(trait))),
        *_loci(trait),
        Paragraph("certificate", wrapped(*lines)),
    ]


def _fit(trait: Mapping[str, Any]) -> list[Paragraph]:
    """What there is to say of a null model alone, and of what it predicts."""
    accuracy = Paragraph("accuracy", wrapped(*accuracy_lines(trait["certificate"])))
    if "prediction" not in trait:
        return [accuracy]
    return [accuracy, Paragraph("prediction", wrapped(*prediction_lines(trait["prediction"])))]


def wrapped(*sentences: str) -> tuple[str, ...]:
    """The sentences, each from a new line, in lines that fit beside the labels."""
    width = TEXT_WIDTH - LABEL_WIDTH
    return tuple(
        line
        for text in sentences
        for line in textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
    )


def model_lines(name: str, trait: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """The model of a trait: what is fixed, what is random, and how variants are tested."""
    tested = "test" in trait
    fixed = " + ".join(["1", *covariate_terms(trait), *(["variant"] if tested else [])])
    name = f"rank_normal({name})" if trait.get("rank_normal") else name
    source = _matrix_source(trait, document["options"])
    loco = ""
    if tested:
        loco = ", leaving out the tested chromosome (LOCO)" if trait["loco"] else ", no LOCO"
    test = f"{_TESTS[trait['test']]} test; " if tested else ""
    return [
        f"{name} ~ {fixed} + g + e",
        *fitted_columns(trait),
        *references(trait),
        "g ~ N(0, sigma_g2 K), e ~ N(0, sigma_e2 I)",
        f"K {_matrix(trait, document)}, {source}{loco}",
        f"{test}variance components by {trait['method'].upper()}",
        *_own_h2(trait.get("own_h2")),
    ]


def _matrix_source(trait: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """What the relationship matrix was made of."""
    matrix = trait.get("relationship_matrix") or {}
    if options.get("pedigree"):
        return f"given by the pedigree {options['pedigree']}"
    if options.get("grm"):
        names = ", ".join(matrix.get("chromosomes") or ())
        return f"given by {options['grm']}" + (f" (chromosomes {names})" if names else "")
    source = f"from {count(trait['variants']['in_relationship_matrix'], 'variant')}"
    if options.get("grm_bfile"):
        source += f" of {options['grm_bfile']}"
    pruned = matrix.get("pruned")
    if pruned:
        source += f" ({pruned['kept']:,} kept of {pruned['of']:,} by pruning: {pruned['rule']})"
    return source


def _matrix(trait: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """What the matrix is in the end, which may be exact though a compression was asked for."""
    if trait["mode"] != "hodlr":
        return "exact"
    levels, budget = trait["certificate"].get("ranks", []), trait["budget"]
    if len(levels) != 1 or levels[0]["rank_max"] is not None:
        return "compressed (HODLR)"
    if trait["n"] <= document["options"].get("leaf_size", 0):
        return "exact (too few samples to compress)"
    limits = [] if budget["kl"] is None else [f"within KL {budget['kl']:g}"]
    limits += [] if budget["rank"] is None else [f"at rank {budget['rank']}"]
    return f"exact (would not compress {' '.join(limits)})"


def _own_h2(own: Mapping[str, Any] | None) -> list[str]:
    """Which variants were not tested at the shared h2."""
    if own is None:
        return []
    span = "" if own["h2_range"] is None else f", {_span(*own['h2_range'])}"
    if own["p_below"] is None:
        return [f"every variant tested at its own h2{span}"]
    below = f"p < {exponent(own['p_below'])}"
    if not own["variants"]:
        return [f"no hit ({below}) to be retested at its own h2"]
    hits = f"{count(own['variants'], 'hit')} ({below})"
    return [f"{hits} retested on the exact matrix, each at its own h2{span}"]


def _span(low: float, high: float) -> str:
    """A range of heritabilities: 0.412 to 0.470, or one number where the two look the same."""
    ends = (f"{low:.3f}", f"{high:.3f}")
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def sample_lines(trait: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """How many samples are left by every step, and the first of those left out."""
    steps = document["samples"]
    lines = [f"{steps['in_genotypes']:,} in the genotype file"]
    dropped = reasons(steps["excluded"])
    if dropped:
        lines.append(f"{steps['kept']:,} kept (left out: {dropped})")
    dropped = reasons(trait["samples"]["excluded"])
    lines.append(f"{trait['n']:,} analysed" + (f" (left out: {dropped})" if dropped else ""))
    names = trait["samples"].get("excluded_first_ids") or {}
    return [" -> ".join(lines), *_left_out(trait["samples"]["excluded"], names)]


def _left_out(counts: Mapping[str, int], names: Mapping[str, Sequence[str]]) -> list[str]:
    """The first of the samples that were left out, for each reason."""
    lines = []
    for reason, ids in names.items():
        shown = [shortened(name, 24) for name in ids[:_NAMES]]
        more = counts[reason] - len(shown)
        lines.append(f"{reason}: {', '.join(shown)}" + (f" and {more:,} more" if more else ""))
    return lines


def _variants(trait: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    steps = trait["variants"]
    dropped = reasons({**document["variants"]["excluded"], **steps["excluded"]})
    untested = reasons({k: v for k, v in steps["status"].items() if k != "ok"})
    text = f"{document['variants']['in_genotypes']:,} in the genotype file"
    if untested and dropped:
        text += f" -> {steps['selected']:,} in the table (left out: {dropped})"
    left = f"without a result: {untested}" if untested else f"left out: {dropped}"
    return [f"{text} -> {steps['tested']:,} tested" + (f" ({left})" if untested or dropped else "")]


def _heritability(trait: Mapping[str, Any]) -> tuple[str, ...]:
    estimate, interval, error = trait["h2"], trait.get("h2_interval"), trait.get("h2_se")
    notes = [] if error is None else [f"standard error {error:.3f}"]
    if trait.get("h2_boundary") is not None:
        notes.append(f"at the {trait['h2_boundary']} end of its range")
    lines = [f"{estimate:.3f}" + (f"  ({'; '.join(notes)})" if notes else "")]
    if interval is not None:
        low, high = interval
        how = "from the standard error" if trait["method"] == "he" else "by profile likelihood"
        lines.append(f"95 % interval {low:.3f} to {high:.3f}, {how}")
        lines.append(interval_bar(estimate, (low, high)))
    by_chromosome = (trait.get("h2_by_chromosome") or {}).values()
    if by_chromosome:
        lines += wrapped(
            f"{_span(min(by_chromosome), max(by_chromosome))} with a chromosome left out, "
            "each for the tests on it"
        )
    lines.append(f"sigma_g2 {real(trait['sigma_g2'], 4)}, sigma_e2 {real(trait['sigma_e2'], 4)}")
    return tuple(lines)


def _inflation(trait: Mapping[str, Any]) -> str:
    value = trait.get("lambda_gc")
    return (
        "not defined" if value is None else f"{value:.3f}  (median chi-square over its null value)"
    )


def _loci(trait: Mapping[str, Any]) -> list[Paragraph]:
    hits = trait["top_hits"]
    heading = Paragraph("loci", wrapped(*loci_lines(hits, trait["variants"]["tested"])))
    if not hits:
        return [heading]
    header, *rows = hit_rows(hits)
    return [heading, Paragraph("", (header,)), *map(_locus, hits, rows)]


def _locus(hit: Mapping[str, Any], row: str) -> Paragraph:
    """A row of loci; a star before it where it is not genome-wide significant."""
    if hit["genome_wide_significant"]:
        return Paragraph("", (row,), "strong")
    return Paragraph("*".rjust(LABEL_WIDTH - 1), (row,), "weak")


def certificate_lines(
    certificate: Mapping[str, Any], budget: Mapping[str, Any] | None
) -> list[str]:
    """What the approximation cost, in words; every figure is one that the run measured."""
    if certificate["kl_how"] == EXACT:
        return ["exact matrix: nothing was approximated", *_plan(certificate)]
    if certificate["kl_how"] == PRODUCTS:
        return [*_solved(certificate), *_plan(certificate)]
    lines = [f"{_divergence(certificate)} from the exact model ({certificate['kl_how']})"]
    scan = certificate.get("kl_scan_max")
    if scan is not None and scan > max(certificate["kl"], _ROUNDING):
        lines.append(f"KL divergence at most {real(scan)} where variants are tested")
    if "neg_log_10_p_error_max" in certificate:
        finer = "raise --rank" if (budget or {}).get("rank") is not None else "lower --kl-tolerance"
        if certificate["kl_how"] == ESTIMATED:
            finer = "use --mode exact"
        lines.append(_bound(certificate["neg_log_10_p_error_max"], finer))
    if certificate["kl_how"] == ESTIMATED:
        lines += _audited(certificate)
    if certificate.get("h2_exact") is not None:
        lines.append(
            f"h2 of the exact model {certificate['h2_exact']:.4f}, "
            f"here {certificate['h2_exact'] + certificate['h2_error']:.4f}"
        )
    return [*lines, _storage(certificate["bytes"], certificate["bytes_dense"])]


def _solved(certificate: Mapping[str, Any]) -> list[str]:
    """What is certain of a run that solved for the exact model without its matrix."""
    lines = [
        f"exact model: every score within {real_up(certificate['z_error_max'])} standard "
        f"deviations ({count(certificate['iterations'], 'iteration')}, relative residual "
        f"{exponent(certificate['relative_residual'])})"
    ]
    if certificate["refined"]:
        lines.append(
            f"chi-square of {count(certificate['refined'], 'variant')} solved for, within "
            f"{_percent(certificate['chi2_error_refined'])}"
        )
    if certificate["chi2_error_predicted"] is not None:
        lines.append(
            "chi-square of the others predicted, within "
            f"{_percent(certificate['chi2_error_predicted'])} by an audit of "
            f"{certificate['audited']:,} (largest error seen "
            f"{_percent(certificate['audit_largest'])})"
        )
    if certificate["h2_probes"]:
        probes = count(certificate["h2_probes"], "probe")
        lines.append(
            f"h2 by Monte Carlo: error {real_up(certificate['h2_monte_carlo_error'])}, "
            f"{real_up(certificate['h2_monte_carlo_share'])} of its standard error ({probes})"
        )
    return lines


def _audited(certificate: Mapping[str, Any]) -> list[str]:
    """What a run of the compressed model knows of the exact chi-squares."""
    solved = (
        f"exact chi-square of {count(certificate['refined'] + certificate['audited'], 'variant')} "
        f"solved for, within {_percent(certificate['chi2_error_refined'])}"
    )
    if certificate["chi2_error_predicted"] is None:
        return [solved]
    return [
        solved,
        "that of the others predicted, within "
        f"{_percent(certificate['chi2_error_predicted'])} by an audit of "
        f"{certificate['audited']:,} (largest error seen {_percent(certificate['audit_largest'])})",
    ]


def _plan(certificate: Mapping[str, Any]) -> list[str]:
    """Which route a run of the exact model took, and why."""
    plan = certificate.get("plan")
    if plan is None:
        return []
    expected = f"{duration(plan['predicted_seconds'])} and {size(round(plan['predicted_bytes']))}"
    return [f"route {plan['route']}: {plan['reason']}; expected {expected}"]


def _percent(share: float) -> str:
    return f"{real_up(100.0 * share)} %"


def _divergence(certificate: Mapping[str, Any]) -> str:
    """The divergence with its interval, unless that is only rounding."""
    kl, (low, high) = certificate["kl"], certificate["kl_interval"]
    if max(abs(kl), abs(high)) < _ROUNDING:
        return "KL divergence 0 to rounding"
    if high - low < 1e-3 * kl:
        return f"KL divergence {real(kl)}"
    return f"KL divergence {real(kl)} (95 % interval {real(low)} to {real(high)})"


def _bound(log_p_error: float | None, finer: str) -> str:
    if log_p_error is None:
        return f"too coarse to bound a single test; {finer} for that"
    if log_p_error > 1:
        return (
            f"no -log10 p is further than {real_up(log_p_error)} from the exact model's: too "
            f"coarse for single tests; {finer} for that"
        )
    if log_p_error < 5e-4:
        return "every -log10 p is within 0.001 of the exact model's"
    return f"every -log10 p is within {real_up(log_p_error)} of the exact model's"


def _storage(n_bytes: int, n_bytes_dense: int) -> str:
    if n_bytes >= n_bytes_dense:
        return f"{size(n_bytes)}, as much as the exact matrix: nothing could be compressed"
    share = f"{100 * n_bytes / n_bytes_dense:.0f} %"
    return f"{size(n_bytes)} instead of {size(n_bytes_dense)} ({share} of the exact matrix)"


def _closing(document: Mapping[str, Any]) -> list[Paragraph]:
    """Time and files of the whole run."""
    stages: dict[str, float] = {}
    for trait in document["traits"].values():
        for stage, seconds in trait["timings"].items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    longest = sorted(stages.items(), key=lambda item: -item[1])[:4]
    parts = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in longest)
    total = document.get("seconds", sum(stages.values()))
    files = [
        path for trait in document["traits"].values() for path in trait.get("files", {}).values()
    ]
    files += list(document.get("files", {}).values())
    closing = [
        Paragraph("", ("Run",), "title"),
        Paragraph("time", wrapped(duration(total) + (f" ({parts})" if parts else ""))),
    ]
    closing += [
        Paragraph("advice", wrapped(sentence(text))) for text in document.get("advice") or ()
    ]
    closing += _checkpoint(document.get("checkpoint") or {})
    if files:
        closing.append(Paragraph("files", tuple(str(path) for path in files)))
    return [*closing, Paragraph("again", (document["command"],))]


def _checkpoint(found: Mapping[str, Any]) -> list[Paragraph]:
    """What a run had from one that was stopped before it, and what it could not keep itself."""
    paragraphs = []
    if "resumed" in found:
        text = f"{', '.join(found['resumed'])}: found before this run began"
        paragraphs.append(Paragraph("resumed", wrapped(text)))
    if "trouble" in found:
        text = (
            f"the checkpoint could not be written ({found['trouble']}): had this run been stopped "
            "after that, it could not have gone on from there"
        )
        paragraphs.append(Paragraph("warning", wrapped(sentence(text)), "warning"))
    return paragraphs
