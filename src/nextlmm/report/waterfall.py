"""Where samples and variants were lost on the way to the tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Step:
    """A count on the way: what is ``left``, or what was ``lost`` and why."""

    label: str
    number: int
    kind: Literal["left", "lost"]


def sample_steps(document: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Step]:
    """From the samples of the genotypes to those analysed for a trait."""
    samples = document["samples"]
    return [
        Step("in the genotypes", samples["in_genotypes"], "left"),
        *_lost(samples["excluded"]),
        *([Step("kept", samples["kept"], "left")] if any(samples["excluded"].values()) else ()),
        *_lost(facts["samples"]["excluded"]),
        Step("analysed", facts["n"], "left"),
    ]


def variant_steps(document: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Step]:
    """From the variants of the genotypes to those with a result."""
    variants = facts["variants"]
    without = {reason: n for reason, n in variants["status"].items() if reason != "ok"}
    named = {f"no result: {reason.replace('_', ' ')}": n for reason, n in without.items()}
    return [
        Step("in the genotypes", document["variants"]["in_genotypes"], "left"),
        *_lost({**document["variants"]["excluded"], **variants["excluded"]}),
        Step("in the table", variants["selected"], "left"),
        *_lost(named),
        Step("tested", variants["tested"], "left"),
    ]


def _lost(excluded: Mapping[str, int]) -> list[Step]:
    return [Step(reason, number, "lost") for reason, number in excluded.items() if number]
