"""Variants that a reader hands over one by one, brought together in blocks and columns."""

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.held import Collector
from nextlmm.genotype.tables import VariantTable, string_array

_BLOCK = 256


class VariantRows:
    """Collects variants one at a time: genotypes for a `Collector`, all else for the table."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._waiting: list[NDArray[np.float32]] = []
        self._chromosome: list[str] = []
        self._variant_id: list[str] = []
        self._position: list[int] = []
        self._effect: list[str] = []
        self._other: list[str] = []
        self._known: dict[str, str] = {}  # one string for all variants that share it

    def add(
        self,
        chromosome: str,
        variant_id: str,
        position: int,
        effect: str,
        other: str,
        dosage: NDArray[np.float32],
    ) -> None:
        """Take a variant and the copies of its effect allele, (n,)."""
        self._chromosome.append(self._known.setdefault(chromosome, chromosome))
        self._variant_id.append(variant_id)
        self._position.append(position)
        self._effect.append(self._known.setdefault(effect, effect))
        self._other.append(self._known.setdefault(other, other))
        self._waiting.append(dosage)
        if len(self._waiting) == _BLOCK:
            self._hand_over()

    def table(self) -> VariantTable:
        """The variants taken, all of them handed over."""
        self._hand_over()
        return VariantTable(
            chromosome=string_array(self._chromosome),
            variant_id=string_array(self._variant_id),
            position_bp=np.array(self._position, dtype=np.int64),
            effect_allele=string_array(self._effect),
            other_allele=string_array(self._other),
        )

    def _hand_over(self) -> None:
        if self._waiting:
            self._collector.add(np.stack(self._waiting))
            self._waiting = []
