"""P-values that count as evidence, given how many variants were tested."""

from nextlmm.report.wording import exponent

HUMAN_GENOME_WIDE = 5e-8
"""0.05 over about a million independent common variants of a human genome."""

_HUMAN_SUGGESTIVE = 20 * HUMAN_GENOME_WIDE


def genome_wide_threshold(n_tested: int) -> float:
    """P-value that a variant must stay below to be called genome-wide significant.

    Bonferroni's 0.05 / tests, but never stricter than 5e-8, which stands for the number of
    independent common variants of a human genome however many are tested.
    """
    return max(HUMAN_GENOME_WIDE, 0.05 / max(n_tested, 1))


def suggestive_threshold(n_tested: int) -> float:
    """P-value that about one of ``n_tested`` null variants passes; never stricter than 1e-6."""
    return max(_HUMAN_SUGGESTIVE, 1.0 / max(n_tested, 1))


def describe_threshold(n_tested: int) -> str:
    """The genome-wide threshold and where it comes from: 5e-8, or 1e-5 (0.05 / 5,000 tests)."""
    threshold = genome_wide_threshold(n_tested)
    origin = f" (0.05 / {n_tested:,} tests)" if threshold > HUMAN_GENOME_WIDE else ""
    return exponent(threshold) + origin


def describe_suggestive(n_tested: int) -> str:
    """The same of the suggestive threshold: 1e-6, or 2e-4 (1 / 5,000 tests)."""
    threshold = suggestive_threshold(n_tested)
    origin = f" (1 / {n_tested:,} tests)" if threshold > _HUMAN_SUGGESTIVE else ""
    return exponent(threshold) + origin
