import pytest

from nextlmm.report.thresholds import (
    describe_threshold,
    genome_wide_threshold,
    suggestive_threshold,
)


@pytest.mark.parametrize(
    ("n_tested", "genome_wide", "suggestive"),
    [(0, 0.05, 1), (1, 0.05, 1), (5000, 1e-5, 2e-4), (1_000_000, 5e-8, 1e-6), (10**7, 5e-8, 1e-6)],
)
def test_thresholds(n_tested: int, genome_wide: float, suggestive: float) -> None:
    assert genome_wide_threshold(n_tested) == pytest.approx(genome_wide)
    assert suggestive_threshold(n_tested) == pytest.approx(suggestive)


def test_describe_threshold() -> None:
    assert describe_threshold(5000) == "1e-5 (0.05 / 5,000 tests)"
    assert describe_threshold(400_000) == "1.2e-7 (0.05 / 400,000 tests)"
    assert describe_threshold(10**7) == "5e-8"
