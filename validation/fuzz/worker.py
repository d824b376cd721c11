"""The process that reads damaged files; a crash ends it and nothing else.

    python -m validation.fuzz.worker STATE FOUND SEED FIRST SECONDS EXECUTIONS READER...

STATE has the input at hand, its number and the corpus, so that another worker can go on; FOUND
gets a folder for each finding.  Memory is limited to 2 GiB above what the libraries take.
"""

import faulthandler
import hashlib
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from validation.fuzz.engine import Finding, fuzz, now
from validation.fuzz.mutate import Files
from validation.fuzz.reader import Reader, files_of, write_files
from validation.fuzz.readers import READERS

ROOM_BYTES = 2 * 2**30
_WAIT = 180  # seconds of the clock after which a library that answers no signal is ended


def main(arguments: list[str]) -> None:
    state, found = Path(arguments[0]), Path(arguments[1])
    seed, first = int(arguments[2]), int(arguments[3])
    seconds, executions = float(arguments[4]), int(arguments[5])
    faulthandler.enable()
    for name in arguments[6:]:
        _run(READERS[name], state / name, found / name, seed, first, seconds, executions)
    faulthandler.cancel_dump_traceback_later()


def _run(
    reader: Reader, state: Path, found: Path, seed: int, first: int, seconds: float, executions: int
) -> None:
    """Fuzz a reader until the seconds are over or the executions done."""
    corpus = _corpus(reader, state)
    until, done, lines, findings = now() + seconds, [0], [0], dict[str, int]()

    def goes_on(number: int) -> bool:
        (state / "number").write_text(f"{number} {done[0]} {lines[0]} {len(corpus)}")
        faulthandler.dump_traceback_later(_WAIT, exit=True)
        return now() < until and number < executions

    def told(number: int, n_new: int, files: Files, finding: Finding | None) -> None:
        faulthandler.dump_traceback_later(_WAIT, exit=True)
        done[0] += 1
        lines[0] += n_new
        if finding is None:
            if n_new and number:
                write_files(state / "corpus" / f"{number:09d}", files)
            return
        findings[finding.key] = findings.get(finding.key, 0) + 1
        if findings[finding.key] == 1:
            save(found, finding, files, f"seed {seed}, input {number}")

    _limit_memory()
    faulthandler.dump_traceback_later(_WAIT, exit=True)
    fuzz(
        reader,
        corpus,
        state / "current",
        seed=seed,
        first=first,
        goes_on=goes_on,
        told=told,
    )


def _corpus(reader: Reader, state: Path) -> list[Files]:
    """The valid inputs, and those that another worker kept."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = list(reader.seeds(Path(folder)))
    state.mkdir(parents=True, exist_ok=True)
    return corpus + [files_of(each) for each in sorted((state / "corpus").glob("*"))]


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def save(found: Path, finding: Finding, files: Files, where: str) -> Path:
    """Write a finding and its input into a folder of their own, once for each cause."""
    name = hashlib.sha256(finding.key.encode()).hexdigest()[:10]
    folder = found / f"{finding.kind.replace(' ', '-')}-{name}"
    if not folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        write_files(folder / "input", files)
        (folder / "finding.txt").write_text(f"{finding.key}\n{finding.words}\n{where}\n")
    return folder


if __name__ == "__main__":
    main(sys.argv[1:])
