"""The certificate of a run for readers who have not met it."""

from collections.abc import Mapping
from typing import Any

from nextlmm.report.summary import ESTIMATED, EXACT, PRODUCTS, certificate_lines
from nextlmm.report.wording import real_up, sentence

_WHAT = (
    "A mixed model with many samples is usually approximated, and the reader is left to trust the "
    "approximation. The certificate says instead how far the numbers of this run can be from those "
    "of the exact model, as the run itself measured it."
)


def explain_certificate(facts: Mapping[str, Any]) -> list[str]:
    """Sentences about the certificate of a trait, from its entry in the result document.

    The first ones say what kind of certificate it is and what follows from it, the others state
    its figures.
    """
    certificate = facts["certificate"]
    return [
        _WHAT,
        _kind(certificate),
        *_consequence(certificate),
        *(sentence(line) for line in certificate_lines(certificate, facts["budget"])),
    ]


def _kind(certificate: Mapping[str, Any]) -> str:
    how = certificate["kl_how"]
    if how == EXACT:
        return (
            "This run used the full relationship matrix in double precision. There is nothing to "
            "certify but rounding: every p-value is that of the exact model."
        )
    if how == PRODUCTS:
        return (
            "This run solved the exact model without storing its matrix. Each solution was "
            "iterated until its residual, computed from the genotypes themselves, proved the error "
            "small; variances of variants that are no hits were predicted, and the prediction was "
            "audited on variants drawn at random."
        )
    measured = (
        "with random vectors and exact products"
        if how == ESTIMATED
        else "against a factor of the exact matrix"
    )
    return (
        "This run compressed the relationship matrix into a hierarchy of blocks of low rank "
        f"(HODLR). The distance between the two models was measured {measured}, as a "
        "Kullback-Leibler divergence: the expected difference of their log-likelihoods."
    )


def _consequence(certificate: Mapping[str, Any]) -> list[str]:
    """What the bound means for a reader of the table."""
    if certificate["kl_how"] == EXACT or "neg_log_10_p_error_max" not in certificate:
        return []
    error = certificate["neg_log_10_p_error_max"]
    if error is None:
        return [
            "The columns neg_log_10_p_value_low and neg_log_10_p_value_high of the table hold the "
            "certified range of each variant; for some variants it has no upper end."
        ]
    own = (
        " The p-value itself is that of the compressed model, and need not lie within the range."
        if certificate["kl_how"] == ESTIMATED
        else ""
    )
    return [
        "The columns neg_log_10_p_value_low and neg_log_10_p_value_high of the table hold the "
        f"certified range of each variant.{own} The widest is {real_up(error)} to a side, so that "
        "a p-value can be off by at most a factor of "
        f"{real_up(10.0 ** min(error, 300.0))}."
    ]
