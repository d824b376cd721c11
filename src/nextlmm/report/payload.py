"""The numbers that the plots of a page are drawn from, packed as JSON values."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextlmm.output.table import SIGNIFICANT_DIGITS
from nextlmm.report.axis import strength_axis
from nextlmm.report.genome import lay_out
from nextlmm.report.quantiles import FrequencyBin, Quantiles, frequency_bins, quantiles
from nextlmm.report.thinning import worth_showing
from nextlmm.report.thresholds import (
    describe_threshold,
    genome_wide_threshold,
    suggestive_threshold,
)
from nextlmm.report.wording import real, shortened

_PLACES = 42_000
_PLACES_OF_ALL = 120_000
_FEWEST_PLACES = 4_000
_QQ_RANKS = 400
_LONGEST_ALLELE = 24
_LONGEST_NAME = 60
_NUMBER_TYPES = {"f8": np.float64, "f4": np.float32, "u4": np.uint32, "u2": np.uint16}
_LARGEST_U4 = 2**32 - 1


def places_for(n_traits: int) -> int:
    """How many variants of each trait a page shows, so that it stays small with many traits."""
    return int(np.clip(_PLACES_OF_ALL // max(n_traits, 1), _FEWEST_PLACES, _PLACES))


def trait_payload(
    frame: pl.DataFrame, facts: Mapping[str, Any], places: int
) -> dict[str, Any] | None:
    """What the plots of a trait are drawn from; None if no variant could be tested.

    Parameters
    ----------
    frame : its result table.
    facts : its entry in the result document.
    places : most variants that are shown.
    """
    # As the table is written, so that a page made from the file is the same.
    rounded = pl.col("neg_log_10_p_value", "effect_allele_frequency")
    frame = frame.with_columns(rounded.round_sig_figs(SIGNIFICANT_DIGITS)).with_row_index("row")
    tested = frame.filter(pl.col("neg_log_10_p_value").is_not_null())
    if tested.is_empty():
        return None
    genome = lay_out(tested)
    strength = tested["neg_log_10_p_value"].to_numpy()
    kept = worth_showing(genome.x, strength, places)
    kept = kept[np.lexsort((genome.place[kept], genome.group[kept]))]
    curve = quantiles(strength, count=_QQ_RANKS)
    line = -math.log10(genome_wide_threshold(tested.height))
    axis = strength_axis(max(float(strength.max()), float(curve.upper.max())), line)
    shown = tested[kept]
    return {
        "tested": tested.height,
        "chromosomes": genome.names,
        "placed": genome.is_placed.tolist(),
        "starts": _rounded(genome.starts, 9),
        "widths": _rounded(genome.widths, 9),
        "length": genome.length,
        "axis": {"top": axis.top, "knee": axis.knee},
        "line": line,
        "threshold": describe_threshold(tested.height),
        "suggestive": -math.log10(suggestive_threshold(tested.height)),
        "group": numbers(genome.group[kept], "u2"),
        "place": _positions(genome.place[kept]),
        **_variants(shown),
        "qq": _qq(curve, frequency_bins(frame, count=_QQ_RANKS)),
        "regions": [_region(frame, region) for region in regions_of(facts)],
    }


def regions_of(facts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The regions of a trait whose LD is known, from its entry in the result document."""
    portrait = facts.get("portrait") or {}
    return portrait.get("regions") or ()


def numbers(values: NDArray[Any], kind: str) -> dict[str, str]:
    """An array as text: its type, and its bytes, lowest first, in base 64."""
    raw = np.ascontiguousarray(values, dtype=np.dtype(_NUMBER_TYPES[kind]).newbyteorder("<"))
    return {"type": kind, "data": base64.b64encode(raw.tobytes()).decode("ascii")}


def _positions(values: NDArray[Any]) -> dict[str, str]:
    """Base pairs, in eight bytes each only where four do not hold them."""
    return numbers(values, "u4" if values.max() <= _LARGEST_U4 else "f8")


def _variants(frame: pl.DataFrame) -> dict[str, Any]:
    """What is told of each variant that is shown."""
    frame = frame.with_columns(pl.col(pl.Float64).round_sig_figs(SIGNIFICANT_DIGITS))
    return {
        "p": numbers(_filled(frame["neg_log_10_p_value"]), "f4"),
        "beta": numbers(_filled(frame["beta"]), "f4"),
        "se": numbers(_filled(frame["standard_error"]), "f4"),
        "frequency": numbers(_filled(frame["effect_allele_frequency"]), "f4"),
        "id": [shortened(name or ".", _LONGEST_NAME) for name in frame["variant_id"]],
        "alleles": _alleles(frame),
    }


def _alleles(frame: pl.DataFrame) -> dict[str, Any]:
    """Effect allele and other allele as positions in a list of the pairs that there are."""
    pairs = [
        f"{shortened(effect or '', _LONGEST_ALLELE)} / {shortened(other or '', _LONGEST_ALLELE)}"
        for effect, other in zip(frame["effect_allele"], frame["other_allele"], strict=True)
    ]
    known = {pair: at for at, pair in enumerate(dict.fromkeys(pairs))}
    code = np.array([known[pair] for pair in pairs], dtype=np.uint32)
    return {"pairs": list(known), "code": numbers(code, "u4" if len(known) > 65_535 else "u2")}


def _region(frame: pl.DataFrame, region: Mapping[str, Any]) -> dict[str, Any]:
    """A region around a lead variant, with r2 to it."""
    shown = frame[list(region["rows"])]
    return {
        "lead": region["rows"].index(region["lead_row"]),
        "chromosome": region["chromosome"],
        "start": region["start"],
        "end": region["end"],
        "place": _positions(shown["base_pair_location"].to_numpy()),
        "r2": numbers(np.array(region["r2"]), "f4"),
        **_variants(shown),
    }


def _qq(curve: Quantiles, bins: Sequence[FrequencyBin]) -> dict[str, Any]:
    return {
        "band": {
            "x": numbers(curve.expected, "f4"),
            "lower": numbers(curve.lower, "f4"),
            "upper": numbers(curve.upper, "f4"),
        },
        "curves": [
            _curve("all variants", curve, None),
            *(_curve(bin_name(part.low, part.high), part.curve, part.lambda_gc) for part in bins),
        ],
    }


def _curve(name: str, curve: Quantiles, inflation: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "n": curve.n,
        "lambda": None if inflation is None else real(inflation, 4),
        "x": numbers(curve.expected, "f4"),
        "y": numbers(curve.observed, "f4"),
    }


def bin_name(low: float, high: float) -> str:
    """A range of minor allele frequencies in words."""
    return f"MAF < {high:g}" if low == 0.0 else f"MAF {low:g} to {high:g}"


def _filled(column: pl.Series) -> NDArray[np.float64]:
    return np.asarray(column.fill_null(np.nan).to_numpy())


def _rounded(values: NDArray[np.float64], digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
