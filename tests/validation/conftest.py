"""The checks in the folder validation, which is not part of the distribution."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def _validation():
    """Make the package ``validation`` of a checkout importable, or skip."""
    if not (ROOT / "validation" / "claims.py").is_file():
        pytest.skip("needs the folder validation, which is not part of the distribution")
    sys.path.insert(0, str(ROOT))
    yield
    sys.path.remove(str(ROOT))
