import os
from pathlib import Path

import pytest

from nextlmm.errors import OutputError, UsageError
from nextlmm.output.names import run_files


def test_run_files__names() -> None:
    files = run_files("out/run", ["height"])
    assert files.document == Path("out/run.json")
    assert files.log == Path("out/run.log")
    assert files.traits["height"] == {
        "table": Path("out/run.height.tsv.gz"),
        "manhattan": Path("out/run.height.manhattan.png"),
        "qq": Path("out/run.height.qq.png"),
    }
    assert files.paths()[-1] == files.document
    assert len(files.paths()) == 5


def test_run_files__without_plots() -> None:
    assert set(run_files("run", ["height"], plots=False).traits["height"]) == {"table"}


def test_run_files__a_dot_in_the_prefix_is_kept() -> None:
    assert run_files("run.v2", ["a"]).document == Path("run.v2.json")


def test_run_files__characters_that_no_file_name_holds() -> None:
    paths = run_files("out/run", ["oil/protein: %"], plots=False).traits["oil/protein: %"]
    assert paths["table"] == Path("out/run.oil_protein__%.tsv.gz")


@pytest.mark.parametrize("traits", [("a/b", "a_b"), ("Height", "height")])
def test_run_files__two_traits_one_file(traits: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="would share the file name"):
        run_files("run", traits)


def test_run_files__never_over_an_input(tmp_path: Path) -> None:
    source = tmp_path / "run.log"
    source.write_text("")
    with pytest.raises(OutputError, match="is an input of this run"):
        run_files(str(tmp_path / "sub" / ".." / "run"), ["a"], inputs=[str(source)])


def test_run_files__an_existing_folder_is_no_prefix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"is a folder; .* such as {tmp_path}/gwas"):
        run_files(str(tmp_path), ["height"])


def test_run_files__letters_that_the_locale_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("ascii"))
    paths = run_files("run", ["größe"], plots=False).traits["größe"]
    assert paths["table"] == Path("run.gr__e.tsv.gz")


def test_run_files__report_and_leads() -> None:
    files = run_files("out/run", ["height"], report=True, plots=False)
    assert files.report == Path("out/run.html")
    assert files.traits["height"]["leads"] == Path("out/run.height.leads.tsv")
    assert files.report in files.paths()


def test_run_files__plots_in_several_formats() -> None:
    files = run_files("run", ["a"], plot_formats=("pdf", "png", "svg")).traits["a"]
    assert files == {
        "table": Path("run.a.tsv.gz"),
        "manhattan_pdf": Path("run.a.manhattan.pdf"),
        "manhattan": Path("run.a.manhattan.png"),
        "manhattan_svg": Path("run.a.manhattan.svg"),
        "qq_pdf": Path("run.a.qq.pdf"),
        "qq": Path("run.a.qq.png"),
        "qq_svg": Path("run.a.qq.svg"),
    }
