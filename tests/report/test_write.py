import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nextlmm.errors import OutputError
from nextlmm.output.names import RunFiles, run_files
from nextlmm.output.publication import Publication
from nextlmm.report import write as write_module
from nextlmm.report.write import publish_document, publish_tables

TableFactory = Callable[..., pl.DataFrame]


def write(document: dict[str, Any], frame: pl.DataFrame, folder: Path, **changes: Any) -> RunFiles:
    files = run_files(str(folder / "run"), ["height"], **changes)
    with Publication() as publication:
        publish_tables(publication, {"height": frame}, document["traits"], files)
        publish_document(publication, document, files)
    return files


def test_every_file_is_there(
    document: dict[str, Any], make_table: TableFactory, tmp_path: Path
) -> None:
    files = write(document, make_table(100), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(files.paths())
    assert json.loads(files.document.read_text(encoding="utf-8")) == document
    log = files.log.read_text(encoding="utf-8")
    assert "Trait height" in log
    assert "Stages" in log
    assert "Provenance" in log
    with gzip.open(files.traits["height"]["table"], "rt") as table:
        assert len(table.readlines()) == 101


def test_without_plots(document: dict[str, Any], make_table: TableFactory, tmp_path: Path) -> None:
    write(document, make_table(100), tmp_path, plots=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("run.height.tsv.gz", "run.json", "run.log")
    ]


def test_the_same_results_give_the_same_bytes(
    document: dict[str, Any], make_table: TableFactory, tmp_path: Path
) -> None:
    first = [path.read_bytes() for path in write(document, make_table(100), tmp_path).paths()]
    second = [path.read_bytes() for path in write(document, make_table(100), tmp_path).paths()]
    assert first == second


def test_all_or_none(
    document: dict[str, Any],
    make_table: TableFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write_module, "write_document", fail)
    with pytest.raises(KeyboardInterrupt):
        write(document, make_table(100), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_plot_that_cannot_be_drawn_leaves_nothing(
    document: dict[str, Any],
    make_table: TableFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: object) -> None:
        raise OutputError("no room for a plot")

    monkeypatch.setattr(write_module, "_draw", fail)  # which runs beside the writing of the table
    with pytest.raises(OutputError, match="no room for a plot"):
        write(document, make_table(100), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_plots__the_libraries_that_are_slow_to_load_are_not_loaded() -> None:
    program = (
        "import sys, nextlmm.run.pipeline\n"
        "slow = {'matplotlib', 'scipy.stats', 'scipy.optimize'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(slow)) or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
