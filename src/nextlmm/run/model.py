"""Which model to fit and how to test: the choices that change a number."""

from dataclasses import dataclass, fields
from typing import Literal, Self

from nextlmm.assoc.scan import Test
from nextlmm.linalg.hodlr_build import Budget
from nextlmm.lmm.null import Method
from nextlmm.relatedness.grm import Weighting
from nextlmm.run.options import DEFAULT_KL_TOLERANCE, GwasOptions, Mode, Route

PerVariantH2 = Literal["never", "hits", "always"]
LocoH2 = Literal["shared", "per-chromosome"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """The choices of an analysis: fields of ``GwasOptions`` by the same names and meanings.

    Raises
    ------
    UsageError
        As ``GwasOptions`` does.
    """

    mode: Mode = "exact"
    test: Test = "wald"
    method: Method = "reml"
    per_variant_h2: PerVariantH2 = "never"
    hit_threshold: float = 1e-5
    loco: bool = True
    loco_h2: LocoH2 = "shared"
    grm_weighting: Weighting = "standardized"
    route: Route = "auto"
    z_tolerance: float = 1e-3
    memory: float | None = None
    kl_tolerance: float | None = None
    rank: int | None = None
    leaf_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what the options of a run would refuse."""
        choices = {field.name: getattr(self, field.name) for field in fields(self)}
        GwasOptions(bfile="array", pheno="array", out="array", **choices)

    @classmethod
    def from_options(cls, options: GwasOptions) -> Self:
        """The part of the options of a run that changes a number."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})

    @property
    def budget(self) -> Budget | None:
        """What the compression may cost; None where the matrix stays exact."""
        if self.mode != "hodlr":
            return None
        if self.rank is None and self.kl_tolerance is None:
            return Budget(kl=DEFAULT_KL_TOLERANCE)
        return Budget(kl=self.kl_tolerance, rank=self.rank)

    def h2_of_test(self, h2: float, h2_ml: float) -> float:
        """The heritability at which the null model is tested; see ``nextlmm.assoc.scan``."""
        return h2 if self.test == "wald" or self.method == "he" else h2_ml
