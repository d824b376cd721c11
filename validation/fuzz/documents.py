"""The fuzzed document and table of a run, of which pages and leads are made again."""

import contextlib
import gzip
from pathlib import Path
from typing import Any

from tests.run.conftest import make_cohort, write_cohort

from nextlmm import GwasOptions, gwas
from nextlmm.errors import NextlmmError
from nextlmm.run.clump import clump
from nextlmm.run.clump_options import ClumpOptions
from nextlmm.run.rebuild import rebuild_report
from validation.fuzz.mutate import Files
from validation.fuzz.reader import Reader

_PARTS = ("result.json", "result.y.tsv.gz", "geno.bed", "geno.bim", "geno.fam", "traits.txt")
_SCRIPTS = 2  # that every page has


def _seeds(folder: Path) -> list[Files]:
    files = write_cohort(folder, make_cohort(40, 60))
    gwas(GwasOptions(**{**files, "report": True, "threads": 1}))
    whole = {name: (folder / name).read_bytes() for name in _PARTS}
    plain = gzip.decompress(whole["result.y.tsv.gz"])
    place = str(folder).encode()
    document = whole["result.json"].replace(place + b"/", b"")
    return [
        {**whole, "result.json": document},
        {"result.json": document, "result.y.tsv.gz": whole["result.y.tsv.gz"]},
        {"result.json": document, "result.y.tsv.gz": plain},
    ]


def _read(folder: Path) -> dict[str, Any]:
    with contextlib.chdir(folder):
        return _read_here()


def _read_here() -> dict[str, Any]:
    document = "result.json"
    with contextlib.suppress(NextlmmError):
        clump(document, ClumpOptions(out="again"))
    page = rebuild_report(document, "page.html").read_text(encoding="utf-8")
    assert page.count("<script") == _SCRIPTS
    return {}


_WORDS = ("null", "{}", "[]", "NaN", "Infinity", "1e999", '"x"', "true", "</script>", "[" * 2000)

DOCUMENTS = (Reader("document", _seeds, _read, tokens=_WORDS),)
