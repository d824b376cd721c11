"""The examples of docs/python.md in a notebook that a kernel executes: tables and pictures appear.

Needs `pip install nbclient ipykernel`.
"""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHOWN = {
    "run": "text/html",
    "result": "text/html",
    "result.null": "text/html",
    "nextlmm.plots.manhattan(run)": "image/png",
    "nextlmm.plots.relationships(run)": "image/png",
    "nextlmm.plots.waterfall(run)": "image/png",
    "run.to_pandas()": "text/html",
}


def cells():
    """The code of the page, block by block, without what it prints; that of errors is left out."""
    for block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        lines = [line for line in block.splitlines() if line.startswith((">>>", "..."))]
        if "Traceback" not in block:
            yield "\n".join(line[4:] for line in lines)


def test_a_notebook_shows_results(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook()
    code = [*cells(), *_SHOWN]
    notebook.cells = [nbformat.v4.new_code_cell(each) for each in code]
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    shown = notebook.cells[-len(_SHOWN) :]
    for cell, kind in zip(shown, _SHOWN.values(), strict=True):
        (output,) = (each for each in cell.outputs if each.output_type == "execute_result")
        assert kind in output.data, cell.source
    errors = [
        each for cell in notebook.cells for each in cell.outputs if each.output_type == "error"
    ]
    assert not errors
