"""Relationship matrices of single chromosomes, which together are one and can leave one out.

Source: the sum over all variants is that over the chromosomes, K = sum_c N_c K_c / sum_c N_c, with
the number N_c of variants that each pair of samples has on chromosome c.
"""

import glob
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.table import SampleColumns, read_sample_list
from nextlmm.errors import FormatError, MissingFileError, VariantError
from nextlmm.genotype.chromosome import chromosome_key
from nextlmm.genotype.tables import IndexArray
from nextlmm.genotype.textfile import check_readable
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.grm import RelationshipSum
from nextlmm.relatedness.grm_files import read_relationships
from nextlmm.relatedness.grm_pattern import split_pattern

FloatArray = NDArray[np.float64]
Counts = FloatArray | float
"""Variants of every pair of samples, (n, n), or one number where all have the same."""

_MATRIX, _COUNTS, _IDS = ".grm.bin", ".grm.N.bin", ".grm.id"
_ROUNDING = 1e-6  # share of a count that a float32 may be off


@dataclass(frozen=True, eq=False)
class RelationshipSet:
    """One matrix for each of several chromosomes, in files.

    Attributes
    ----------
    pattern : their name with @ for the chromosome.
    samples : (k,) the samples of each of them, in the order of its rows.
    members : prefix of the files of each chromosome, by what spellings of it have in common.
    files : every file by role.
    warnings : what a user should know of them, as sentences.
    """

    pattern: str
    samples: SampleColumns
    members: Mapping[str, str]
    files: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.pattern}: {len(self.members)} matrices of {len(self.samples):,} samples>"

    @property
    def path(self) -> str:
        """The pattern, for messages."""
        return self.pattern

    def read(self, chromosome: str, rows: IndexArray) -> tuple[FloatArray, Counts]:
        """K of a chromosome and the number of its variants, for some of the rows.

        Raises
        ------
        FormatError
            If a file is damaged, or the samples are not those of the others.

        Cost: the two files, and k^2 numbers for each.
        """
        prefix = self.members[chromosome]
        given = read_relationships(prefix + _MATRIX)
        ours, theirs = self.samples, given.samples
        if not np.array_equal(ours.sample_id, theirs.sample_id):
            raise FormatError(
                f"{theirs.path} does not list the samples of {ours.path} in the same order; "
                "expected the same list for each chromosome: make the matrices of the same samples"
            )
        return given.among(rows), _read_counts(Path(prefix + _COUNTS), len(ours), rows)

    def of(self, rows: IndexArray, *, progress: Progress | None = None) -> "ChromosomeSums":
        """What the chromosomes add up to for some of the rows.

        Cost: reading all files, and three arrays of k^2 numbers.
        """
        n = len(rows)
        weighted = np.zeros((n, n), order="F")
        listener = progress or Silent()
        listener.start("Reading relationships", len(self.members))
        total: Counts = 0.0
        for chromosome in self.members:
            values, own = self.read(chromosome, rows)
            weighted += values * own
            total = total + own
            listener.advance()
        listener.finish()
        return ChromosomeSums(tuple(self.members), weighted, total, rows, self.read)


