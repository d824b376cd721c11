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
