"""Genotypes collected in memory: packed while every one is a call, as numbers otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError
from nextlmm.genotype.array import ArraySource
from nextlmm.genotype.counts import GenotypeCounts
from nextlmm.genotype.packed import PackedGenotypes, packed_calls
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable

_MOST_COPIES = 2.0


@dataclass(frozen=True, eq=False)
class PackedSource:
    """Called genotypes, packed in memory or in a file.

    Attributes
    ----------
    path : where they come from, for messages.
    samples, variants : the two axes.
    genotypes : the packed genotypes of all of them.
    files : path of every file that they were read from, by role.
    """

    path: str
    samples: SampleTable
    variants: VariantTable
    genotypes: PackedGenotypes
    files: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<{self.path}: {len(self.samples):,} samples, {len(self.variants):,} variants>"

    def dosages(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> NDArray[np.float32]:
        """Copies of the effect allele, (n_samples, n_variants) in Fortran order, NaN if missing.

        Cost: O(genotypes), some 2 G genotypes a second on one core for all samples and a third
        of that for a subset; memory is the result and 2 MB.

        Raises
        ------
        FormatError
            If they are in a file that has become shorter since it was opened; so does
            ``genotype_counts``.
        """
        return self.genotypes.dosages(variants, samples)

    def genotype_counts(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> GenotypeCounts:
        """Genotype counts of the variants over the samples, which must be distinct.

        Cost: some 10 G genotypes a second on one core, whatever the number of samples chosen.
        """
        return self.genotypes.counts(variants, samples)


class TooLargeError(FormatError):
    """Genotypes that have to be in memory do not fit."""


class Collector:
    """Takes blocks of variants and holds them: two bits a genotype, or a float32 for a dosage.

    Parameters
    ----------
    path : where the genotypes come from, for messages.
    n_samples : of every block.
    held_bytes : most memory that they may take.
    """

    def __init__(self, path: str, n_samples: int, held_bytes: float) -> None:
        self._path, self._n, self._held_bytes = path, n_samples, held_bytes
        self._blocks: list[NDArray[Any]] = []
        self._is_packed = True
        self._n_bytes = 0
        self._n_variants = 0

    def add(self, dosages: NDArray[np.float32]) -> None:
        """Take dosages (b, n) of the next variants, NaN where missing.

        Raises
        ------
        FormatError
            If a dosage is outside [0, 2].
        TooLargeError
            If the genotypes need more memory than allowed.
        """
        self._check(dosages)
        packed = packed_calls(dosages) if self._is_packed else None
        if packed is None and self._is_packed:
            self._is_packed = False
            self._blocks = [self._unpacked(block) for block in self._blocks]
            self._n_bytes = sum(block.nbytes for block in self._blocks)
        self._blocks.append(dosages.copy() if packed is None else packed)
        self._n_variants += len(dosages)
        self._n_bytes += self._blocks[-1].nbytes
        if self._n_bytes > self._held_bytes:
            raise TooLargeError(
                f"{self._path} holds more genotypes than fit in the memory for them "
                f"({self._held_bytes / 2**30:.2f} GiB, reached after {self._n_variants:,} "
                "variants); allow more (--memory), or convert it once with plink2 --make-pgen or "
                "--make-bed, which are read piece by piece"
            )

    def source(
        self, samples: SampleTable, variants: VariantTable, files: Mapping[str, str]
    ) -> "PackedSource | ArraySource":
        """All that was taken, with its axes."""
        if self._is_packed:
            none = np.empty((0, -(-self._n // 4)), np.uint8)
            packed = PackedGenotypes(np.vstack([none, *self._blocks]), self._n)
            return PackedSource(self._path, samples, variants, packed, files)
        values = np.vstack(self._blocks).T
        values.setflags(write=False)
        return ArraySource(samples, variants, values, self._path, files)

    def _check(self, dosages: NDArray[np.float32]) -> None:
        outside = (dosages < 0.0) | (dosages > _MOST_COPIES)
        if outside.any():
            variant, sample = np.argwhere(outside)[0]
            raise FormatError(
                f"{self._path} holds a dosage of {dosages[variant, sample]:g} at variant "
                f"{self._n_variants + variant + 1}, sample {sample + 1}; expected copies of an "
                "allele, 0 to 2: check how the file was made"
            )

    def _unpacked(self, packed: NDArray[np.uint8]) -> NDArray[np.float32]:
        every = np.arange(len(packed))
        return np.ascontiguousarray(PackedGenotypes(packed, self._n).dosages(every).T)
