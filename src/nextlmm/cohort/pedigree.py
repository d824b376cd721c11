"""Who descends from whom: a table of samples and their parents."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.dialect import Row
from nextlmm.cohort.people import distinct_people, match_all, person_id
from nextlmm.cohort.table import SampleColumns
from nextlmm.cohort.values import is_missing
from nextlmm.errors import FormatError
from nextlmm.genotype.tables import IndexArray, SampleTable

ABSENT = -1
"""Position of a parent who is not known."""


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
class Pedigree:
    """Who descends from whom.

    Attributes
    ----------
    people : the p people that a file names, as individuals or as parents, once each.
    father, mother : (p,) positions of their parents among the people, -1 where not known.
    of_row, line : (r,) the person of each row of the file, and the line that it stands on.
    """

    people: SampleColumns
    father: IndexArray
    mother: IndexArray
    of_row: IndexArray
    line: NDArray[np.int64]

    def parents(self, samples: SampleTable) -> Parents:
        """The parents of the given samples, which are matched as in :func:`match_rows`.

        Raises
        ------
        AlignmentError
            If the pedigree names none of the samples, or cannot tell two of them apart.
        """
        found = match_all(samples, self.people)
        # Samples are called by their position, other people by the numbers after those.
        identifier = np.arange(len(samples), len(samples) + len(self.people))
        present = np.flatnonzero(found.is_present)
        identifier[found.row[present]] = present

        def names_of(parent: IndexArray) -> tuple[str | None, ...]:
            of_sample = np.where(found.is_present, parent[found.row], ABSENT)
            return tuple(None if at == ABSENT else str(identifier[at]) for at in of_sample)

        return Parents(
            sample=tuple(str(i) for i in range(len(samples))),
            father=names_of(self.father),
            mother=names_of(self.mother),
            n_unlisted=len(samples) - len(present),
            warnings=found.warnings,
        )


def pedigree_of(
    path: str,
    family: int | None,
    sample: int,
    parents: tuple[int | None, int | None],
    rows: list[Row],
) -> Pedigree:
    """The pedigree in the given columns of a table."""
    lines, ids = [line for line, _ in rows], [person_id(path, row, sample) for row in rows]
    father, mother = (
        [None if k is None or _is_unknown(cells[k]) else cells[k] for _, cells in rows]
        for k in parents
    )
    # A sample stands in for a parent that is not known, and is taken out again below.
    named = [
        name or i for column in (ids, father, mother) for name, i in zip(column, ids, strict=True)
    ]
    families = None if family is None else [person_id(path, row, family) for row in rows] * 3
    if families is not None:
        family_of = dict(zip(ids, families, strict=False))
        if all(family_of[i] == f for i, f in zip(ids, families, strict=False)):
            families = [family_of.get(name, "0") for name in named]
    people, number = distinct_people(path, families, named, lines * 3)
    individual, *numbers = number.reshape(3, len(rows))
    of_person = np.full((2, len(people)), ABSENT, dtype=np.intp)
    for column, of_row, names in zip(of_person, numbers, (father, mother), strict=True):
        column[individual] = np.where([name is None for name in names], ABSENT, of_row)
    _check_parents(path, individual, ids, list(zip(father, mother, strict=True)), lines)
    line = np.array(lines, dtype=np.int64)
    return Pedigree(people, of_person[0], of_person[1], individual, line)


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


def _is_unknown(text: str) -> bool:
    return text == "0" or is_missing(text)
