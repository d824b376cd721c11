"""Calibration in five kinds of populations: false positives, heritability, and power.

    python -m validation.calibration                   # half an hour
    python -m validation.calibration --quick           # a minute, to see that it works
    python -m validation.calibration --quick --inflate 1.3   # and that it can fail

Writes calibration.md, figures and a line of calibration.jsonl to validation/results unless --out
says where; exit status 1 if a figure is not what it has to be.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from nextlmm.assoc.statistics import neg_log10_chi2_sf

from ..records import Record, write_record
from . import figures
from .judge import FAMILY_WISE, LEVELS, Verdict, bias, coverage, power, rejections
from .nulls import H2, H2_FROM, Nulls, analyse_nulls, as_the_program_has_it, draw_traits, make_bench
from .populations import POPULATIONS, make_population
from .power import LEVEL, MODES, Found, find_effects

RESULTS = Path(__file__).resolve().parents[1] / "results"
SHORT_CUT = 1e-6
"""Relative difference of a p-value from the program's that rounding can make."""
POOLED = "all together"


@dataclass(frozen=True)
class Effort:
    """Samples, variants, null traits, and traits with effects for each population."""

    n: int
    m: int
    nulls: int
    effects: int


FULL = Effort(500, 5000, 3000, 12)
QUICK = Effort(150, 600, 60, 1)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of one population; ``short_cut`` is the distance of its p-values from the program's."""

    nulls: Nulls
    found: Found
    short_cut: float


def examine(name: str, effort: Effort, seed: int, inflate: float) -> Outcome:
    """Simulate, estimate and test in one kind of population."""
    bench = make_bench(make_population(name, effort.n, effort.m, seed))
    nulls = analyse_nulls(bench, effort.nulls, seed)
    traits, _ = draw_traits(bench, effort.nulls, seed)
    short_cut = max(as_the_program_has_it(bench, traits[:, 0], loco_h2) for loco_h2 in H2_FROM)
    found = find_effects(bench, effort.effects, seed)
    if inflate != 1.0:
        nulls = replace(nulls, log_p={k: inflated(v, inflate) for k, v in nulls.log_p.items()})
    return Outcome(nulls, found, short_cut)


def inflated(log_p: np.ndarray, factor: float) -> np.ndarray:
    """What a test gives whose chi-squares are too large by a factor."""
    return neg_log10_chi2_sf(factor * stats.chi2.isf(10.0**-log_p, 1))


def judge(outcomes: dict[str, Outcome]) -> dict[str, list[Verdict]]:
    """All verdicts by what they are about; together they fail by chance in one run of a hundred."""
    populations = len(outcomes)
    count = len(H2_FROM) * len(LEVELS) * (populations + 1)
    count += populations * (2 * len(H2) + len(MODES) - 1)
    miss = FAMILY_WISE / count
    return {
        "False positives": list(_error_rates(outcomes, miss)),
        "Heritability": list(_heritabilities(outcomes, miss)),
        "Effects found by one mode and not by the dense one": list(_power(outcomes, miss)),
        "The short cut against the program": [
            Verdict(name, one.short_cut, 0.0, SHORT_CUT, 0.0, one.short_cut <= SHORT_CUT)
            for name, one in outcomes.items()
        ],
    }


def _error_rates(outcomes: dict[str, Outcome], miss: float) -> Iterator[Verdict]:
    for h2_from in H2_FROM:
        by_name = {name: one.nulls.log_p[h2_from] for name, one in outcomes.items()}
        for name, log_p in by_name.items():
            for level in LEVELS:
                yield rejections(f"{name}, h2 {h2_from}", log_p, level, miss)
        for level in LEVELS:
            yield rejections(
                f"{POOLED}, h2 {h2_from}", _pooled(list(by_name.values())), level, miss
            )


