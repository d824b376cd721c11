"""Every file of the program that a page names is there."""

import re

import pytest

from .pages import ROOT, Page, pages

_FILE = re.compile(r"^[\w/]+/[\w.]+\.(py|js|md|jsonl)$")
PAGES = [page for page in pages() if (ROOT / "docs" / "conf.py").exists()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_that_is_named_exists(page: Page) -> None:
    named = {code for code in page.code() if _FILE.match(code)}
    roots = (ROOT, ROOT / "src", ROOT / "src" / "nextlmm", page.path.parent)
    missing = {name for name in named if not any((root / name).exists() for root in roots)}
    # A page on how to add a file names one that is not there yet.
    assert missing <= {"genotype/FORMAT.py"}, missing
