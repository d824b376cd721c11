"""Fixtures for all tests."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  # loads the library whose threads are limited below
from hypothesis import settings
from threadpoolctl import threadpool_limits

# Examples are drawn in the same way on every run, and a busy machine does not fail a test.
settings.register_profile("nextlmm", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("nextlmm")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small matrices are slower on many threads, and much slower when tests run side by side."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same for each test and each run."""
    return np.random.default_rng(20260701)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of reference data sets, which is not part of the distribution."""
    for folder in Path(__file__).resolve().parents:
        candidate = folder / "shared" / "data"
        if candidate.is_dir():
            return candidate
    pytest.skip("needs the reference data sets: no folder shared/data above the tests")
