"""The portrait of a trait by every route, and the report made again from the document."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nextlmm.errors import FormatError, MissingFileError, OutputError, UsageError
from nextlmm.linalg.tree import balanced_tree
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from nextlmm.run.portrait import distribution
from nextlmm.run.rebuild import rebuild_report
from nextlmm.run.structure import Block, blocks_of_tree
from nextlmm.testing import reference

ROUTES = {
    "dense": {"mode": "dense"},
    "exact": {"mode": "exact"},
    "products": {"mode": "exact", "route": "hodlr"},
    "components": {"mode": "exact", "route": "components"},
    "compressed": {
        "mode": "hodlr",
        "rank": 3,
    },
    "not compressible": {
        "mode": "hodlr",
    },
}


def portrait_of(files, **choices):
    options = GwasOptions(**(files | {"report": True, "loco": False, "leaf_size": 16} | choices))
    return gwas(options).document["traits"]["y"]["portrait"]


@pytest.mark.parametrize("route", ROUTES)
def test_structure__is_that_of_the_relationship_matrix(cohort, files, route):
    structure = portrait_of(files, **ROUTES[route])["structure"]
    varying = np.delete(cohort.dosage, [11, 12], axis=1)
    k = reference.relationship_matrix(varying)
    # With fewer samples than cells every cell is a pair, but in an order of the route's own.
    cells = np.array(structure["cells"])
    assert cells.shape == k.shape
    np.testing.assert_allclose(np.sort(cells.diagonal()), np.sort(k.diagonal()), atol=6e-4)
    np.testing.assert_allclose(np.linalg.eigvalsh(cells), np.linalg.eigvalsh(k), atol=0.02)
    components = np.array(structure["components"])
    values = np.linalg.eigvalsh(k)[::-1][: len(components)]
    np.testing.assert_allclose((components**2).sum(axis=1), values, rtol=0.02)
    # The order is the same for both: the first component is an eigenvector of the cells.
    first = components[0] / np.linalg.norm(components[0])
    np.testing.assert_allclose(first @ cells @ first, values[0], rtol=0.02)
    assert structure["blocks"]
    for start, middle, stop, _ in structure["blocks"]:
        assert 0 <= start < middle < stop <= structure["n"]


def test_structure__has_the_ranks_of_the_factor(files):
    compressed = portrait_of(files, **ROUTES["compressed"])["structure"]
    assert {rank for *_, rank in compressed["blocks"]} == {3}
    exact = portrait_of(files, **ROUTES["dense"])["structure"]
    assert {rank for *_, rank in exact["blocks"]} == {None}


def test_structure__relatives_and_populations_are_neighbours(files):
    """In the order of the hierarchy neighbours are more related than samples at a distance."""
    cells = np.array(portrait_of(files, **ROUTES["dense"])["structure"]["cells"])
    apart = np.abs(np.subtract.outer(np.arange(len(cells)), np.arange(len(cells))))
    near = cells[(apart > 0) & (apart < 10)].mean()
    assert near > cells[apart >= 40].mean() + 0.02


def test_blocks_of_tree__are_the_cuts_that_can_be_seen():
    tree = balanced_tree(1000, 4)
    blocks = blocks_of_tree(tree.root)
    assert blocks[0] == Block(0, 500, 1000, None)
    assert min(block.stop - block.start for block in blocks) >= 1000 / 64


def test_traits_of_the_same_samples_are_portrayed_once(cohort, files):
    path = Path(files["pheno"])
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [f"{line} {'z' if at == 0 else at % 7}" for at, line in enumerate(lines)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = GwasOptions(**files | {"report": True, "trait": ("y", "z")})
    traits = gwas(options).document["traits"]
    assert "cells" in traits["y"]["portrait"]["structure"]
    assert traits["z"]["portrait"]["structure"] == {"same_as": "y"}


def test_distributions__count_every_sample(cohort, files):
    trait, covariate = portrait_of(files)["distributions"]
    assert (trait["name"], covariate["name"]) == ("y", "age")
    assert sum(trait["counts"]) == sum(covariate["counts"]) == len(cohort.y)
    assert trait["mean"] == pytest.approx(cohort.y.mean())
    few = distribution("sex", np.array([2.0, 1.0, 1.0]))
    assert few == {"name": "sex", "values": ["1", "2"], "counts": [2, 1]}


def test_profile__is_highest_at_h2(files):
    options = GwasOptions(**(files | {"report": True, "mode": "dense"}))
    facts = gwas(options).document["traits"]["y"]
    h2, value = np.array(facts["portrait"]["profile"]).T
    assert value.max() <= facts["log_likelihood"] + 1e-9
    assert abs(h2[value.argmax()] - facts["h2"]) < 0.05


@pytest.fixture
def finished(files):
    run = gwas(GwasOptions(**(files | {"report": True, "out": files["out"]})))
    return run.files


def test_rebuild__gives_the_same_bytes_without_genotypes(finished, files, tmp_path):
    before = finished.report.read_bytes()
    for end in (".bed", ".bim", ".fam"):
        (tmp_path / f"geno{end}").unlink()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (finished.document, finished.traits["y"]["table"]):
        shutil.move(path, moved / path.name)
    written = rebuild_report(str(moved / finished.document.name))
    assert written == moved / "result.html"
    assert written.read_bytes() == before


def test_rebuild__does_not_change_what_a_run_would_write(files):
    """A run without a report leaves a document from which a plainer one can be made."""
    run = gwas(GwasOptions(**files))
    assert run.files.report is None
    assert "leads" not in run.files.traits["y"]
    page = rebuild_report(str(run.files.document)).read_text(encoding="utf-8")
    assert "Manhattan plot" in page
    assert "Relationships" not in page


def test_rebuild__names_what_is_wrong(finished, tmp_path):
    document, table = finished.document, finished.traits["y"]["table"]
    with pytest.raises(MissingFileError, match=r"nope\.json cannot be read"):
        rebuild_report(str(tmp_path / "nope.json"))
    with pytest.raises(FormatError, match="not a result document: it is not JSON"):
        rebuild_report(str(tmp_path / "geno.bim"))
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(FormatError, match="has no 'nextlmm'"):
        rebuild_report(str(tmp_path / "other.json"))
    with pytest.raises(UsageError, match="made from"):
        rebuild_report(str(document), str(table))
    with pytest.raises(OutputError, match="does not exist"):
        rebuild_report(str(document), str(tmp_path / "none" / "page.html"))
    content = json.loads(document.read_text())
    content["traits"]["y"]["variants"]["selected"] = 7
    (tmp_path / "result2.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match="has 240 variants, but trait 'y' of the document has 7"):
        rebuild_report(str(tmp_path / "result2.json"))
    table.write_bytes((tmp_path / "geno.bim").read_bytes())
    with pytest.raises(FormatError, match="is not the table of trait 'y'"):
        rebuild_report(str(document))
    table.unlink()
    with pytest.raises(MissingFileError, match="put it beside the document"):
        rebuild_report(str(document))
