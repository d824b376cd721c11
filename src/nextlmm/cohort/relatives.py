"""What a user knows about the order of the samples: a list, a pedigree, or pairs of relatives.

All of it can change the time that an analysis takes and none of it can change a result, so samples
that a file names and nobody analyses are ignored, and samples that it does not name are allowed.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.dialect import Row, read_rows
from nextlmm.cohort.pedigree import Pedigree, pedigree_of
from nextlmm.cohort.people import FAMILY, Header, body, distinct_people, match_all, person_id
from nextlmm.cohort.table import SampleColumns, read_sample_list
from nextlmm.cohort.values import is_missing, is_number_or_missing
from nextlmm.errors import FormatError
from nextlmm.genotype.tables import IndexArray, SampleTable

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
        found = match_all(samples, self.people)
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
    found = match_all(samples, listed)
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
    header = Header(path, *rows[0])
    first, second = header.find(_FIRST), header.find(_SECOND)
    if first is not None and second is not None:
        return _kinship_list(header, (first, second), body(path, rows))
    sample, father, mother = (header.find(names) for names in (_SAMPLE, _FATHER, _MOTHER))
    if sample is not None and (father is not None or mother is not None):
        return pedigree_of(path, header.find(FAMILY), sample, (father, mother), body(path, rows))
    is_fam = path.casefold().removesuffix(".gz").endswith(".fam")
    if is_fam and len(header.cells) >= _FAM_COLUMNS:
        return pedigree_of(path, 0, 1, (2, 3), rows)
    excerpt = " ".join(header.cells)
    if len(excerpt) > _LONGEST_EXCERPT:
        excerpt = f"{excerpt[:_LONGEST_EXCERPT]}..."
    raise FormatError(
        f"{path}, line {header.line}: '{excerpt}' is no header of a pedigree or of pairs of "
        "relatives; expected the columns IID, father and mother, or ID1, ID2 and Kinship (a .fam "
        "file needs no header, but 5 or 6 columns): add or correct the header line"
    )


def _kinship_list(header: Header, samples: tuple[int, int], rows: list[Row]) -> KinshipList:
    """The pairs of a table with the sample IDs in the two given columns."""
    path, line = header.path, [line for line, _ in rows]
    families = header.find(_FIRST_FAMILY), header.find(_SECOND_FAMILY)
    if families == (None, None):
        families = (header.find(FAMILY),) * 2
    if families.count(None) == 1:
        raise FormatError(
            f"{path}, line {header.line}: only one of the columns FID1 and FID2 is there; expected "
            "both or none: add the other one, or delete it"
        )
    ids = [person_id(path, row, k) for k in samples for row in rows]
    family_ids = [person_id(path, row, k) for k in families if k is not None for row in rows]
    people, number = distinct_people(path, family_ids or None, ids, line * 2)
    kinship, pi_hat = header.find(_KINSHIP), header.find(_PI_HAT)
    if kinship is not None:
        relationship = 2.0 * _numbers(header, rows, kinship)
    elif pi_hat is not None:
        relationship = _numbers(header, rows, pi_hat)
    else:
        relationship = np.full(len(rows), _PARENT_AND_CHILD)
    return KinshipList(people, number[: len(rows)], number[len(rows) :], relationship)


def _numbers(header: Header, rows: list[Row], column: int) -> NDArray[np.float64]:
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
