"""What a user knows about the order of the samples: a list, a pedigree, or pairs of relatives.

All of it can change the time that an analysis takes and none of it can change a result, so samples
that a file names and nobody analyses are ignored, and samples that it does not name are allowed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.dialect import Row, read_rows
from nextlmm.cohort.match import RowMatch, match_rows
from nextlmm.cohort.table import SampleColumns, read_sample_list
from nextlmm.cohort.values import is_missing, is_number_or_missing
from nextlmm.errors import FormatError
from nextlmm.genotype.tables import IndexArray, SampleTable, string_array

_FAMILY = frozenset({"fid", "family", "family_id"})
_SAMPLE = frozenset({"iid", "id", "sample", "sample_id", "individual", "animal"})
_FATHER = frozenset({"father", "father_id", "pat", "paternal_id", "sire", "sire_id", "dad"})
_MOTHER = frozenset({"mother", "mother_id", "mat", "maternal_id", "dam", "dam_id", "mum", "mom"})
_FIRST, _SECOND = frozenset({"id1", "iid1"}), frozenset({"id2", "iid2"})
_FIRST_FAMILY, _SECOND_FAMILY = frozenset({"fid1"}), frozenset({"fid2"})
_KINSHIP, _PI_HAT = frozenset({"kinship"}), frozenset({"pi_hat"})

_PARENT_AND_CHILD = 0.5  # relationship, twice the kinship coefficient of 1/4
_FAM_COLUMNS = 5  # at least; some .fam files lack the trait
_ABSENT = -1
_LONGEST_EXCERPT = 60


@dataclass(frozen=True, eq=False)
class SampleOrder:
    """An order of the samples.

    Attributes
    ----------
    order : (n,) a permutation: which sample comes first, second, ...
    n_unlisted : samples that the list does not have; they stand last, in their own order.
    warnings : sentences about doubtful matches.
    """

    order: IndexArray
    n_unlisted: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Parents:
    """The parents of the samples.

    An identifier is unique to a person and has no other meaning: parents have one, genotyped or
    not, that of a genotyped parent being its identifier as a sample.

    Attributes
    ----------
    sample : (n,) identifiers of the samples.
    father, mother : (n,) identifiers of their parents, None where not known.
    n_unlisted : samples that the pedigree does not name.
    warnings : sentences about doubtful matches.
    """

    sample: tuple[str, ...]
    father: tuple[str | None, ...]
    mother: tuple[str | None, ...]
    n_unlisted: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RelatedPairs:
    """Pairs among the samples; a pair may occur more than once.

    Attributes
    ----------
    first, second : (r,) positions of the two samples, which differ.
    relationship : (r,) twice their kinship coefficient, the scale of a relationship matrix.
    n_unlisted : samples that the list of pairs does not name.
    warnings : sentences about doubtful matches.
    """

    first: IndexArray
    second: IndexArray
    relationship: NDArray[np.float64]
    n_unlisted: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Pedigree:
    """Who descends from whom.

    Attributes
    ----------
    people : the p people that a file names, as individuals or as parents, once each.
    father, mother : (p,) positions of their parents among the people, -1 where not known.
    """

    people: SampleColumns
    father: IndexArray
    mother: IndexArray

    def parents(self, samples: SampleTable) -> Parents:
        """The parents of the given samples, which are matched as in :func:`match_rows`.

        Raises
        ------
        AlignmentError
            If the pedigree names none of the samples, or cannot tell two of them apart.
        """
        found = _match(samples, self.people)
        # Samples are called by their position, other people by the numbers after those.
        identifier = np.arange(len(samples), len(samples) + len(self.people))
        present = np.flatnonzero(found.is_present)
        identifier[found.row[present]] = present

        def names_of(parent: IndexArray) -> tuple[str | None, ...]:
            of_sample = np.where(found.is_present, parent[found.row], _ABSENT)
            return tuple(None if at == _ABSENT else str(identifier[at]) for at in of_sample)

        return Parents(
            sample=tuple(str(i) for i in range(len(samples))),
            father=names_of(self.father),
            mother=names_of(self.mother),
            n_unlisted=len(samples) - len(present),
            warnings=found.warnings,
        )


@dataclass(frozen=True, eq=False)
class KinshipList:
    """Pairs of people and how closely they are related.

    Attributes
    ----------
    people : the p people that a file names, once each.
    first, second : (r,) the people of each pair, as positions.
    relationship : (r,) twice the kinship coefficient; an estimate may be negative.
    """

    people: SampleColumns
    first: IndexArray
    second: IndexArray
    relationship: NDArray[np.float64]

    def pairs(self, samples: SampleTable) -> RelatedPairs:
        """The pairs among the given samples, which are matched as in :func:`match_rows`.

        A sample paired with itself is left out.

        Raises
        ------
        AlignmentError
            If the list names none of the samples, or cannot tell two of them apart.
        """
        found = _match(samples, self.people)
        present = np.flatnonzero(found.is_present)
        position = np.full(len(self.people), _ABSENT, dtype=np.intp)
        position[found.row[present]] = present
        first, second = position[self.first], position[self.second]
        is_pair = (first != _ABSENT) & (second != _ABSENT) & (first != second)
        return RelatedPairs(
            first=first[is_pair],
            second=second[is_pair],
            relationship=self.relationship[is_pair],
            n_unlisted=len(samples) - len(present),
            warnings=found.warnings,
        )


def read_order(path: str | os.PathLike[str]) -> SampleColumns:
    """Read a list of samples in the order wanted; see :func:`read_sample_list`."""
    return read_sample_list(path)


def order_of(samples: SampleTable, listed: SampleColumns) -> SampleOrder:
    """The order in which a list has the samples, those it does not have last.

    Samples are matched as in :func:`match_rows`; listed samples that are not given are ignored.

    Raises
    ------
    AlignmentError
        If a sample is listed twice, if the list cannot tell two samples apart, or if it has none.
    """
    found = _match(samples, listed)
    place = np.where(found.is_present, found.row, len(listed))
    return SampleOrder(
        order=np.argsort(place, kind="stable"),
        n_unlisted=int(np.count_nonzero(~found.is_present)),
        warnings=found.warnings,
    )


def read_relatives(path: str | os.PathLike[str]) -> Pedigree | KinshipList:
    """Read a pedigree or a list of related pairs, whichever the columns say that a table is.

    A pedigree has columns for the sample (IID, ID, animal), its father (father, pat, paternal_id,
    sire, dad) or mother (mother, mat, maternal_id, dam, mum, mom), and optionally its family (FID);
    0 or any code of a missing value stands for a parent that is not known.  A .fam file, which has
    no names, is one too.  If a sample ID of the file occurs in two families, parents belong to the
    family of their child; if not, a parent of any family is the person of that ID.

    A list of pairs has columns ID1 and ID2 (IID1 and IID2), optionally FID1 and FID2 or one FID,
    and the kinship coefficient as Kinship, as KING and PLINK 2 write it (.kin, .kin0), or twice
    that as PI_HAT (.genome of PLINK).  Without either every pair is taken for parent and child.

    Upper and lower case of the names and a leading # do not matter; other columns are ignored.  The
    dialects are those of :func:`nextlmm.cohort.table.read_sample_table`.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, is neither of the two, lacks an ID, has a kinship that is not a
        number, or gives one sample different parents.
    """
    path = os.fspath(path)
    rows = read_rows(path)
    header = _Header(path, *rows[0])
    first, second = header.find(_FIRST), header.find(_SECOND)
    if first is not None and second is not None:
        return _kinship_list(header, (first, second), _body(path, rows))
    sample, father, mother = (header.find(names) for names in (_SAMPLE, _FATHER, _MOTHER))
    if sample is not None and (father is not None or mother is not None):
        return _pedigree(path, header.find(_FAMILY), sample, (father, mother), _body(path, rows))
    is_fam = path.casefold().removesuffix(".gz").endswith(".fam")
    if is_fam and len(header.cells) >= _FAM_COLUMNS:
        return _pedigree(path, 0, 1, (2, 3), rows)
    excerpt = " ".join(header.cells)
    if len(excerpt) > _LONGEST_EXCERPT:
        excerpt = f"{excerpt[:_LONGEST_EXCERPT]}..."
    raise FormatError(
        f"{path}, line {header.line}: '{excerpt}' is no header of a pedigree or of pairs of "
        "relatives; expected the columns IID, father and mother, or ID1, ID2 and Kinship (a .fam "
        "file needs no header, but 5 or 6 columns): add or correct the header line"
    )


@dataclass(frozen=True)
class _Header:
    """The first line of a table, which may or may not name its columns."""

    path: str
    line: int
    cells: list[str]

    def find(self, names: frozenset[str]) -> int | None:
        """The column of one of these names, or None if there is none."""
        found = [k for k, cell in enumerate(self.cells) if cell.lstrip("#").casefold() in names]
        if len(found) > 1:
            first, second = found[:2]
            raise FormatError(
                f"{self.path}, line {self.line}: the columns {first + 1} "
                f"('{self.cells[first]}') and {second + 1} ('{self.cells[second]}') mean the same; "
                "expected one of them: rename or delete the other"
            )
        return found[0] if found else None


def _body(path: str, rows: list[Row]) -> list[Row]:
    """The rows below the header line."""
    if len(rows) == 1:
        raise FormatError(
            f"{path} has a header line and nothing else; expected one line per sample or pair: "
            "check that the file was written completely"
        )
    return rows[1:]


def _kinship_list(header: _Header, samples: tuple[int, int], rows: list[Row]) -> KinshipList:
    """The pairs of a table with the sample IDs in the two given columns."""
    path, line = header.path, [line for line, _ in rows]
    families = header.find(_FIRST_FAMILY), header.find(_SECOND_FAMILY)
    if families == (None, None):
        families = (header.find(_FAMILY),) * 2
    if families.count(None) == 1:
        raise FormatError(
            f"{path}, line {header.line}: only one of the columns FID1 and FID2 is there; expected "
            "both or none: add the other one, or delete it"
        )
    ids = [_id(path, row, k) for k in samples for row in rows]
    family_ids = [_id(path, row, k) for k in families if k is not None for row in rows]
    people, number = _distinct(path, family_ids or None, ids, line * 2)
    kinship, pi_hat = header.find(_KINSHIP), header.find(_PI_HAT)
    if kinship is not None:
        relationship = 2.0 * _numbers(header, rows, kinship)
    elif pi_hat is not None:
        relationship = _numbers(header, rows, pi_hat)
    else:
        relationship = np.full(len(rows), _PARENT_AND_CHILD)
    return KinshipList(people, number[: len(rows)], number[len(rows) :], relationship)


def _pedigree(
    path: str,
    family: int | None,
    sample: int,
    parents: tuple[int | None, int | None],
    rows: list[Row],
) -> Pedigree:
    """The pedigree in the given columns of a table."""
    lines, ids = [line for line, _ in rows], [_id(path, row, sample) for row in rows]
    father, mother = (
        [None if k is None or _is_unknown(cells[k]) else cells[k] for _, cells in rows]
        for k in parents
    )
    # A sample stands in for a parent that is not known, and is taken out again below.
    named = [
        name or i for column in (ids, father, mother) for name, i in zip(column, ids, strict=True)
    ]
    families = None if family is None else [_id(path, row, family) for row in rows] * 3
    if families is not None:
        family_of = dict(zip(ids, families, strict=False))
        if all(family_of[i] == f for i, f in zip(ids, families, strict=False)):
            families = [family_of.get(name, "0") for name in named]
    people, number = _distinct(path, families, named, lines * 3)
    individual, *numbers = number.reshape(3, len(rows))
    of_person = np.full((2, len(people)), _ABSENT, dtype=np.intp)
    for column, of_row, names in zip(of_person, numbers, (father, mother), strict=True):
        column[individual] = np.where([name is None for name in names], _ABSENT, of_row)
    _check_parents(path, individual, ids, list(zip(father, mother, strict=True)), lines)
    return Pedigree(people, of_person[0], of_person[1])


def _check_parents(
    path: str,
    individual: IndexArray,
    ids: list[str],
    parents: list[tuple[str | None, str | None]],
    lines: list[int],
) -> None:
    """Refuse samples that are their own parents or have different ones in different rows."""
    row_of: dict[int, int] = {}
    for row, person in enumerate(individual.tolist()):
        if ids[row] in parents[row]:
            raise FormatError(
                f"{path}, line {lines[row]}: sample '{ids[row]}' is its own parent; expected "
                "another sample, or 0 if it is not known: correct the line"
            )
        before = row_of.setdefault(person, row)
        if parents[row] != parents[before]:
            raise FormatError(
                f"{path}: sample '{ids[row]}' has two rows with different parents, on lines "
                f"{lines[before]} and {lines[row]}; expected one row per sample: delete one of them"
            )


def _distinct(
    path: str, families: list[str] | None, ids: list[str], lines: list[int]
) -> tuple[SampleColumns, IndexArray]:
    """The different people among those named, by first mention, and the number of each mention."""
    keys: Sequence[object] = ids if families is None else list(zip(families, ids, strict=True))
    number_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    number = np.fromiter((number_of[key] for key in keys), dtype=np.intp, count=len(keys))
    at = np.unique(number, return_index=True)[1]
    people = SampleColumns(
        path=path,
        family_id=None if families is None else string_array(families)[at],
        sample_id=string_array(ids)[at],
        columns={},
        line=np.array(lines, dtype=np.int64)[at],
    )
    return people, number


def _match(samples: SampleTable, table: SampleColumns) -> RowMatch:
    return match_rows(samples, table, np.ones(len(samples), dtype=bool))


def _id(path: str, row: Row, column: int) -> str:
    """The ID in a column of a row, which must not be empty."""
    if not row[1][column]:
        raise FormatError(
            f"{path}, line {row[0]}: the row lacks an ID; expected the IDs of all samples in each "
            "row: add it or delete the row"
        )
    return row[1][column]


def _is_unknown(text: str) -> bool:
    return text == "0" or is_missing(text)


def _numbers(header: _Header, rows: list[Row], column: int) -> NDArray[np.float64]:
    """A column as finite numbers."""
    values = np.full(len(rows), np.nan)
    for i, (line, cells) in enumerate(rows):
        text = cells[column]
        if is_number_or_missing(text) and not is_missing(text):
            values[i] = float(text)
        if not np.isfinite(values[i]):
            raise FormatError(
                f"{header.path}, line {line}: column '{header.cells[column]}' is '{text}'; "
                "expected a finite number, with a decimal point: correct it, or delete the line if "
                "the kinship is not known"
            )
    return values
