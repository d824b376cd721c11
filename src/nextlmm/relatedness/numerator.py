"""The additive (numerator) relationship matrix A of a pedigree.

A[i, j] is twice the probability that an allele of i and one of j at the same place are copies of
one in a common ancestor; its diagonal is 1 + F, with F the inbreeding coefficient.  People without
parents in the pedigree, and the parents that it does not name, are neither inbred nor related.  One
may be father and mother, of the same child too (selfing).

With P the matrix that has 1/2 where a column is a parent of a row, A = T D T', T = (I - P)^-1, and
D is diagonal: the Mendelian sampling variance of each person (Henderson 1976).  F is found from the
rows of T and D of the ancestors (Quaas 1976), and A of some people from products with T, which
never forms the rows of their ancestors (Colleau 2002).
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from nextlmm.cohort.pedigree import ABSENT, Pedigree
from nextlmm.cohort.relatives import read_relatives
from nextlmm.cohort.table import SampleColumns
from nextlmm.errors import FormatError
from nextlmm.genotype.tables import IndexArray

FloatArray = NDArray[np.float64]

_COLUMNS = 256  # of A that are found at a time
_PEOPLE = 2048  # whose F are found at a time
_MOST_NAMES = 5


@dataclass(frozen=True, eq=False)
class PedigreeRelationships:
    """The relationships of the people of a pedigree, made when they are asked for.

    Attributes
    ----------
    path : the file.
    samples : the p people that it names, ancestors without genotypes included.
    father, mother : (p,) positions of their parents, -1 where not known.
    files : the file, by its role.
    warnings : what a user should know of it, as sentences.
    """

    path: str
    samples: SampleColumns
    father: IndexArray
    mother: IndexArray
    files: dict[str, str]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.path}: relationships of {len(self.samples):,} people by descent>"

    def among(self, people: IndexArray) -> FloatArray:
        """A of some of the people, (n, n), in their order.

        Cost: that of F for their ancestors, p of them; n p operations some few times; n^2 numbers,
        and 256 p for a while.
        """
        chosen, father, mother = _with_ancestors(people, self.father, self.mother)
        variance = sampling_variance(father, mother, inbreeding_coefficients(father, mother))
        order = np.argsort(generations(father, mother), kind="stable")
        descent, place = _descent(father, mother, order)
        rows = place[np.searchsorted(chosen, people)]
        values = np.empty((len(people), len(people)), order="F")
        for start in range(0, len(rows), _COLUMNS):
            own = rows[start : start + _COLUMNS]
            unit = np.zeros((len(order), len(own)))
            unit[own, np.arange(len(own))] = 1.0
            column = descent.solve(variance[order, None] * descent.solve(unit, trans="T"))
            values[:, start : start + _COLUMNS] = column[rows]
        return _symmetric(values)


def read_pedigree(path: str | os.PathLike[str]) -> PedigreeRelationships:
    """Read a pedigree for its relationship matrix; see :func:`read_relatives`.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read or is no pedigree, or if a person has two rows or descends from
        itself.

    Cost: the file.
    """
    pedigree = read_relatives(path)
    name = os.fspath(path)
    if not isinstance(pedigree, Pedigree):
        raise FormatError(
            f"{name} is a list of pairs; expected a pedigree with the columns IID, father and "
            "mother: name a table of kinships by the option grm"
        )
    _check_once(name, pedigree)
    _check_descent(name, pedigree)
    father, mother = pedigree.father, pedigree.mother
    return PedigreeRelationships(
        path=name,
        samples=pedigree.people,
        father=father,
        mother=mother,
        files={"pedigree": name},
        warnings=_both_roles(name, pedigree),
    )


def generations(father: IndexArray, mother: IndexArray) -> IndexArray:
    """The longest line of ancestors of each person, (p,): 0 without parents, -1 in a circle.

    Parents are positions among the people, -1 where not known; who descends from a circle is -1
    too.  Cost: linear.
    """
    waits = (father != ABSENT).astype(np.intp) + (mother != ABSENT)
    children: list[list[int]] = [[] for _ in range(len(father))]
    for parent in (father, mother):
        for child, one in enumerate(parent.tolist()):
            if one != ABSENT:
                children[one].append(child)
    depth = np.where(waits == 0, 0, ABSENT)
    ready = np.flatnonzero(waits == 0).tolist()
    for person in ready:  # which grows
        for child in children[person]:
            waits[child] -= 1
            if waits[child] == 0:  # the last of its parents is the deepest or as deep
                depth[child] = depth[person] + 1
                ready.append(child)
    return depth


def inbreeding_coefficients(father: IndexArray, mother: IndexArray) -> FloatArray:
    """F of each person, (p,): half of the relationship of its parents, 0 if one is not known.

    With the rows of T for all parents, generation by generation.

    Source: Quaas 1976, with whole generations at a time.  Cost: some operations, and 12 bytes, for
    each parent and each of its ancestors.
    """
    variance, inbreeding = np.zeros(len(father)), np.zeros(len(father))
    depth, lines = generations(father, mother), _Lines.of(father, mother)
    for generation in range(int(depth.max(initial=-1)) + 1):
        everyone = np.flatnonzero(depth == generation)
        for start in range(0, len(everyone), _PEOPLE):
            people = everyone[start : start + _PEOPLE]
            pair = father[people], mother[people]
            variance[people] = sampling_variance(*pair, inbreeding)
            of_father, of_mother = (lines.rows(parent) for parent in pair)
            shared = of_father.multiply(of_mother) @ variance[lines.parents]
            inbreeding[people] = shared / 2.0
            lines.add(people, (of_father + of_mother) / 2.0)
    return inbreeding


def sampling_variance(father: IndexArray, mother: IndexArray, inbreeding: FloatArray) -> FloatArray:
    """D of some people, (k,): what neither parent explains; ``inbreeding`` (p,) is that of all."""
    f, m = (np.where(parent == ABSENT, -1.0, inbreeding[parent]) for parent in (father, mother))
    return np.asarray(0.5 - 0.25 * (f + m))


@dataclass(frozen=True, eq=False)
class _Lines:
    """Rows of T of the q people who are parents, which are its columns too, in blocks."""

    parents: IndexArray  # (q,)
    place: IndexArray  # (p,) of a person among them, -1 where it is none
    block: IndexArray  # (q,) that holds the row
    row: IndexArray  # (q,) within the block
    blocks: list[sparse.csr_array]

    @classmethod
    def of(cls, father: IndexArray, mother: IndexArray) -> "_Lines":
        """No rows yet."""
        parents = np.union1d(father, mother)
        parents = parents[parents != ABSENT]
        place = np.full(len(father), ABSENT, dtype=np.intp)
        place[parents] = np.arange(len(parents))
        return cls(parents, place, np.full_like(parents, ABSENT), np.zeros_like(parents), [])

    def rows(self, people: IndexArray) -> sparse.csr_array:
        """The rows of some people, (k, q), nothing for one that is not known."""
        found = sparse.csr_array((len(people), len(self.parents)))
        known = np.flatnonzero(people != ABSENT)
        at = self.place[people[known]]
        for number in np.unique(self.block[at]).tolist():
            own = self.block[at] == number
            block = self.blocks[number]
            where = known[own], self.row[at[own]]
            chosen = sparse.csr_array(
                (np.ones(len(where[0])), where), shape=(len(people), block.shape[0])
            )
            found = found + chosen @ block
        return found

    def add(self, people: IndexArray, of_ancestors: sparse.csr_array) -> None:
        """Keep the rows of those of the people who are parents; a person is one of its own line."""
        own = np.flatnonzero(self.place[people] != ABSENT)
        if not len(own):
            return
        at = self.place[people[own]]
        count = np.arange(len(own))
        unit = sparse.csr_array((np.ones(len(own)), (count, at)), (len(own), len(self.parents)))
        self.block[at], self.row[at] = len(self.blocks), count
        self.blocks.append(of_ancestors[own] + unit)


def _with_ancestors(
    people: IndexArray, father: IndexArray, mother: IndexArray
) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Some people and all their ancestors, ascending, and their parents as positions among them."""
    is_needed = np.zeros(len(father), dtype=bool)
    latest = np.unique(people)
    while len(latest):
        is_needed[latest] = True
        parents = np.union1d(father[latest], mother[latest])
        parents = parents[parents != ABSENT]
        latest = parents[~is_needed[parents]]
    chosen = np.flatnonzero(is_needed)
    place = np.append(np.cumsum(is_needed) - 1, ABSENT)  # that of nobody last, which is at -1
    return chosen, place[father[chosen]], place[mother[chosen]]


