"""What the audit of dependencies makes of the answers of pip-audit."""

import importlib.util
import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "audit_verdict.py"
SOUND = {"name": "a", "version": "1", "vulns": []}
UNKNOWN = {"name": "b", "skip_reason": "Dependency not found on PyPI"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


@pytest.fixture(scope="module")
def verdict():
    if not SCRIPT.is_file():
        pytest.skip("needs .ci, which is not part of the distribution")
    spec = importlib.util.spec_from_file_location("audit_verdict", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.verdict


@pytest.mark.parametrize(
    ("status", "found", "said", "expected", "words"),
    [
        (0, [SOUND], "", 0, "1 packages, 0 with vulnerabilities"),
        (0, [SOUND, UNKNOWN], "", 0, "not known to the service: b"),
        (0, [UNKNOWN, UNKNOWN], "", 0, "skipped: the service of advisories knows none"),
        (1, [SOUND, BAD], "", 1, "c 2: PYSEC-1, fixed in 3"),
        (1, None, "requests.exceptions.ConnectionError: x", 0, "skipped: .* cannot be reached"),
        (124, None, "", 0, "skipped: .* cannot be reached"),
        (1, None, "error: invalid requirement", 1, "invalid requirement"),
        (0, None, "nothing at all", 1, "nothing at all"),
    ],
)
def test_verdict(verdict, status, found, said, expected, words):
    answer = None if found is None else {"dependencies": found}
    code, lines = verdict(status, answer, said)
    assert code == expected
    assert re.search(words, "\n".join(lines))
