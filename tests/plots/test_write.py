"""Every plot of a finished run as files, and the plot of what was lost."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import nextlmm
from nextlmm import plots
from nextlmm.errors import MissingFileError, OutputError, UsageError
from nextlmm.report.figures import write_png
from nextlmm.run.pipeline import GwasRun

from ..run.conftest import Cohort, make_cohort, write_cohort

ALWAYS = {"manhattan", "qq", "qq-maf", "samples", "variants"}
OF_REPORTS = {"h2-profile", "trait", "covariate1"}
OF_SAMPLES = {"components", "components34", "relationships"}


def kinds(paths: list[Path], trait: str) -> set[str]:
    return {path.name.split(".")[1] for path in paths if path.name.startswith(f"{trait}.")}


def test_write_figures__every_plot_of_every_trait(run: GwasRun, tmp_path: Path) -> None:
    paths = plots.write_figures(str(run.files.document), str(tmp_path / "f"))
    assert sorted(paths) == sorted((tmp_path / "f").iterdir())
    regions = {f"region{at + 1}" for at in range(len(_portrait(run, "y")["regions"]))}
    assert regions
    assert kinds(paths, "y") == ALWAYS | OF_REPORTS | OF_SAMPLES | regions
    assert kinds(paths, "w") >= ALWAYS | OF_REPORTS
    assert not kinds(paths, "w") & OF_SAMPLES  # the samples are the same
    for path in paths:
        with Image.open(path) as image:
            assert len(image.convert("RGB").getcolors(2**20)) > 3
    handle = io.BytesIO()
    write_png(plots.relationships(run, trait="y"), handle)
    assert (tmp_path / "f" / "y.relationships.png").read_bytes() == handle.getvalue()


def _portrait(run: GwasRun, trait: str) -> dict[str, Any]:
    found: dict[str, Any] = run.document["traits"][trait]["portrait"]
    return found


def test_write_figures__the_same_bytes_in_every_format(run: GwasRun, tmp_path: Path) -> None:
    document = str(tmp_path / "y.json")
    content = json.loads(run.files.document.read_bytes())
    content["traits"] = {"y": content["traits"]["y"]}
    Path(document).write_text(json.dumps(content))
    one = plots.write_figures(document, str(tmp_path / "a"), ["svg"])
    two = plots.write_figures(document, str(tmp_path / "b"), ["pdf,svg"])
    again = [path for path in two if path.suffix == ".svg"]
    assert [path.name for path in one] == [path.name for path in again]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in again]
    starts = {path.suffix: path.read_bytes()[:5] for path in two}
    assert starts == {".svg": b"<?xml", ".pdf": b"%PDF-"}


def test_write_figures__of_a_run_without_a_report(cohort: Cohort, tmp_path: Path) -> None:
    run = nextlmm.gwas(nextlmm.GwasOptions(**write_cohort(tmp_path, cohort)))
    paths = plots.write_figures(str(run.files.document))
    assert {path.parent for path in paths} == {tmp_path / "result.figures"}
    assert kinds(paths, "y") == ALWAYS


def test_write_figures__leaves_nothing_behind(cohort: Cohort, tmp_path: Path) -> None:
    run = nextlmm.gwas(nextlmm.GwasOptions(**write_cohort(tmp_path, cohort)))
    document = str(run.files.document)
    with pytest.raises(UsageError, match="must be one of png, pdf, svg; did you mean png"):
        plots.write_figures(document, figures=("pmg",))
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"The folder .*taken cannot be made"):
        plots.write_figures(document, str(tmp_path / "taken"))
    run.files.traits["y"]["table"].unlink()
    with pytest.raises(MissingFileError, match="The table of trait 'y'"):
        plots.write_figures(document)
    assert not (tmp_path / "result.figures").exists()


def test_read_run__is_what_the_run_returned(run: GwasRun) -> None:
    again = nextlmm.read_run(str(run.files.document))
    assert again.document["traits"] == json.loads(json.dumps(run.document["traits"]))
    assert list(again.tables) == ["y", "w"]
    assert again.tables["y"]["variant_id"].equals(run.tables["y"]["variant_id"])
    assert again.files.paths() == run.files.paths()


def test_waterfall__says_every_number(tmp_path: Path) -> None:
    cohort = make_cohort(seed=2)
    files = write_cohort(tmp_path, cohort, missing_traits=(1, 2, 3))
    run = nextlmm.gwas(nextlmm.GwasOptions(**files, maf=0.3))
    axes = plots.waterfall(run, "variants").axes[0]
    shown = [text.get_text() for text in axes.texts]
    facts = run.document["traits"]["y"]["variants"]
    assert shown[0] == "240"
    assert shown[-1] == f"{facts['tested']:,}"
    assert axes.get_yticklabels()[0].get_text() == "in the genotypes"
    lost = sum(int(text[1:].replace(",", "")) for text in shown if text[0] == "\N{MINUS SIGN}")
    assert lost == 240 - facts["tested"]
    # the bars of what was lost lie end to end, between what there was and what is left
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert all(0 <= low <= high <= 240 for low, high in ends)
    texts = [text.get_text() for text in plots.waterfall(run).axes[0].texts]
    assert "\N{MINUS SIGN}3" in texts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3,), "a plot of losses got an object of type int"), ((None, "people"), "what is 'people'")],
)
def test_waterfall__what_it_cannot_draw(arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plots.waterfall(*arguments)


def test_waterfall__is_of_runs_with_a_document(run: GwasRun) -> None:
    assert plots.waterfall(replace(run), trait="w", title="t").axes[0].get_title("left") == "t"
