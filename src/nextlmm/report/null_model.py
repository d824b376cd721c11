"""What the summary says of a null model that nothing was tested with."""

from collections.abc import Mapping
from typing import Any

from nextlmm.report.wording import count, real, real_up, reasons


def related_lines(trait: Mapping[str, Any]) -> list[str]:
    """Which variants made the relationship matrix."""
    matrix = trait["relationship_matrix"]
    if "given" in matrix:
        return ["none used: the relationships are given"]
    dropped = reasons(matrix["excluded"])
    text = f"{matrix['in_genotypes']:,} in the genotype file -> {matrix['selected']:,} selected"
    text += f" (left out: {dropped})" if dropped else ""
    return [f"{text} -> {matrix['varying']:,} that vary make the matrix"]


def accuracy_lines(accuracy: Mapping[str, Any]) -> list[str]:
    """How far the heritability is from the exact model's, and how it was found."""
    lines = []
    if "h2_exact" not in accuracy and not accuracy["h2_probes"]:
        lines.append("exact model: nothing was approximated")
    elif accuracy.get("h2_exact") is not None:
        here = accuracy["h2_exact"] + accuracy["h2_error"]
        error = accuracy.get("h2_exact_monte_carlo_error")
        known = "" if error is None else f" (Monte-Carlo error {real_up(error)})"
        lines.append(f"h2 of the exact model {accuracy['h2_exact']:.4f}{known}, here {here:.4f}")
    if accuracy["h2_probes"]:
        lines.append(
            f"h2 by Monte Carlo: error {real_up(accuracy['h2_monte_carlo_error'])}, "
            f"{real_up(accuracy['h2_monte_carlo_share'])} of its standard error "
            f"({count(accuracy['h2_probes'], 'probe')})"
        )
    plan = accuracy["plan"]
    return lines if plan is None else [*lines, f"route {plan['route']}: {plan['reason']}"]


def prediction_lines(prediction: Mapping[str, Any]) -> list[str]:
    """What was predicted, and how well samples are predicted without themselves."""
    samples = count(prediction["samples"], "sample")
    lines = [
        f"effects of {count(prediction['variants'], 'variant')}; genetic values of {samples}, "
        f"{prediction['without_trait']:,} of them without the trait"
    ]
    if prediction["error"] is not None:
        lines.append(
            f"each within {real_up(prediction['error'])} of its standard deviation in the model, "
            f"by {count(prediction['iterations'], 'iteration')}"
        )
    found = prediction["leave_one_out"]
    lines += _accuracy_lines(found)
    if found["samples"] < found["of"]:
        lines.append(
            f"{count(found['of'] - found['samples'], 'sample')} with a covariate of its own cannot "
            "be predicted without itself, and is not in these figures"
        )
    return lines


def _accuracy_lines(found: Mapping[str, Any]) -> list[str]:
    """The accuracy of leave-one-out, and what is not known of it."""
    is_exact = found["solved"] == found["samples"]
    if found["correlation"] is None:
        lines = ["leave-one-out: the genetic values do not vary, so that nothing is predicted"]
    else:
        more = "" if is_exact else f", and {real_up(found['correlation_error'])} by prediction"
        lines = [
            f"leave-one-out: correlation {found['correlation']:.3f} (standard error "
            f"{found['correlation_se']:.3f}{more}) of the genetic value with the trait, less "
            "covariates"
        ]
    more = "" if is_exact else f" (error {real_up(found['mean_squared_error_error'])})"
    lines.append(
        f"mean squared error {real(found['mean_squared_error'], 4)}{more}, by the covariates alone "
        f"{real(found['mean_squared_error_covariates'], 4)}"
    )
    if not is_exact:
        lines.append(
            f"the leave-one-out formula was solved for {found['solved']:,} of the "
            f"{count(found['samples'], 'sample')} and predicted for the others"
        )
    return lines