def _descent(
    father: IndexArray, mother: IndexArray, order: IndexArray
) -> tuple[sparse_linalg.SuperLU, IndexArray]:
    """I - P, whose rows are the people in the given order, ready to solve; and their places."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    rows, columns = [], []
    for parent in (father[order], mother[order]):
        known = np.flatnonzero(parent != ABSENT)
        rows.append(known)
        columns.append(place[parent[known]])
    at = np.concatenate(rows), np.concatenate(columns)
    half = sparse.coo_array((np.full(len(at[0]), 0.5), at), shape=(len(order),) * 2)
    lower = sparse.csc_array(sparse.eye_array(len(order)) - half)
    # Triangular with ones on its diagonal, so that it is its own factor: nothing is filled in.
    factor = sparse_linalg.splu(
        lower, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"Equil": False}
    )
    return factor, place


def _symmetric(values: FloatArray) -> FloatArray:
    """The mean of a matrix and its mirror, which differ in rounding."""
    for start in range(0, len(values), _COLUMNS):
        columns = slice(start, start + _COLUMNS)
        mean = (values[start:, columns] + values[columns, start:].T) / 2.0
        values[start:, columns], values[columns, start:] = mean, mean.T
    return values


def _check_once(path: str, pedigree: Pedigree) -> None:
    """Refuse a person with two rows, even if they say the same."""
    line_of: dict[int, int] = {}
    for person, line in zip(pedigree.of_row.tolist(), pedigree.line.tolist(), strict=True):
        before = line_of.setdefault(person, line)
        if before != line:
            raise FormatError(
                f"{path}: {_name(pedigree, person)} has two rows, on lines {before} and {line}; "
                "expected one row per sample: delete one of them"
            )


def _both_roles(path: str, pedigree: Pedigree) -> tuple[str, ...]:
    """A sentence if somebody is a father and a mother, as plants are and animals are not."""
    both = np.intersect1d(pedigree.father, pedigree.mother)
    both = both[both != ABSENT]
    if not len(both):
        return ()
    of_row = pedigree.of_row
    as_father, as_mother = (
        int(pedigree.line[np.flatnonzero(parent[of_row] == both[0])[0]])
        for parent in (pedigree.father, pedigree.mother)
    )
    more = f" and {len(both) - 1:,} more are" if len(both) > 1 else " is"
    return (
        f"{path}: {_name(pedigree, int(both[0]))} (father on line {as_father}, mother on line "
        f"{as_mother}){more} father and mother, as plants can be: check the pedigree if these are "
        "animals",
    )


def _check_descent(path: str, pedigree: Pedigree) -> None:
    """Refuse people who descend from themselves, and name a circle of them."""
    is_placed = generations(pedigree.father, pedigree.mother) != ABSENT
    if is_placed.all():
        return
    # Whoever is not placed has a parent who is not: following them ends in a circle.
    person, seen = int(np.flatnonzero(~is_placed)[0]), []
    while person not in seen:
        seen.append(person)
        parents = (int(pedigree.father[person]), int(pedigree.mother[person]))
        person = next(p for p in parents if p != ABSENT and not is_placed[p])
    circle = seen[seen.index(person) :]
    names = [_name(pedigree, each) for each in circle[:_MOST_NAMES]]
    more = len(circle) - len(names)
    through = f", through {' and '.join(names[1:])}" if names[1:] else ""
    others = f" and {more:,} more" if more else ""
    raise FormatError(
        f"{path}, line {pedigree.people.line[circle[0]]}: {names[0]} descends from itself{through}"
        f"{others}; expected parents that are older than their children: correct the pedigree"
    )


def _name(pedigree: Pedigree, person: int) -> str:
    return f"sample '{pedigree.people.sample_id[person]}'"
