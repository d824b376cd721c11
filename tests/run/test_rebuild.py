"""Documents that are not as a run wrote them."""

import json

import pytest

from nextlmm import GwasOptions, gwas
from nextlmm.errors import FormatError, MissingFileError
from nextlmm.run.clump import clump
from nextlmm.run.clump_options import ClumpOptions
from nextlmm.run.rebuild import rebuild_report

from .conftest import make_cohort, write_cohort


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    gwas(GwasOptions(**write_cohort(folder, make_cohort(40, 60)), threads=1))
    return folder / "result.json"


@pytest.fixture
def changed(finished, tmp_path):
    """The document with changed text, or changed entries, beside its table."""

    def change(old=None, new="", **entries):
        text = finished.read_text()
        if old is not None:
            assert old in text
            text = text.replace(old, new)
        if entries:
            text = json.dumps(json.loads(text) | entries)
        path = tmp_path / "result.json"
        path.write_text(text)
        (tmp_path / "result.y.tsv.gz").write_bytes(
            finished.with_name("result.y.tsv.gz").read_bytes()
        )
        return path

    return change


def test_the_document_of_a_run_makes_a_page(changed):
    assert rebuild_report(str(changed())).read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "entries",
    [
        {"traits": []},
        {"traits": {"y": None}},
        {"traits": {"y": {"files": {"table": "result.y.tsv.gz"}}}},
        {"traits": 7},
        {"machine": "x"},
        {"work": {"reading": 3}},
        {"seconds": "long"},
        {"inputs": {"bed": []}},
    ],
)
def test_other_entries_are_a_sentence(changed, tmp_path, entries):
    with pytest.raises((FormatError, MissingFileError)) as caught:
        rebuild_report(str(changed(**entries)))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "result.html").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_numbers_that_are_none(changed):
    with pytest.raises(FormatError, match="it holds NaN, which is no number"):
        rebuild_report(str(changed('"peak_memory_bytes": ', '"peak_memory_bytes": NaN, "p": ')))


def test_a_document_that_nests_without_end(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    with pytest.raises(FormatError, match="it is not JSON"):
        rebuild_report(str(path))


@pytest.mark.parametrize("options", [[], None, {"bfile": 7, "pheno": []}])
def test_clump__other_options(changed, tmp_path, options):
    with pytest.raises(Exception, match=r"result\.json|bfile") as caught:
        clump(str(changed(options=options)), ClumpOptions(out=str(tmp_path / "again")))
    assert type(caught.value).__module__ == "nextlmm.errors"
