"""Does a certificate ever lie?  Random small problems against the textbook in extended precision.

    python -m validation.certificate --problems 10000 [--seed 0] [--workers 2] [--out results]
    python -m validation.certificate --only 1234      # one problem again, with all that is against

Exit status 1 if a certain claim was broken once, or one that comes with a probability more often
than that allows.  The seeds of problems are --seed, --seed + 1 and so on, so that a case against a
claim is repeated by its seed.
"""

import argparse
import multiprocessing
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats
from threadpoolctl import threadpool_limits

from .claims import PROBABILITY, Tally, examine
from .records import Record, write_record
from .small_problems import draw

ENDS_WELL = "a run ends with a result or a sentence, and without a warning of NumPy"
SIGNIFICANCE = 1e-3
"""Probability, over all claims that come with one, of a false alarm."""
LARGEST_REFUSED = 0.1
"""Share of the problems that may be refused; more would be no test."""
_SHOWN = 5
_CHUNK = 20


@dataclass(frozen=True)
class Verdict:
    """On a claim: how often it was looked at and broken, how often it may be, whether it stands."""

    claim: str
    checked: int
    broken: int
    probability: float
    stands: bool


def examined(seed: int) -> tuple[int, Tally]:
    """The tally of the problem of a seed; a crash is a case against `ENDS_WELL`."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("error")
        try:
            tally = examine(draw(seed))
        except Exception:
            tally = Tally()
            tally.note(ENDS_WELL, False, " | ".join(traceback.format_exc().splitlines()[-3:]))
            return seed, tally
    tally.note(ENDS_WELL, True)
    return seed, tally


def verdicts(tally: Tally) -> list[Verdict]:
    """One for every claim; those with a probability by an exact binomial test, all at 0.1 %."""
    found = []
    for claim, checked in sorted(tally.checked.items()):
        broken, probability = tally.broken[claim], PROBABILITY.get(claim, 0.0)
        stands = broken == 0
        if probability:
            chance = stats.binom.sf(broken - 1, checked, probability)
            stands = bool(chance > SIGNIFICANCE / len(PROBABILITY))
        found.append(Verdict(claim, checked, broken, probability, stands))
    return found


def tallies(seeds: Sequence[int], workers: int) -> Iterator[tuple[int, Tally]]:
    """The tally of each seed, as they come."""
    if workers == 1:
        yield from map(examined, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(examined, seeds, chunksize=_CHUNK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine, print, write, and say whether all claims stand."""
    parser = argparse.ArgumentParser(prog="python -m validation.certificate")
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first problem")
    parser.add_argument("--only", type=int, help="one problem by its seed, in full")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, help="folder for certificate.md and certificate.jsonl")
    given = parser.parse_args(arguments)
    first, count = (given.seed, given.problems) if given.only is None else (given.only, 1)
    if given.only is not None:
        print(draw(given.only))
    started, total = time.monotonic(), Tally()
    shown: dict[str, int] = {}
    examined_now = tallies(range(first, first + count), given.workers)
    for done, (seed, tally) in enumerate(examined_now, start=1):
        total.add(tally)
        for claim, what in tally.cases:
            shown[claim] = shown.get(claim, 0) + 1
            if given.only is not None or (shown[claim] <= _SHOWN and claim not in PROBABILITY):
                print(f"seed {seed}, against: {claim}\n    {what}", flush=True)
        if done % 500 == 0:
            print(f"{done:,} problems in {time.monotonic() - started:.0f} s", flush=True)
    found, refused = verdicts(total), sum(total.refused.values())
    print(_lines(found, total))
    stands = all(one.stands for one in found) and (
        given.only is not None or refused <= LARGEST_REFUSED * count
    )
    print("all claims stand" if stands else "NOT all claims stand")
    if given.out is not None:
        seconds = time.monotonic() - started
        command = f"python -m validation.certificate --problems {count} --seed {first}"
        write_record(given.out, "certificate", _record(found, total, command, seconds, stands))
    return 0 if stands else 1


def _lines(found: Sequence[Verdict], total: Tally) -> str:
    lines = [
        f"{one.checked:>12,} looked at, {one.broken:>6,} against"
        f"{f' (may be {one.probability:g})' if one.probability else ''}: {one.claim}"
        f"{'' if one.stands else '   <-- does not stand'}"
        for one in found
    ]
    lines += [f"{count:>12,} refused: {why}" for why, count in total.refused.most_common()]
    return "\n".join(lines)


def _record(
    found: Sequence[Verdict], total: Tally, command: str, seconds: float, stands: bool
) -> Record:
    rows = [
        {
            "claim": one.claim,
            "looked at": one.checked,
            "against": one.broken,
            "may be against": one.probability,
            "stands": one.stands,
        }
        for one in found
    ]
    refused = [{"refusal": why, "problems": n} for why, n in total.refused.most_common()]
    return Record(
        title="Certificates of random small problems against the textbook",
        command=command,
        seconds=seconds,
        stands=stands,
        threads=1,
        tables={"Claims": rows, "Refused with a sentence": refused},
    )


if __name__ == "__main__":
    sys.exit(main())
