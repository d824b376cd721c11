"""How variants are to be thinned by their correlation, as it is asked for.

Light, so that options can be checked before any numerical library is loaded.
"""

import math
from dataclasses import dataclass

from nextlmm.errors import UsageError


@dataclass(frozen=True)
class Pruning:
    """How variants are thinned.

    Attributes
    ----------
    window : reach of a window, in variants, or in kilobases if ``is_kb``.
    step : variants by which a window moves on.
    r2 : squared correlation above which one of two variants goes.
    is_kb : whether the window is in kilobases.
    """

    window: float
    step: int
    r2: float
    is_kb: bool = False

    def __str__(self) -> str:
        unit = " kb" if self.is_kb else " variants"
        return f"window {self.window:g}{unit}, step {self.step}, r2 {self.r2:g}"


def parse_pruning(text: str) -> Pruning:
    """Read WINDOW,STEP,R2, the window as 200 (variants) or 500kb; a step of 1 may be left out.

    Raises
    ------
    UsageError
        If it is not of this form, or a number is out of its range.
    """
    parts = text.replace(",", " ").split()
    if len(parts) > 1 and parts[1].casefold() == "kb":
        parts[:2] = ["".join(parts[:2])]
    expected = UsageError(
        f"Option grm-prune is {text[:80]!r}, but it must be WINDOW,STEP,R2: a window of at least 2 "
        "variants (200) or above 0 kb (500kb), a step of at least 1 variant, and a squared "
        "correlation from 0 to below 1, as in 200,50,0.2 or 500kb,1,0.2."
    )
    if len(parts) not in (2, 3):
        raise expected
    window = parts[0].casefold()
    is_kb = window.endswith("kb")
    try:
        size = float(window.removesuffix("kb")) if is_kb else float(int(window))
        step = int(parts[1]) if len(parts) == 3 else 1
        r2 = float(parts[-1])
    except (ValueError, OverflowError):
        raise expected from None
    if not ((0.0 < size < math.inf if is_kb else size >= 2) and step >= 1 and 0.0 <= r2 < 1.0):
        raise expected
    return Pruning(size, step, r2, is_kb)
