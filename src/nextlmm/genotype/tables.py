"""The two axes of a genotype matrix: samples and variants."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

StringArray = NDArray[np.object_]
IndexArray = NDArray[np.intp]


def string_array(values: Iterable[str]) -> StringArray:
    """The strings as a one-dimensional array of Python ``str`` objects."""
    items = list(values)
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view of the array that nobody can write through."""
    view = array.view()
    view.setflags(write=False)
    return view


def _freeze_columns(table: object, columns: dict[str, NDArray[Any]]) -> None:
    """Put read-only views of equally long columns into a frozen dataclass."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of a table must be equally long, not {lengths}")
    for name, column in columns.items():
        object.__setattr__(table, name, _read_only(column))


@dataclass(frozen=True, eq=False)
class SampleTable:
    """The samples of a genotype matrix, in the order of its rows.

    Attributes
    ----------
    family_id : (n,) strings; "0" where a family is not known.
    sample_id : (n,) strings; leading zeros are kept.
    origin : the file that lists them, for messages.
    """

    family_id: StringArray
    sample_id: StringArray
    origin: str = "the genotypes"

    def __post_init__(self) -> None:
        _freeze_columns(self, {"family_id": self.family_id, "sample_id": self.sample_id})

    def __len__(self) -> int:
        return len(self.sample_id)

    def __repr__(self) -> str:
        return f"<{len(self):,} samples of {self.origin}>"

    def take(self, index: IndexArray) -> Self:
        """The samples at the given positions."""
        return type(self)(self.family_id[index], self.sample_id[index], self.origin)


@dataclass(frozen=True, eq=False)
class VariantTable:
    """The variants of a genotype matrix, in the order of its columns.

    Attributes
    ----------
    chromosome : (m,) strings, as the file has them ("1", "chr1", "X", "scaffold_12").
    variant_id : (m,) strings; need not be unique.
    position_bp : (m,) int64 base-pair positions; need not be sorted.
    effect_allele : (m,) the allele whose copies a dosage counts (column 5 of a .bim file).
    other_allele : (m,) the other one.
    """

    chromosome: StringArray
    variant_id: StringArray
    position_bp: NDArray[np.int64]
    effect_allele: StringArray
    other_allele: StringArray

    def __post_init__(self) -> None:
        columns: dict[str, NDArray[Any]] = {
            "chromosome": self.chromosome,
            "variant_id": self.variant_id,
            "position_bp": np.asarray(self.position_bp, dtype=np.int64),
            "effect_allele": self.effect_allele,
            "other_allele": self.other_allele,
        }
        _freeze_columns(self, columns)

    def __len__(self) -> int:
        return len(self.variant_id)

    def __repr__(self) -> str:
        return f"<{len(self):,} variants on {len(set(self.chromosome)):,} chromosomes>"

    def take(self, index: IndexArray) -> Self:
        """The variants at the given positions."""
        return type(self)(
            self.chromosome[index],
            self.variant_id[index],
            self.position_bp[index],
            self.effect_allele[index],
            self.other_allele[index],
        )
