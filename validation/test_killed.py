"""A run killed at fifty moments that chance chooses writes the bytes of one that was not.

The processes are killed by the system, so that nothing is tidied up; every second or so a stage is
written.  Each process goes on from what the one before had finished, until one comes to its end;
then the next begins from nothing.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = 50
ROUTES = {
    "products": ["--route", "hodlr", "--test", "lrt"],
    "dense": ["--route", "dense"],
    "compressed": ["--mode", "hodlr"],
}
_CHANGING = ("seconds", "work", "timings", "started", "checkpoint", "peak_memory_bytes")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("killed") / "sim"
    command = ["simulate", "--samples", "2100", "--variants", "6000", "--structure", "families"]
    assert start([*command, "--out", str(prefix)]).wait() == 0
    return prefix


def start(arguments):
    code = "from nextlmm.cli.main import run; run()"
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=quiet, stderr=quiet)


def analysis(cohort, out, route):
    files = ["--bfile", str(cohort), "--pheno", f"{cohort}.traits.txt", "--trait", "trait"]
    way = [*ROUTES[route], "--threads", "2", "--checkpoint-after", "0", "--resume"]
    return ["gwas", *files, "--out", str(out), *way]


def written(out):
    """Every result by the end of its name; of the document what does not tell the time."""
    found = {}
    for path in sorted(out.parent.glob(f"{out.name}.*")):
        end = path.name.removeprefix(out.name)
        if end == ".json":
            found[end] = unchanging(json.loads(path.read_text().replace(str(out), "OUT")))
        elif end not in (".log", ".html", ".checkpoint"):
            found[end] = path.read_bytes()
    return found


def unchanging(value):
    if isinstance(value, dict):
        return {key: unchanging(each) for key, each in value.items() if key not in _CHANGING}
    return [unchanging(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("route", ROUTES)
def test_killed_at_random_moments(cohort, tmp_path, route):
    whole, out = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    for each in (whole, out):
        each.parent.mkdir()
    begin = time.perf_counter()
    assert start(analysis(cohort, whole, route)).wait() == 0
    seconds = time.perf_counter() - begin
    expected = written(whole)
    rng = random.Random(7)
    kills = ends = 0
    while kills < KILLS or not ends:
        process = start(analysis(cohort, out, route))
        try:
            process.wait(rng.uniform(0.2, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += process.wait() != 0
            continue
        assert process.returncode == 0
        ends += 1
        assert written(out) == expected
        assert not Path(f"{out}.checkpoint").exists()
        for path in out.parent.iterdir():
            path.unlink()
    print(f"{route}: {kills} kills, {ends} runs that came to their end, {seconds:.1f} s each")