@dataclass(frozen=True, eq=False)
class ChromosomeSums:
    """The sum over chromosomes of the number of variants times K, for the analysed samples.

    Attributes
    ----------
    chromosomes : those in it, by what spellings of one have in common.
    weighted : (n, n) sum of N_c K_c.
    counts : sum of N_c, (n, n) or one number.
    rows : (n,) rows of the files.
    read : reads K_c and N_c of some rows.
    """

    chromosomes: tuple[str, ...]
    weighted: FloatArray
    counts: Counts
    rows: IndexArray
    read: Callable[[str, IndexArray], tuple[FloatArray, Counts]]

    def __repr__(self) -> str:
        return f"<relationships of {len(self.rows):,} samples by {len(self.chromosomes)} matrices>"

    @property
    def whole(self) -> FloatArray:
        """K of all chromosomes, a new (n, n) array."""
        return np.asfortranarray(self.weighted / self.counts)

    def reordered(self, permutation: IndexArray) -> "ChromosomeSums":
        """The same with its samples in another order."""
        at = np.ix_(permutation, permutation)
        counts = self.counts[at] if isinstance(self.counts, np.ndarray) else self.counts
        weighted = np.asfortranarray(self.weighted[at])
        return replace(self, weighted=weighted, counts=counts, rows=self.rows[permutation])

    def without(self, name: str) -> RelationshipSum:
        """K without a chromosome, whole if there is no matrix of it; neither centred nor scaled.

        Raises
        ------
        VariantError
            If a pair of samples has no variant on the others.

        Cost: reading the matrix of the chromosome.
        """
        key = chromosome_key(name)
        if key not in self.chromosomes:
            return RelationshipSum(self.whole, len(self.chromosomes), is_given=True)
        values, own = self.read(key, self.rows)
        left = self.counts - own
        if np.min(left) <= _ROUNDING * np.max(self.counts):
            raise VariantError(
                f"without chromosome {name} the given relationship matrices have no variant for "
                "some samples; expected matrices of two or more chromosomes: add the others, or "
                "leave LOCO out (--no-loco, or loco=False in Python)"
            )
        rest = np.asfortranarray((self.weighted - values * own) / left)
        return RelationshipSum(rest, len(self.chromosomes) - 1, is_given=True)


def open_relationship_set(pattern: str) -> RelationshipSet:
    """Find the matrices of single chromosomes.

    Parameters
    ----------
    pattern : the name of a .grm.bin file, or its prefix, with @ or {chr} for the chromosome.

    Raises
    ------
    MissingFileError
        If there is no such file, or one without a .grm.N.bin file or a list of samples.
    FormatError
        If two files are of the same chromosome.

    Cost: the list of samples.
    """
    before, after = split_pattern(pattern.removesuffix(_MATRIX))
    found = glob.glob(f"{glob.escape(before)}*{glob.escape(after)}{_MATRIX}")
    members: dict[str, str] = {}
    for path in sorted(found, key=_in_genome_order):
        prefix = path.removesuffix(_MATRIX)
        key = chromosome_key(prefix[len(before) : len(prefix) - len(after)])
        if key in members:
            raise FormatError(
                f"{members[key]}{_MATRIX} and {path} both are of chromosome {key}; expected one "
                "matrix for each: remove one of them"
            )
        members[key] = prefix
    if not members:
        raise MissingFileError(
            f"there is no file {before}*{after}{_MATRIX}; expected GCTA matrices of single "
            "chromosomes, with their .grm.N.bin files: make them with nextlmm grm --per-chromosome"
        )
    files: dict[str, str] = {}
    for key, prefix in members.items():
        for end in (_MATRIX, _COUNTS, _IDS):
            check_readable(Path(prefix + end))
            files[f"grm_chr{key}{end}"] = prefix + end
    first = next(iter(members.values()))
    return RelationshipSet(pattern, read_sample_list(first + _IDS), members, files)


def _in_genome_order(path: str) -> list[tuple[int, str]]:
    """A key by which 2 comes before 10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)
    ]


def _read_counts(file: Path, n: int, rows: IndexArray) -> Counts:
    """Number of variants of every pair of the rows."""
    triangle = n * (n + 1) // 2
    counts = np.fromfile(file, "<f4", triangle)
    if file.stat().st_size != 4 * triangle or not (np.isfinite(counts) & (counts >= 0)).all():
        raise FormatError(
            f"{file} does not hold {triangle:,} numbers of variants as float32, one for each pair "
            f"of its {n:,} samples; take all files of a matrix from the same place"
        )
    if triangle and counts.min() == counts.max():
        return float(counts[0])
    values = np.empty((n, n))
    lower = np.tril_indices(n)
    values[lower] = counts
    values.T[lower] = counts
    return values[np.ix_(rows, rows)]
