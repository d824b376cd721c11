"""A run of two traits with a report, and an analysis of the same arrays."""

import polars as pl
import pytest

from nextlmm.run.analysis import Analysis
from nextlmm.run.arrays import associate
from nextlmm.run.model import Model
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import GwasRun, gwas

from ..run.conftest import Cohort, make_cohort, write_cohort


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    return make_cohort()


@pytest.fixture(scope="session")
def run(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> GwasRun:
    folder = tmp_path_factory.mktemp("plots")
    files = write_cohort(folder, cohort)
    lines = (folder / "traits.txt").read_text().splitlines()
    more = ["w", *(f"{(7 * i) % 31}" for i in range(len(lines) - 1))]
    text = "\n".join(f"{line} {value}" for line, value in zip(lines, more, strict=True))
    (folder / "traits.txt").write_text(text + "\n")
    return gwas(GwasOptions(**(files | {"report": True, "trait": ("y", "w")}), leaf_size=16))


@pytest.fixture(scope="session")
def analysis(cohort: Cohort) -> Analysis:
    return associate(cohort.y, cohort.dosage, model=Model(mode="dense"))


@pytest.fixture
def table(run: GwasRun) -> pl.DataFrame:
    return run.tables["y"]
