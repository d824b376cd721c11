"""Arrays of other libraries as NumPy arrays: pandas, polars, xarray and SciPy's sparse ones.

None of them is imported: what an object is, is told by what it offers, so that none is needed.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from nextlmm.errors import FormatError, UsageError

_SAMPLES, _VARIANTS, _PLOIDY = "samples", "variants", "ploidy"
_MISSING_ALLELE = -1  # of call_genotype, where -2 fills up a haploid genotype


def numpy_array(values: Any) -> Any:
    """An array as NumPy has it, missing numbers as NaN or masked; not yet checked.

    xarray's are put into the order (samples, variants) if their dimensions have these names, and
    calls of sgkit or VCF-Zarr (variants, samples, ploidy) become copies of the alternative allele.

    Raises
    ------
    FormatError
        If calls are of more than two alleles, or a data set is given in place of an array.
    """
    if sparse.issparse(values):
        return values.toarray()
    if _is_of("xarray", values):
        return _of_xarray(values)
    if _is_of("pandas", values) and values.ndim > 0:
        try:
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            return values.to_numpy()
    return values


def check_rows_agree(arrays: dict[str, Any]) -> None:
    """Refuse arrays whose rows have labels in different orders.

    Labels are the index of pandas and the coordinate along the first dimension, or that of the
    samples, of xarray.  Numbers are compared with numbers, and names with names: an index that
    counts the rows says nothing about names.

    Raises
    ------
    UsageError
        If two of the arrays disagree; the sentence names both and the first row.
    """
    for are_numbers in (False, True):
        known = [
            (name, index)
            for name, index in ((name, _labels(array)) for name, array in arrays.items())
            if index is not None and (index.dtype.kind in "iu") == are_numbers
        ]
        for (first, index), (second, other) in pairwise(known):
            if len(index) == len(other) and not np.array_equal(index, other):
                row = int(np.flatnonzero(index != other)[0])
                raise UsageError(
                    f"the rows of {first} and {second} have other labels: row {row} is "
                    f"{index[row]!s} in the one and {other[row]!s} in the other; expected the same "
                    "samples in the same order: align them by reindex or loc, or take the labels "
                    "away with to_numpy() if the order is right"
                )


def _is_of(library: str, values: Any) -> bool:
    return type(values).__module__.split(".")[0] == library


def _labels(values: Any) -> NDArray[Any] | None:
    """What the rows are called, (n,), None if they have no names."""
    if _is_of("pandas", values) and hasattr(values, "index"):
        return np.asarray(values.index)
    if _is_of("xarray", values) and len(values.dims):
        along = _SAMPLES if _SAMPLES in values.dims else values.dims[0]
        return np.asarray(values.indexes[along]) if along in values.indexes else None
    return None


def _of_xarray(values: Any) -> NDArray[Any]:
    if not hasattr(values, "to_numpy"):
        names = ", ".join(map(str, list(values.data_vars)[:5]))
        raise FormatError(
            f"the array is an xarray data set with the variables {names}; expected one of them: "
            "pass its dosages (call_DS) or calls (call_genotype), or open the store by "
            "nextlmm.gwas with zarr="
        )
    dims = set(values.dims)
    if dims == {_SAMPLES, _VARIANTS, _PLOIDY}:
        return _copies(values.transpose(_SAMPLES, _VARIANTS, _PLOIDY).to_numpy())
    if dims == {_SAMPLES, _VARIANTS}:
        values = values.transpose(_SAMPLES, _VARIANTS)
    return np.asarray(values.to_numpy())


def _copies(alleles: NDArray[Any]) -> NDArray[np.float32]:
    """Copies of the alternative allele (n, m) of alleles (n, m, ploidy), NaN if one is missing.

    A haploid genotype counts twice, as in every format.
    """
    if alleles.size and alleles.max() > 1:
        sample, variant, _ = np.argwhere(alleles > 1)[0]
        raise FormatError(
            f"the calls hold allele {alleles.max()}, first in sample {sample}, variant {variant}; "
            "expected two alleles, 0 and 1: choose the variants that have two, or pass the copies "
            "of one allele, (samples, variants)"
        )
    present = alleles >= 0
    copies = 2.0 * np.where(present, alleles, 0).sum(axis=2, dtype=np.float32)
    copies /= np.maximum(present.sum(axis=2), 1).astype(np.float32)
    is_missing = (alleles == _MISSING_ALLELE).any(axis=2) | ~present.any(axis=2)
    copies[is_missing] = np.nan
    return np.asarray(copies, dtype=np.float32)
