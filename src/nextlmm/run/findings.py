"""What every route to the results hands over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nextlmm.lmm.null import NullModel
from nextlmm.run.columns import ScanColumns
from nextlmm.run.structure import Structure


@dataclass(frozen=True, eq=False)
class Findings:
    """Null model and tests of one trait.

    Attributes
    ----------
    null : the null model over the whole genome.
    columns : results of disjoint sets of variants.
    certificate : how far they are from the exact model's, as JSON values.
    h2_by_chromosome : heritability with each chromosome left out, where it was estimated.
    warnings : sentences about how far the results can be trusted.
    structure : the order of the samples and the blocks over them, where the route needed them.
    """

    null: NullModel
    columns: Sequence[ScanColumns]
    certificate: dict[str, Any]
    h2_by_chromosome: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    structure: Structure | None = None
