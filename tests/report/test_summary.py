import copy
from typing import Any

from nextlmm.report.details import provenance
from nextlmm.report.summary import ESTIMATED, LABEL_WIDTH, plain_lines, summarise


def text(document: dict[str, Any]) -> str:
    return "\n".join(plain_lines(summarise(document)))


def words(document: dict[str, Any]) -> str:
    """The summary without its line breaks."""
    return " ".join(text(document).split())


def test_it_says_what_was_fitted_and_found(document: dict[str, Any]) -> None:
    shown = words(document)
    for phrase in (
        "height ~ 1 + sex + age + variant + g + e",
        "519 in the genotype file -> 513 analysed (left out: 6 without a value of height)",
        "5,000 in the genotype file -> 4,999 tested (without a result: 1 monomorphic)",
        "K compressed (HODLR), from 4,999 variants",
        "0.510 (standard error 0.083)",
        "95 % interval 0.345 to 0.668",
        "1.075",
        "1 locus at p < 1e-5 (0.05 / 4,999 tests)",
        "KL divergence 0.0830 (95 % interval 0.0780 to 0.0890) from the exact model",
        "KL divergence at most 0.0910 where variants are tested",
        "every -log10 p is within 0.041 of the exact model's",
        "h2 of the exact model 0.5110, here 0.5104",
        "1.20 MB instead of 2.11 MB (57 % of the exact matrix)",
        "out/run.height.tsv.gz",
        "nextlmm gwas --bfile cohort",
    ):
        assert phrase in shown


def test_it_is_ascii_and_fits_a_screen(document: dict[str, Any]) -> None:
    assert text(document).isascii()
    assert max(len(line) for line in text(document).splitlines()) <= 80


def test_names_keep_their_characters(document: dict[str, Any]) -> None:
    document["traits"] = {"größe": document["traits"]["height"]}
    assert "Trait größe" in text(document)


def test_warnings_come_first(document: dict[str, Any]) -> None:
    document["traits"]["height"]["warnings"] = ["the trait has two values only"]
    lines = text(document).splitlines()
    assert lines[3].split(maxsplit=1) == ["warning", "The trait has two values only."]


