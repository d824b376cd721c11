"""Bad input that programs for mixed models are known to read without a word, or to fail on.

Every kind is refused in one sentence that names the file with line, column, sample or value, with
an exit status that is not 0, and with nothing written.  `nextlmm check` says the same.
"""

from pathlib import Path

import numpy as np
import pytest

from nextlmm.cli.main import main
from nextlmm.run.options import GwasOptions

from ..run.conftest import make_cohort, write_cohort


@pytest.fixture
def files(tmp_path: Path) -> dict[str, object]:
    """A cohort on disk, and the options of a run on it."""
    return write_cohort(tmp_path, make_cohort(n=60, m=90))


def replaced(path: str, line: int, column: int, text: str) -> None:
    """Put a text in place of a cell; lines and columns count from 1."""
    lines = Path(path).read_text().splitlines()
    cells = lines[line - 1].split()
    cells[column - 1] = text
    lines[line - 1] = " ".join(cells)
    Path(path).write_text("\n".join(lines) + "\n")


def with_every(path: str, column: int, text: str) -> None:
    """Put a text in place of a column."""
    for line in range(2, len(Path(path).read_text().splitlines()) + 1):
        replaced(path, line, column, text)


def truncated_bed(files: dict[str, object]) -> list[str]:
    bed = Path(f"{files['bfile']}.bed")
    size = bed.stat().st_size
    bed.write_bytes(bed.read_bytes()[: int(0.44 * size)])
    return [str(bed), f"expected {size:,} bytes", "ends inside variant 40"]


def word_in_a_trait(files: dict[str, object]) -> list[str]:
    replaced(str(files["pheno"]), 7, 2, "abc")
    return [f"{files['pheno']}, line 7", "trait 'y'", "sample 's5'", "'abc'"]


def constant_trait(files: dict[str, object]) -> list[str]:
    with_every(str(files["pheno"]), 2, "4.5")
    return ["trait 'y'", str(files["pheno"]), "is 4.5 in all 60 analysed samples"]


def collinear_covariates(files: dict[str, object]) -> list[str]:
    path = Path(str(files["covar"]))
    head, *rows = path.read_text().splitlines()
    lines = [f"{head} months", *(f"{row} {12.0 * float(row.split()[1])!r}" for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return [str(path), "age", "months"]


def other_samples(files: dict[str, object]) -> list[str]:
    path = Path(str(files["pheno"]))
    path.write_text(path.read_text().replace("s", "person"))
    return [str(path), "'person0'", "'s0'", "none of the 60 samples"]


def unknown_trait(files: dict[str, object]) -> list[str]:
    files["trait"] = ("Y2",)
    return ["no trait 'Y2'", str(files["pheno"]), "did you mean 'y'?"]


ROWS = [
    truncated_bed,
    word_in_a_trait,
    constant_trait,
    collinear_covariates,
    other_samples,
    unknown_trait,
]


@pytest.mark.parametrize("spoil", ROWS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("command", ["gwas", "check"])
def test_bad_input_is_refused_by_name(
    tmp_path: Path,
    files: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    spoil: object,
    command: str,
) -> None:
    expected = spoil(files)  # type: ignore[operator]
    before = sorted(tmp_path.iterdir())
    arguments = GwasOptions(**files).to_arguments()  # type: ignore[arg-type]
    status = main([command, *arguments])
    captured = capsys.readouterr()
    said = captured.err if command == "gwas" else captured.out
    said = " ".join(said.split())
    assert status == (3 if command == "gwas" else 1)
    assert "Traceback" not in said
    for part in expected:
        assert part.casefold() in said.casefold()
    assert sorted(tmp_path.iterdir()) == before
    if command == "gwas":
        assert len(captured.err.splitlines()) == 1
        assert captured.out == ""


def test_a_matrix_without_identifiers_is_refused(
    tmp_path: Path, files: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """In another order than the genotypes it would go unnoticed."""
    np.save(tmp_path / "k.npy", np.eye(60))
    options = GwasOptions(**files, grm=str(tmp_path / "k.npy"), loco=False)  # type: ignore[arg-type]
    assert main(["gwas", *options.to_arguments()]) == 2
    assert "Nothing says which samples the rows of" in capsys.readouterr().err
