import pytest

from nextlmm.report.wording import (
    count,
    duration,
    exponent,
    interval_bar,
    real,
    real_up,
    reasons,
    sentence,
    size,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.12345, "0.123"), (123.45, "123"), (-0.02, "-0.0200"), (1e-7, "1e-7")],
)
def test_real(value: float, text: str) -> None:
    assert real(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0411, "0.042"), (0.041, "0.041"), (1.234, "1.3"), (0.0999, "0.10")]
)
def test_real_up(value: float, text: str) -> None:
    assert real_up(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(5e-8, "5e-8"), (1.23e-7, "1.2e-7"), (1e-5, "1e-5"), (2e10, "2e10")]
)
def test_exponent(value: float, text: str) -> None:
    assert exponent(value) == text


def test_count() -> None:
    assert count(1, "locus", "loci") == "1 locus"
    assert count(2, "locus", "loci") == "2 loci"
    assert count(1092, "sample") == "1,092 samples"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(12, "12 bytes"), (1204000, "1.20 MB"), (2.5e9, "2.50 GB"), (5e15, "5000 TB")],
)
def test_size(n_bytes: float, text: str) -> None:
    assert size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.012, "0.01 s"),
        (0.31, "0.31 s"),
        (4.25, "4.2 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_reasons() -> None:
    assert reasons({"without a trait": 6, "removed": 0, "rare": 1200}) == (
        "6 without a trait, 1,200 rare"
    )
    assert reasons({}) == ""


def test_interval_bar() -> None:
    assert interval_bar(0.5, (0.25, 0.75), width=9) == "0 ..==|==.. 1"
    assert interval_bar(0.0, (0.0, 1.0), width=5) == "0 |==== 1"
    assert interval_bar(1.0, (0.9, 1.2), width=5) == "0 ....| 1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the trait is constant", "The trait is constant."),
        ("height is constant", "height is constant."),
        ("traits.txt, line 3: no", "traits.txt, line 3: no."),
        ("did you mean b?", "Did you mean b?"),
    ],
)
def test_sentence(text: str, shown: str) -> None:
    assert sentence(text, ["height"]) == shown
