"""Fuzz the readers: damaged and absurd files in, a value or one sentence out.

    python -m validation.fuzz --minutes 30 --readers bed,table
    python -m validation.fuzz --again FOLDER --readers bed

Inputs are valid small files, changed by a seeded generator; those that reach new lines of the
package are kept and changed further.  An input is a finding if the reader crashes, raises anything
but an error of this package, hangs (10 s of a processor), takes 2 GiB more than it began with, says
more than one sentence, or returns something else than an oracle that reads the same bytes in the
simplest way.  Findings lie in OUT/READER with their input; the command fails if there is one.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from validation.fuzz.engine import Finding, judge
from validation.fuzz.reader import files_of
from validation.fuzz.readers import READERS
from validation.fuzz.worker import save

_MOST_CRASHES = 50
_HANG = "Timeout"
_LINE = re.compile(r'File "([^"]+)", line (\d+) in (\S+)')


def main() -> int:
    options = _options()
    if options.again:
        finding = judge(READERS[options.readers[0]], options.again, files_of(options.again))
        print("as it should be" if finding is None else f"{finding.key}\n{finding.words}")
        return int(finding is not None)
    total = 0
    for name in options.readers:
        with tempfile.TemporaryDirectory() as state:
            total += _fuzz(name, Path(state), options)
    return int(total > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m validation.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=1.0, help="for each reader")
    parser.add_argument("--executions", type=int, default=10**9, help="at most, for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--again", type=Path, help="the input folder of a finding")
    parser.add_argument(
        "--readers",
        type=lambda text: list(READERS) if text == "all" else text.split(","),
        default=list(READERS),
        help=f"all, or some of {','.join(READERS)}",
    )
    options = parser.parse_args()
    unknown = [name for name in options.readers if name not in READERS]
    if unknown:
        parser.error(f"there is no reader {unknown[0]}; there are {', '.join(READERS)}")
    return options


def _fuzz(name: str, state: Path, options: argparse.Namespace) -> int:
    """Fuzz one reader, with a new worker after each crash; return the number of findings."""
    begin, first, done, crashes = time.monotonic(), 1, 0, 0
    found = options.out / name
    while crashes < _MOST_CRASHES:
        left = 60.0 * options.minutes - (time.monotonic() - begin)
        if left <= 0 or first >= options.executions:
            break
        ended = _worker(name, state, options, first, left)
        number, count, lines, kept = _progress(state / name)
        done += count
        if ended.returncode == 0:
            break
        crashes += 1
        save(found, _crash(ended), files_of(state / name / "current"), f"input {number}")
        first = number + 1
    seconds = time.monotonic() - begin
    findings = sorted(found.glob("*/finding.txt"))
    print(
        f"{name}: {done:,} inputs in {seconds:.0f} s ({done / seconds:,.0f}/s), {lines:,} lines "
        f"reached, {kept:,} inputs kept, {len(findings)} findings",
        flush=True,
    )
    for each in findings:
        print(f"  {each.parent}: {' | '.join(each.read_text().splitlines()[:2])[:300]}")
    return len(findings)


def _worker(
    name: str, state: Path, options: argparse.Namespace, first: int, seconds: float
) -> "subprocess.CompletedProcess[str]":
    words = [state, options.out, options.seed, first, seconds, options.executions, name]
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS")
    return subprocess.run(
        [sys.executable, "-m", "validation.fuzz.worker", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **dict.fromkeys(one, "1")},
        check=False,
    )


def _progress(state: Path) -> tuple[int, int, int, int]:
    """The number of the last input, how many there were, lines reached, inputs kept."""
    try:
        number, done, lines, kept = map(int, (state / "number").read_text().split())
    except (OSError, ValueError):
        return 0, 0, 0, 0
    return number, done, lines, kept


def _crash(ended: "subprocess.CompletedProcess[str]") -> Finding:
    """What ended a worker, from what it said last."""
    said = ended.stderr
    kind = "hang" if _HANG in said else "crash"
    frames = _LINE.findall(said)
    ours = [frame for frame in frames if "/src/nextlmm/" in frame[0]] or frames or [("?", "0", "?")]
    path, line, function = ours[0]
    words = said.strip().splitlines()[:1] or ["nothing was said"]
    place = f"{Path(path).name}:{line} {function}"
    return Finding(kind, place, f"exit {ended.returncode}: {words[0][:300]}")


if __name__ == "__main__":
    sys.exit(main())
