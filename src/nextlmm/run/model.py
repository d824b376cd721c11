"""Which model to fit and how to test: the choices that change a number."""

from dataclasses import dataclass
from typing import Literal

from nextlmm.assoc.scan import Test
from nextlmm.linalg.hodlr_build import Budget
from nextlmm.lmm.null import Method

Mode = Literal["hodlr", "dense"]
PerVariantH2 = Literal["never", "hits", "always"]
LocoH2 = Literal["shared", "per-chromosome"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """The choices of an analysis, as in ``GwasOptions`` and with the same meaning.

    ``budget`` is what the compression may cost; None in dense mode.
    """

    mode: Mode = "hodlr"
    test: Test = "wald"
    method: Method = "reml"
    per_variant_h2: PerVariantH2 = "never"
    hit_threshold: float = 1e-5
    loco_h2: LocoH2 = "shared"
    budget: Budget | None = None
    leaf_size: int = 128
    seed: int = 0

    def h2_of_test(self, h2: float, h2_ml: float) -> float:
        """The heritability at which the null model is tested; see ``nextlmm.assoc.scan``."""
        return h2 if self.test == "wald" or self.method == "he" else h2_ml
