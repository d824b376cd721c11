"""A null model in words and numbers, for a notebook."""

from collections.abc import Mapping
from typing import Any

from nextlmm.notebook import Row


def null_rows(null: Mapping[str, Any]) -> list[Row]:
    """What is shown of a null model.

    Parameters
    ----------
    null : the fields of a ``NullModel`` by name, or the entry of a trait in the result document,
        which has them too.
    """
    components = f"sigma_g2 {null['sigma_g2']:.4g}, sigma_e2 {null['sigma_e2']:.4g}"
    likelihood = "ML" if null["method"] == "ml" else "REML"
    rows = [
        ("heritability h2", _estimate(null)),
        ("variance components", components),
        ("log-likelihood", f"{null['log_likelihood']:.3f} ({likelihood})"),
        ("samples", f"{null['n']:,}"),
        ("covariates", f"{null['n_covariates']:,} with the intercept"),
    ]
    if null["h2_interval"] is not None:
        low, high = null["h2_interval"]
        rows.insert(1, ("95 % interval", f"{low:.3f} to {high:.3f}"))
    return rows


def _estimate(null: Mapping[str, Any]) -> str:
    notes = []
    if null["h2_se"] is not None:
        notes.append(f"standard error {null['h2_se']:.3f}")
    if null.get("h2_mc_error") is not None:
        notes.append(f"Monte-Carlo error {null['h2_mc_error']:.2g}")
    if null["h2_boundary"] is not None:
        notes.append(f"at the {null['h2_boundary']} end of its range")
    return f"{null['h2']:.4f}" + (f" ({'; '.join(notes)})" if notes else "")
