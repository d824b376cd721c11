import copy
from typing import Any

from nextlmm.report.notebook import run_cards, trait_card


def test_trait_card__says_what_was_found(document: dict[str, Any]) -> None:
    facts = document["traits"]["height"] | {"warnings": ["the trait has two values only"]}
    html = trait_card("Trait <height>", facts)
    for text in (
        "Trait &lt;height&gt;",
        "The trait has two values only.",
        "0.5104 (standard error 0.083)",
        "0.345 to 0.668",
        "sigma_g2 25.31, sigma_e2 24.27",
        "-1700.200 (REML)",
        "1.075",
        "snp01_170",
        "1 suggestive locus at p &lt; 2e-4",
        "KL divergence 0.0830",
    ):
        assert text in html
    assert html.index("two values only") < html.index("0.5104")


def test_trait_card__a_bound_and_nothing_tested(document: dict[str, Any]) -> None:
    facts = document["traits"]["height"]
    facts |= {"h2_se": None, "h2_interval": None, "h2_boundary": "lower", "method": "ml"}
    facts |= {"lambda_gc": None, "top_hits": []}
    html = trait_card("height", facts)
    assert "0.5104 (at the lower end of its range)" in html
    assert "(ML)" in html
    assert "not defined" in html
    assert "No locus at p" in html


def test_run_cards__many_traits_are_rows(document: dict[str, Any]) -> None:
    document["files"] = {"document": "out/<run>.json"}
    facts = document["traits"]["height"]
    few = run_cards(document)
    assert "Trait height" in few
    assert "out/&lt;run&gt;.json" in few
    document["traits"] = {f"t{i}": copy.deepcopy(facts) for i in range(40)}
    document["traits"]["t3"]["warnings"] = ["the trait is odd"]
    many = run_cards(document)
    assert "Trait t1" not in many
    assert "t3: The trait is odd." in many
    assert many.count("<tr>") == 42