def _pooled(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of all; as many variants of each as the population with fewest has."""
    width = min(part.shape[1] for part in parts)
    return np.concatenate([part[:, :width] for part in parts])


def _heritabilities(outcomes: dict[str, Outcome], miss: float) -> Iterator[Verdict]:
    for name, one in outcomes.items():
        nulls = one.nulls
        for h2 in H2:
            own = nulls.simulated == h2
            inside = (nulls.low[own] <= h2) & (h2 <= nulls.high[own])
            yield bias(f"{name}, mean", nulls.h2[own], h2, miss)
            yield coverage(f"{name}, 95 % interval of {h2:g}", inside, miss)


def _power(outcomes: dict[str, Outcome], miss: float) -> Iterator[Verdict]:
    reference, *others = MODES
    for name, one in outcomes.items():
        dense, *rest = (one.found.log_p[mode] > -np.log10(LEVEL) for mode in (reference, *others))
        for mode, other in zip(others, rest, strict=True):
            yield power(f"{name}, {mode}", dense, other, miss)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine all populations, judge, draw and write."""
    parser = argparse.ArgumentParser(prog="python -m validation.calibration")
    parser.add_argument("--quick", action="store_true", help="small cohorts and few traits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--inflate", type=float, default=1.0, help="multiply null chi-squares")
    given = parser.parse_args(arguments)
    effort, started = QUICK if given.quick else FULL, time.monotonic()
    outcomes = {}
    with threadpool_limits(1):
        for name in POPULATIONS:
            outcomes[name] = examine(name, effort, given.seed, given.inflate)
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    verdicts = judge(outcomes)
    stands = all(one.stands for part in verdicts.values() for one in part)
    for title, part in verdicts.items():
        for one in part:
            if not one.stands:
                print(f"does not stand: {title}: {one}")
    print("calibrated" if stands else "NOT calibrated")
    stem = "calibration.quick" if given.quick else "calibration"
    given.out.mkdir(parents=True, exist_ok=True)
    drawn = _draw(outcomes, verdicts, given.out, stem)
    command = " ".join(["python -m validation.calibration", *(arguments or sys.argv[1:])])
    seconds = time.monotonic() - started
    write_record(given.out, stem, _record(verdicts, drawn, effort, command, seconds, stands))
    return 0 if stands else 1


def _draw(
    outcomes: dict[str, Outcome], verdicts: dict[str, list[Verdict]], folder: Path, stem: str
) -> dict[str, str]:
    default = H2_FROM[1]
    rates = {
        name: [one for one in verdicts["False positives"] if one.of == f"{name}, h2 {default}"]
        for name in (*outcomes, POOLED)
    }
    nulls = {name: one.nulls for name, one in outcomes.items()}
    drawn = {
        "Rates of false positives": ("rates", figures.error_rates(rates)),
        "Quantiles of null p-values": (
            "quantiles",
            figures.quantiles({name: one.log_p[default] for name, one in nulls.items()}),
        ),
        "Estimates of heritability": ("h2", figures.heritabilities(nulls)),
        "Power": ("power", figures.found_effects({n: one.found for n, one in outcomes.items()})),
    }
    for name, figure in drawn.values():
        figures.save(figure, folder / f"{stem}.{name}.png")
    return {title: f"{stem}.{name}.png" for title, (name, _) in drawn.items()}


def _record(
    verdicts: dict[str, list[Verdict]],
    drawn: dict[str, str],
    effort: Effort,
    command: str,
    seconds: float,
    stands: bool,
) -> Record:
    return Record(
        title="Calibration in five kinds of populations",
        command=command,
        seconds=seconds,
        stands=stands,
        threads=1,
        tables={
            title: [
                {
                    "of": one.of,
                    "expected": one.expected,
                    "found": one.found,
                    "low": one.low,
                    "high": one.high,
                    "stands": one.stands,
                }
                for one in part
            ]
            for title, part in verdicts.items()
        },
        notes=(
            f"{effort.n:,} samples and {effort.m:,} variants on 10 chromosomes in each population; "
            f"{effort.nulls:,} traits without a causal variant on chromosome 10, all of whose "
            f"variants are tested; {effort.effects:,} traits with ten effects each.",
            "Intervals hold together at 99 % over all tables (Bonferroni). A figure stands if its "
            "interval reaches the margin around what is expected; the margins are in "
            "`validation/calibration/judge.py`.",
        ),
        figures=drawn,
    )


if __name__ == "__main__":
    sys.exit(main())
