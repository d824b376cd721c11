"""Pages that are made of the code say all that the code has."""

import sys
from importlib import import_module
from typing import get_args

import pytest

from nextlmm.output.formats import OutFormat
from nextlmm.output.schema import BOUND_COLUMNS, LEAD_COLUMNS, RESULT_COLUMNS
from nextlmm.report.codes import EXPLANATIONS
from nextlmm.run.options import GwasOptions, flag

from .pages import ROOT

EXTENSIONS = ROOT / "docs" / "_ext"
pytestmark = pytest.mark.skipif(
    not EXTENSIONS.exists(), reason="the pages are not beside the tests"
)


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXTENSIONS))


def made(module: str, name: str) -> str:
    try:
        return getattr(import_module(module), name)()
    finally:
        for loaded in ("options", "tables", "codes", "layers", "markdown"):
            sys.modules.pop(loaded, None)


def test_every_option_has_a_row_with_what_it_means():
    text = made("options", "every_command")
    gwas = text.split("## nextlmm h2")[0]
    for name in GwasOptions.__dataclass_fields__:
        row = next(line for line in gwas.splitlines() if line.startswith(f"| `{flag(name)}`"))
        assert len(row.split("|")[4].strip()) > 10, row
    for command in ("gwas", "h2", "predict", "grm", "pca", "clump", "simulate", "explain"):
        assert f"## nextlmm {command}\n" in text
    assert "| required |" in gwas
    assert "| `exact`, `hodlr`, `dense` | `exact` |" in gwas


def test_an_option_that_a_command_does_not_show_is_not_there():
    text = made("options", "every_command")
    h2 = text.split("## nextlmm h2")[1].split("\n## ")[0]
    assert "`--hit-threshold`" not in h2
    assert "`--rint`" in h2


def test_every_column_and_every_format():
    columns = made("tables", "result_columns")
    for column in (*RESULT_COLUMNS, *BOUND_COLUMNS, *LEAD_COLUMNS):
        assert f"| `{column.name}` |" in columns
    exports = made("tables", "exports")
    assert all(f"| `{name}` |" in exports for name in get_args(OutFormat))


def test_every_file_of_a_run():
    files = made("tables", "run_files")
    for end in ("json", "log", "html", "TRAIT.tsv.gz", "TRAIT.qq.svg", "TRAIT.leads.tsv"):
        assert f"`OUT.{end}`" in files


def test_every_code_and_status():
    said = made("codes", "errors") + made("codes", "statuses")
    assert all(name in said for name in EXPLANATIONS)
    assert "| 3 | data | `E300`, `E310`" in made("codes", "exit_statuses")


def test_the_picture_has_every_layer_and_every_arrow_points_down():
    pytest.importorskip("grimp")
    layers = import_module("layers")
    try:
        picture, places = layers.picture(), layers._boxes()
        assert all(f">{name}</text>" in picture for name in places)
        assert "run" in places
        assert all(places[above][3] < places[below][3] for above, below in layers._imports())
        assert layers._essential() <= set(layers._imports())
    finally:
        for loaded in ("layers", "markdown"):
            sys.modules.pop(loaded, None)
