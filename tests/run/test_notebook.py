"""Results as a notebook shows them, and as data frames of pandas."""

import numpy as np
import pytest

from nextlmm.errors import UsageError
from nextlmm.run.arrays import associate
from nextlmm.run.model import Model
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas


@pytest.fixture(scope="module")
def analysis(cohort):
    return associate(cohort.y, cohort.dosage, model=Model(mode="dense"))


def test_repr_html__of_an_analysis_and_its_null_model(analysis):
    null = analysis.null
    for html in (analysis._repr_html_(), null._repr_html_()):
        assert f"{null.h2:.4f} (standard error {null.h2_se:.3f})" in html
        assert f"{null.log_likelihood:.3f} (REML)" in html
    html = analysis._repr_html_()
    assert f"{analysis.lambda_gc:.3f}" in html
    assert "variant6" in html
    assert "nothing was approximated" in html


def test_repr_html__warns_first(analysis, cohort):
    noise = np.random.default_rng(3).normal(size=len(cohort.y))
    bound = associate(noise, cohort.dosage, model=Model(mode="dense"))
    assert bound.warnings
    for html in (bound._repr_html_(), bound.null._repr_html_()):
        assert html.index("end of its range, h2 =") < html.index("log-likelihood</td>")


def test_repr_html__of_a_run(files):
    run = gwas(GwasOptions(**files))
    html = run._repr_html_()
    assert "Trait y" in html
    assert str(run.files.document) in html


def test_to_pandas__of_a_run_and_an_analysis(files, analysis):
    pytest.importorskip("pandas")
    run = gwas(GwasOptions(**files))
    assert run.to_pandas().shape == run.tables["y"].shape
    np.testing.assert_array_equal(
        run.to_pandas("y")["beta"], run.tables["y"]["beta"].fill_null(np.nan)
    )
    assert analysis.to_pandas().shape == analysis.table.shape
    with pytest.raises(UsageError, match="no trait 'z'; there are: y"):
        run.to_pandas("z")
