"""What the package must not be able to do: run what a file says, start programs, use a network."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "nextlmm"
MODULES = sorted(SOURCE.rglob("*.py"))

FORBIDDEN_MODULES = frozenset(
    {
        *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
        *("subprocess", "pty", "popen2", "commands", "code", "codeop", "pdb"),
        *("socket", "ssl", "socketserver", "http", "urllib", "requests", "httpx", "aiohttp"),
        *("ftplib", "smtplib", "xmlrpc", "webbrowser", "fsspec", "boto3", "yaml"),
    }
)
FORBIDDEN_CALLS = frozenset(
    {
        *("eval", "exec", "compile", "__import__"),
        *("os.system", "os.popen", "os.fork", "os.forkpty", "os.startfile"),
        *("np.load", "numpy.load", "np.fromregex", "pd.read_pickle", "pandas.read_pickle"),
        *("pandas.eval", "pd.eval", "runpy.run_path", "runpy.run_module"),
        *("tempfile.mktemp", "pl.DataFrame.deserialize", "pl.LazyFrame.deserialize"),
    }
)
FORBIDDEN_PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn", "ctypes.CDLL", "ctypes.cdll")

COMPILED = "genotype/compiled.py"
"""Calls what llvmlite has compiled of code of our own, for which ctypes is needed."""

WRITES_ONLY = {"cluster/traffic.py": {"pickle"}}
"""Measures how long a value of our own is on its way between our own processes; reads nothing."""


def _relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def called(tree: ast.AST) -> Iterator[str]:
    """Every call by its name as it is written, such as os.system."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def offences(text: str) -> set[str]:
    """What a module imports or calls that is on the lists."""
    tree = ast.parse(text)
    found = {name for name in imported(tree) if name.split(".")[0] in FORBIDDEN_MODULES}
    for name in called(tree):
        if name in FORBIDDEN_CALLS or name.startswith(FORBIDDEN_PREFIXES):
            found.add(name)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and (node.arg, ast.unparse(node.value)) in (
            ("allow_pickle", "True"),
            ("shell", "True"),
        ):
            found.add(f"{node.arg}=True")
    return found


def test_the_lists_find_what_they_name():
    text = (
        "import pickle, urllib.request\nfrom subprocess import run\nimport numpy as np, os\n"
        "os.system('x')\nos.execv('x', [])\neval('1')\nnp.load('x', allow_pickle=True)\n"
    )
    assert offences(text) == {
        *("pickle", "urllib.request", "subprocess", "os.system", "os.execv", "eval", "np.load"),
        "allow_pickle=True",
    }
    assert offences("import re\nre.compile('x')\nmodel.eval()\n") == set()


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_no_module_runs_what_it_reads_or_reaches_out(path):
    text, allowed = path.read_text(encoding="utf-8"), WRITES_ONLY.get(_relative(path), set())
    assert offences(text) == allowed
    assert not (allowed and re.search(r"pickle\.(load|Unpickler)", text))


def test_compiled_code_is_called_in_one_module_alone():
    users = {
        _relative(path)
        for path in MODULES
        if any(name.split(".")[0] == "ctypes" for name in imported(ast.parse(path.read_text())))
    }
    assert users == {COMPILED}


READING = [path for path in MODULES if path.parent.name in ("genotype", "cohort", "relatedness")]


@pytest.mark.parametrize("path", READING, ids=_relative)
def test_no_assert_checks_a_file(path):
    """``python -O`` takes asserts out; those there are tell a type checker what is known."""
    tests = [
        ast.unparse(node.test)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert all(test.endswith("is not None") for test in tests)
