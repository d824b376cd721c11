"""Genotypes that are already an array in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextlmm.errors import AlignmentError, FormatError
from nextlmm.genotype.arraylike import numpy_array
from nextlmm.genotype.tables import IndexArray, SampleTable, VariantTable, string_array

_MOST_COPIES = 2.0
_OTHER_SHAPE = "put the samples in rows and the variants in columns"
_OTHER_TYPE = "leave out columns of words, and recode genotypes as copies of one allele"


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Dosages held in memory as float32; made by :func:`array_source`, or read from ``files``."""

    samples: SampleTable
    variants: VariantTable
    _dosages: NDArray[np.float32]  # (n, m), Fortran order
    path: str = "the genotype array"
    files: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<{self.path}: {len(self.samples):,} samples, {len(self.variants):,} variants>"

    def dosages(
        self, variants: IndexArray, samples: IndexArray | None = None
    ) -> NDArray[np.float32]:
        """Copies of the effect allele, (n_samples, n_variants) in Fortran order, NaN if missing."""
        by_variant = self._dosages.T[variants]
        return (by_variant if samples is None else by_variant.take(samples, axis=1)).T


def array_source(
    dosages: ArrayLike,
    sample_ids: Sequence[str] | None = None,
    variants: VariantTable | None = None,
) -> ArraySource:
    """Make a source of an array of dosages.

    Parameters
    ----------
    dosages : (n, m) copies of the effect allele, 0 to 2, whole or fractional; NaN (or a masked
        entry) where missing; of any library that :func:`numpy_array` knows.
    sample_ids : n IDs, also taken as family IDs; "sample1" ... if not given.
    variants : the m variants; if not given they are "variant1" ... on chromosome "0" (unknown), at
        positions 1 to m, with alleles ".".

    Raises
    ------
    FormatError
        If the array is not two-dimensional, not numeric, or holds a value outside [0, 2].
    AlignmentError
        If the IDs or variants do not fit the array.

    Cost: one float32 copy of the array.
    """
    values = _as_dosages(dosages)
    n_samples, n_variants = values.shape
    if sample_ids is None:
        sample_ids = [f"sample{i}" for i in range(1, n_samples + 1)]
    if len(sample_ids) != n_samples:
        raise AlignmentError(
            f"the genotype array has {n_samples} rows and there are {len(sample_ids)} sample IDs; "
            "expected one ID per row: pass the IDs in the order of the rows"
        )
    if variants is None:
        variants = _unnamed_variants(n_variants)
    if len(variants) != n_variants:
        raise AlignmentError(
            f"the genotype array has {n_variants} columns and the table lists {len(variants)} "
            "variants; expected one per column: is the array (samples, variants)?"
        )
    ids = string_array(str(sample_id) for sample_id in sample_ids)
    return ArraySource(SampleTable(ids, ids, "the genotype array"), variants, values)


def _as_dosages(dosages: ArrayLike) -> NDArray[np.float32]:
    array: np.ma.MaskedArray[Any, Any] = _numeric(np.ma.asanyarray(numpy_array(dosages)))
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise FormatError(
            f"the genotype array has {array.ndim} dimensions of type {array.dtype}; expected two, "
            "(samples, variants), of a real numeric type: "
            + (_OTHER_SHAPE if array.ndim != 2 else _OTHER_TYPE)
        )
    values = np.asfortranarray(np.ma.filled(array.astype(np.float32), np.nan))
    outside = ~((values >= 0) & (values <= _MOST_COPIES) | np.isnan(values))
    if outside.any():
        sample, variant = np.argwhere(outside)[0]
        raise FormatError(
            f"the genotype array holds {values[sample, variant]:g} in row {sample}, column "
            f"{variant}; expected copies of the effect allele, 0 to 2, or NaN for a missing call: "
            "recode missing calls as NaN and pass genotypes that are not standardised"
        )
    values.setflags(write=False)
    return values


def _numeric(array: np.ma.MaskedArray[Any, Any]) -> np.ma.MaskedArray[Any, Any]:
    """Objects as numbers where all of them are, None as NaN; anything else as it is."""
    if array.dtype.kind != "O":
        return array
    try:
        return np.ma.asanyarray(array.astype(np.float64))
    except (TypeError, ValueError):
        return array


def _unnamed_variants(n_variants: int) -> VariantTable:
    unknown = string_array(["."] * n_variants)
    return VariantTable(
        chromosome=string_array(["0"] * n_variants),
        variant_id=string_array(f"variant{j}" for j in range(1, n_variants + 1)),
        position_bp=np.arange(1, n_variants + 1, dtype=np.int64),
        effect_allele=unknown,
        other_allele=unknown,
    )
