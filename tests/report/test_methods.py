import re
from pathlib import Path
from typing import Any

import pytest

from nextlmm.report.explain import explain_certificate
from nextlmm.report.methods import NEAR_EXACT, bibtex, methods_paragraph, references
from nextlmm.report.summary import EXACT, PRODUCTS
from nextlmm.report.waterfall import sample_steps, variant_steps

SOLVED = {
    "kl_how": PRODUCTS,
    "z_error_max": 0.0009,
    "iterations": 15,
    "relative_residual": 1e-7,
    "refined": 3,
    "chi2_error_refined": 1e-6,
    "chi2_error_predicted": 0.02,
    "audited": 96,
    "audit_largest": 0.01,
    "h2_probes": 0,
    "neg_log_10_p_error_max": 0.5,
}


def test_methods_paragraph__says_what_was_done(document: dict[str, Any]) -> None:
    text = methods_paragraph("height", document["traits"]["height"], document)
    for words in (
        "4,999 variants",
        "513 samples",
        "sex, age",
        "leaving out the chromosome",
        "0.510 (95 % interval 0.345 to 0.668)",
        "Wald test",
        "1.075",
        "1 locus passed",
        "HODLR",
        "by more than 0.041",
    ):
        assert words in text
    assert "intercept," not in text


def test_methods_paragraph__says_what_was_filtered(document: dict[str, Any]) -> None:
    document["options"] |= {"maf": 0.01, "hwe": 1e-6, "max_missing": 0.05, "mac": 20.0}
    text = methods_paragraph("height", document["traits"]["height"], document)
    assert "minor allele frequency of at least 0.01" in text
    assert "at most 5 % of samples" in text
    assert "Hardy-Weinberg p of at least 1e-6" in text
    assert "at least 20 copies" in text


@pytest.mark.parametrize(
    ("certificate", "words"),
    [({"kl_how": EXACT}, "without approximation"), (SOLVED, "within 0.00090 standard deviations")],
)
def test_methods_paragraph__says_how_exact_it_is(
    document: dict[str, Any], certificate: dict[str, Any], words: str
) -> None:
    facts = document["traits"]["height"] | {"certificate": certificate, "loco": False}
    text = methods_paragraph("height", facts, document)
    assert words in text
    assert "leaving out" not in text


def test_bibtex__has_every_work_that_the_paragraph_cites(document: dict[str, Any]) -> None:
    for method in ("reml", "he"):
        facts = document["traits"]["height"]
        facts["method"] = method
        works = references(document)
        entries = bibtex(works)
        assert entries.count("@") == len(works)
        assert entries.count("{") == entries.count("}")
        text = methods_paragraph("height", facts, document)
        cited = re.findall(r"\(([^()]*?(?:19|20)\d\d)\)", text)
        assert set(cited) <= {work.cited for work in works}
        assert len(cited) >= 4


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ({"kl_how": EXACT}, "nothing to certify but rounding"),
        (SOLVED, "audited on variants drawn at random"),
        (SOLVED | {"neg_log_10_p_error_max": None}, "no upper end"),
    ],
)
def test_explain_certificate__names_the_kind(
    document: dict[str, Any], certificate: dict[str, Any], words: str
) -> None:
    facts = document["traits"]["height"] | {"certificate": certificate, "budget": None}
    assert words in " ".join(explain_certificate(facts))


def test_explain_certificate__of_a_compressed_matrix(document: dict[str, Any]) -> None:
    text = " ".join(explain_certificate(document["traits"]["height"]))
    assert "HODLR" in text
    assert "widest is 0.041 to a side" in text
    assert "factor of 1.1" in text


def test_steps__lead_from_all_to_those_left(document: dict[str, Any]) -> None:
    document["samples"] = {"in_genotypes": 530, "kept": 519, "excluded": {"in the remove list": 11}}
    facts = document["traits"]["height"]
    for steps in (sample_steps(document, facts), variant_steps(document, facts)):
        left = steps[0].number
        for step in steps[1:]:
            if step.kind == "left":
                assert step.number == left
            else:
                left -= step.number
    assert [step.number for step in sample_steps(document, facts)] == [530, 11, 519, 6, 513]


def test_bibtex__has_the_paper_that_the_citation_file_has() -> None:
    text = (Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8")
    entry = NEAR_EXACT.bibtex()
    for field in ("title", "url"):
        assert f"{field}: {NEAR_EXACT.fields[field]}" in text
    families = re.findall(r"family-names: (\w+)\n\s+given-names: (\w+)", text)
    assert " and ".join(", ".join(name) for name in families) in entry
