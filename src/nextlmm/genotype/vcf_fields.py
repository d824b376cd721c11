"""Copies of an allele from the genotype fields of VCF: calls, dosages, probabilities.

Calls are arrays (n, ploidy) of allele numbers, -1 for a missing allele and -2 where a sample has
fewer alleles than others.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import FormatError
from nextlmm.genotype.bgen import copies_of_allele
from nextlmm.genotype.kinds import VcfField

_PREFERRED = ("DS", "GP", "GT")
_NO_ALLELE, _NO_SECOND = -1, -2
_DIPLOID = 2
_SUM_TOLERANCE = 0.02  # probabilities are written with two digits or more
_LARGEST_SENTINEL = -(2**31) + 7  # integers that mean missing, or the end of a list
Calls = NDArray[np.integer]


def chosen_field(path: str, there: Collection[str], wanted: VcfField) -> str:
    """The field that genotypes are read from, the first of DS, GP and GT if "auto".

    Raises
    ------
    FormatError
        If it is not there.
    """
    known = [name for name in _PREFERRED if name in there]
    if wanted == "auto" and known:
        return known[0]
    if wanted in known:
        return wanted
    expected = "GT, DS or GP" if wanted == "auto" else wanted
    raise FormatError(
        f"{path} describes no FORMAT field {expected} (of these it has {', '.join(known) or 'none'}"
        "); choose another field (--vcf-field), or name a file with genotypes"
    )


def no_calls(n: int) -> Calls:
    """What stands for calls where there are none: two missing alleles."""
    return np.full((n, _DIPLOID), _NO_ALLELE)


def check_calls(calls: Calls, n_alternatives: int) -> None:
    """Refuse an allele that the variant has not.

    Raises
    ------
    ValueError
        With the allele and the sample.
    """
    if calls.max(initial=0) > n_alternatives:
        sample = int(np.flatnonzero((calls > n_alternatives).any(axis=1))[0])
        raise ValueError(
            f"sample {sample + 1} has allele {calls[sample].max()} in GT, and there are "
            f"{n_alternatives} alternative allele(s)"
        )


def numeric_field(name: str, values: Any, n: int) -> NDArray[np.floating] | None:
    """A field of the n samples as numbers (n, k), NaN where missing; None where it is not there.

    Raises
    ------
    ValueError
        If it holds no numbers.
    """
    if values is None:
        return None
    if values.ndim != 2 or len(values) != n or values.dtype.kind not in "fi":
        raise ValueError(f"{name} holds no numbers")
    if values.dtype.kind == "f":
        return np.asarray(values)
    numbers: NDArray[np.floating] = values.astype(np.float64)
    numbers[values <= _LARGEST_SENTINEL] = np.nan
    return numbers


def check_probabilities(values: NDArray[np.floating]) -> None:
    """Refuse probabilities (n, k) that are none, or do not add up to 1 where they are not missing.

    Raises
    ------
    ValueError
        With the sum and the sample.
    """
    is_there = ~np.isnan(values).all(axis=1)
    total = np.nansum(values, axis=1)
    odd = is_there & ~(
        (np.abs(total - 1.0) <= _SUM_TOLERANCE)
        & (np.nanmin(np.where(np.isnan(values), np.inf, values), axis=1) >= 0.0)
    )
    if odd.any():
        sample = int(np.flatnonzero(odd)[0])
        shown = ", ".join(f"{value:g}" for value in values[sample] if not np.isnan(value))
        raise ValueError(
            f"sample {sample + 1} has the probabilities {shown} in GP, and what adds up to 1 is "
            "expected"
        )


def ploidy_of(calls: Calls) -> NDArray[np.intp]:
    """How many alleles each sample has, (n,)."""
    # Column by column: there are few of them, and sums over short rows are slow.
    return np.asarray(sum((column != _NO_SECOND).astype(np.intp) for column in calls.T))


def copies_of_calls(calls: Calls, allele: int) -> NDArray[np.float32]:
    """Copies of an allele, (n,), scaled to two; NaN where an allele is missing."""
    copies = np.zeros(len(calls), np.float32)
    for column in calls.T:
        copies += column == allele
    if calls.shape[1] == _DIPLOID and calls.min(initial=0) >= 0:
        return copies
    ploidy = ploidy_of(calls)
    copies = np.asarray(copies * (_DIPLOID / np.maximum(ploidy, 1)), np.float32)
    for column in calls.T:
        copies[column == _NO_ALLELE] = np.nan
    copies[ploidy == 0] = np.nan
    return copies


def copies_of_dosages(values: NDArray[Any], calls: Calls, allele: int) -> NDArray[np.float32]:
    """The same from dosages of the alternative alleles (n, k)."""
    scale = _DIPLOID / np.maximum(ploidy_of(calls), 1)
    return np.asarray(values[:, allele - 1] * scale, np.float32)


def copies_of_probabilities(
    values: NDArray[Any], calls: Calls, allele: int, n_alleles: int
) -> NDArray[np.float32]:
    """The same from probabilities of all genotypes (n, k), NaN beyond those of a sample."""
    given = np.asarray(values, np.float64)
    ploidy = np.where(np.isnan(given).all(axis=1), _DIPLOID, ploidy_of(calls))
    return copies_of_allele(given, ploidy, n_alleles=n_alleles, allele=allele, is_phased=False)