def test_a_boundary_estimate_is_explained(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait.update(h2=0.00001, h2_se=None, h2_interval=[0.0, 0.2], h2_boundary="lower")
    shown = text(document)
    assert "0.000  (at the lower end of its range)" in shown
    assert "standard error" not in shown


def test_haseman_elston_has_no_likelihood(document: dict[str, Any]) -> None:
    document["traits"]["height"].update(method="he")
    shown = text(document)
    assert "variance components by HE" in shown
    assert "0.345 to 0.668, from the standard error" in shown


def test_an_estimate_may_have_no_interval(document: dict[str, Any]) -> None:
    document["traits"]["height"].update(h2_interval=None)
    assert "95 % interval 0.345" not in text(document)


def test_dense_mode_approximates_nothing(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait.update(mode="dense", certificate={"kl": 0, "kl_how": "exact matrix"})
    shown = text(document)
    assert "K exact, from 4,999 variants" in shown
    assert "nothing was approximated" in shown


def test_a_lossless_compression_is_not_called_approximate(document: dict[str, Any]) -> None:
    certificate = document["traits"]["height"]["certificate"]
    certificate.update(kl=0.0, kl_interval=[-1e-13, 1e-13], kl_scan_max=1e-14)
    certificate.update(bytes=2_105_352, neg_log_10_p_error_max=1e-6)
    shown = words(document)
    assert "KL divergence 0 to rounding" in shown
    assert "where variants are tested" not in shown
    assert "within 0.001 of the exact model's" in shown
    assert "nothing could be compressed" in shown


def test_an_unbounded_test_is_said_to_be_so(document: dict[str, Any]) -> None:
    document["traits"]["height"]["certificate"]["neg_log_10_p_error_max"] = None
    assert "too coarse to bound a single test" in words(document)
    document["traits"]["height"]["certificate"]["neg_log_10_p_error_max"] = 26.31
    assert "further than 27 from the exact model's: too coarse" in words(document)


def test_the_advice_is_about_the_option_that_was_given(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait["certificate"]["neg_log_10_p_error_max"] = 26.31
    assert "too coarse for single tests; lower --kl-tolerance" in words(document)
    trait["budget"] = {"kl": None, "rank": 5}
    assert "too coarse for single tests; raise --rank" in words(document)


def test_a_matrix_that_did_not_compress_is_called_exact(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    leaf = {"level": 0, "nodes": 1, "leaves": 1, "rank_min": None, "rank_max": None}
    trait["certificate"]["ranks"] = [leaf | {"rows_max": 513}]
    assert "K exact (would not compress within KL 0.1), from" in words(document)
    trait["budget"] = {"kl": 0.01, "rank": 5}
    assert "K exact (would not compress within KL 0.01 at rank 5), from" in words(document)
    document["options"]["leaf_size"] = 600
    assert "K exact (too few samples to compress), from" in words(document)


def test_filtered_variants_are_told_from_those_without_a_result(document: dict[str, Any]) -> None:
    steps = document["traits"]["height"]["variants"]
    steps.update(selected=4900, tested=4899, excluded={"rare": 100})
    assert (
        "5,000 in the genotype file -> 4,900 in the table (left out: 100 rare) -> 4,899 tested "
        "(without a result: 1 monomorphic)"
    ) in words(document)
    steps.update(tested=4900, status={"ok": 4900})
    assert "5,000 in the genotype file -> 4,900 tested (left out: 100 rare)" in words(document)


def test_heritabilities_of_their_own_are_told(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait["own_h2"] = {"variants": 3, "h2_range": [0.41, 0.47], "p_below": 1e-5}
    assert (
        "3 hits (p < 1e-5) retested on the exact matrix, each at its own h2, 0.410 to 0.470"
    ) in words(document)
    trait["own_h2"] = {"variants": 0, "h2_range": None, "p_below": 1e-5}
    assert "no hit (p < 1e-5) to be retested" in words(document)
    trait["own_h2"] = {"variants": 4999, "h2_range": [0.41, 0.41], "p_below": None}
    assert "every variant tested at its own h2, 0.410" in words(document)
    trait["h2_by_chromosome"] = {"1": 0.45, "2": 0.52, "X": 0.5}
    assert "0.450 to 0.520 with a chromosome left out, each for the tests on it" in words(document)


def test_a_star_stands_before_what_is_only_suggestive(document: dict[str, Any]) -> None:
    starred = [
        line.split()[:2] for line in text(document).splitlines() if line.strip()[0:2] == "* "
    ]
    assert starred == [["*", "snp08_057"]]
    assert "1 suggestive locus at p < 2e-4 (1 / 4,999 tests), marked *" in words(document)


def test_no_locus(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait["top_hits"] = trait["top_hits"][1:]
    assert "no locus at p < 1e-5" in text(document)
    trait["top_hits"] = []
    assert "no locus at p < 1e-5" in text(document)


def test_several_traits_each_have_their_part(document: dict[str, Any]) -> None:
    document["traits"]["noise"] = copy.deepcopy(document["traits"]["height"])
    shown = text(document)
    assert shown.index("Trait height") < shown.index("Trait noise") < shown.index("\nRun\n")
    assert "2.3 s (null model 2.6 s" in shown


def test_labels_stand_in_one_column(document: dict[str, Any]) -> None:
    for line in text(document).splitlines():
        assert not line.startswith("  ") or line[LABEL_WIDTH + 1] == " "


def test_provenance__names_versions_and_hashes(document: dict[str, Any]) -> None:
    shown = "\n".join(plain_lines(provenance(document)))
    assert "numpy" in shown
    assert "ab" * 32 in shown
    assert "mode = hodlr" in shown


PRODUCTS: dict[str, Any] = {
    "kl": 0.0,
    "kl_how": "exact model, by products with the genotypes",
    "z_error_max": 4.12e-4,
    "iterations": 11,
    "relative_residual": 3.4e-6,
    "refined": 108,
    "chi2_error_refined": 9.9e-5,
    "chi2_error_predicted": 0.0231,
    "audited": 192,
    "audit_largest": 0.0091,
    "h2_monte_carlo_error": 0.00151,
    "h2_monte_carlo_share": 0.0441,
    "h2_probes": 32,
    "plan": {
        "route": "hodlr",
        "reason": "products with the genotypes are cheaper",
        "predicted_seconds": 449.0,
        "predicted_bytes": 6.2e8,
    },
}


def test_the_certificate_of_the_exact_model_by_products(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait.update(mode="exact", budget=None, certificate=dict(PRODUCTS))
    shown = words(document)
    for phrase in (
        "K exact, from",
        "every score within 0.00042 standard deviations (11 iterations, relative residual 3.4e-6)",
        "chi-square of 108 variants solved for, within 0.0099 %",
        "chi-square of the others predicted, within 2.4 % by an audit of 192 "
        "(largest error seen 0.91 %)",
        "h2 by Monte Carlo: error 0.0016, 0.045 of its standard error (32 probes)",
        "route hodlr: products with the genotypes are cheaper; expected 7 min 29 s and 620 MB",
    ):
        assert phrase in shown


def test_what_did_not_happen_is_not_mentioned(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    nothing = {"refined": 0, "chi2_error_predicted": None, "h2_monte_carlo_error": 0.0}
    nothing |= {"h2_monte_carlo_share": 0.0, "h2_probes": 0}
    trait.update(mode="exact", budget=None, certificate=PRODUCTS | nothing)
    shown = words(document)
    assert "solved for" not in shown
    assert "predicted" not in shown
    assert "Monte Carlo" not in shown


def test_dense_algebra_says_why_it_was_chosen(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    plan = PRODUCTS["plan"] | {"route": "dense", "reason": "a square matrix is cheaper here"}
    certificate = {"kl": 0, "kl_how": "exact matrix", "plan": plan}
    trait.update(mode="exact", budget=None, certificate=certificate)
    assert "nothing was approximated route dense: a square matrix is cheaper" in words(document)


COMPRESSED = {
    "kl": 2.5,
    "kl_interval": [2.4, 2.6],
    "kl_how": ESTIMATED,
    "neg_log_10_p_error_max": 3.0,
    "refined": 4,
    "audited": 54,
    "chi2_error_refined": 0.0021,
    "chi2_error_predicted": 0.163,
    "audit_largest": 0.052,
}
"""A certificate of the compressed model without its matrix."""


def test_a_divergence_that_was_estimated_advises_the_exact_mode(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait["certificate"].update(COMPRESSED)
    shown = words(document)
    assert (
        "KL divergence 2.50 (95 % interval 2.40 to 2.60) from the exact model (estimated" in shown
    )
    assert "too coarse for single tests; use --mode exact for that" in shown
    assert "exact chi-square of 58 variants solved for, within 0.21 %" in shown
    assert "that of the others predicted, within 17 % by an audit of 54 (largest error" in shown


def test_few_variants_are_all_solved_for(document: dict[str, Any]) -> None:
    trait = document["traits"]["height"]
    trait["certificate"].update(COMPRESSED | {"chi2_error_predicted": None, "refined": 0})
    shown = words(document)
    assert "exact chi-square of 54 variants solved for, within 0.21 %" in shown
    assert "predicted" not in shown
