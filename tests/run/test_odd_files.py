"""The page docs/odd-files.md says what happens to every odd file."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def odd_files():
    path = ROOT / "validation" / "odd_files.py"
    if not path.is_file():
        pytest.skip("needs validation/odd_files.py, which is not part of the distribution")
    spec = importlib.util.spec_from_file_location("odd_files", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["odd_files"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules["odd_files"]


@pytest.fixture(scope="module")
def formats(shared_data):
    return shared_data / "formats"


@pytest.fixture(scope="module")
def found(odd_files, formats):
    return list(odd_files.outcomes(formats))


def test_every_file_of_the_collection_is_in_the_page(odd_files, formats):
    prefixes = {path.stem for path in (formats / "odd").glob("*.bed")}
    used = {name for name in odd_files.GENOTYPES if not name.startswith("..")}
    assert used == prefixes
    tables = {path.name for path in (formats / "odd").iterdir() if path.suffix in (".txt", ".csv")}
    assert set(odd_files.TABLES) == tables - {"numeric_ids.pheno.txt"}


def test_every_outcome_is_as_the_page_says(odd_files, found):
    page = (ROOT / "docs" / "odd-files.md").read_text().splitlines()
    assert odd_files.document(found).splitlines() == page


def test_what_plink_reads_is_read_or_has_one_known_defect(found):
    """Samples that cannot be told apart, and one sample, are no cohort."""
    refused = {one.name for one in found if "read" in (one.plink1, one.plink2) and not one.is_read}
    assert refused == {"dup_fid_iid", "onesample"}
