"""Which row of a table belongs to which genotyped sample: by ID, never by position."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.table import SampleColumns
from nextlmm.errors import AlignmentError
from nextlmm.genotype.tables import IndexArray, SampleTable, StringArray

_JOINERS = "_:-|.#"
_EXAMPLES = 3
_ABSENT = -1


@dataclass(frozen=True, eq=False)
class RowMatch:
    """Rows of a table for the samples of the genotypes.

    Attributes
    ----------
    row : (n,) row of the table for each sample, -1 where it has none.
    warnings : sentences about matches that a user may want to know of.
    """

    row: IndexArray
    warnings: tuple[str, ...] = ()

    @property
    def is_present(self) -> NDArray[np.bool_]:
        """Whether each sample has a row, (n,)."""
        return np.asarray(self.row != _ABSENT)


def match_rows(
    samples: SampleTable, table: SampleColumns, candidates: NDArray[np.bool_]
) -> RowMatch:
    """Find the row of each sample in a table.

    Samples are matched by sample ID alone.  If a sample ID stands for different people, in two
    families of either file, they are matched by family and sample ID together, provided that the
    table has family IDs.

    Parameters
    ----------
    samples : the samples of the genotypes.
    table : the table.
    candidates : (n,) which samples to look for.

    Raises
    ------
    AlignmentError
        If a sample looked for has several rows, if several samples looked for share a row, or if
        none has a row; the last sentence counts both sides, gives three examples of each and the
        likely cause.
    """
    by_family = _needs_family(samples, table)
    table_keys = _keys(table.family_id, table.sample_id, by_family)
    sample_keys = _keys(samples.family_id, samples.sample_id, by_family)
    rows_of_key: dict[Hashable, list[int]] = {}
    for row, key in enumerate(table_keys):
        rows_of_key.setdefault(key, []).append(row)
    matched = np.full(len(samples), _ABSENT, dtype=np.intp)
    sample_of_row: dict[int, int] = {}
    for i in np.flatnonzero(candidates).tolist():
        rows = rows_of_key.get(sample_keys[i])
        if rows is None:
            continue
        if len(rows) > 1:
            raise AlignmentError(_two_rows(table, rows))
        if rows[0] in sample_of_row:
            raise AlignmentError(_two_samples(samples, table, sample_of_row[rows[0]], i))
        sample_of_row[rows[0]] = i
        matched[i] = rows[0]
    if not sample_of_row:
        raise AlignmentError(no_overlap(samples, table, candidates))
    return RowMatch(matched, _family_warnings(samples, table, matched))


def is_listed(samples: SampleTable, listed: SampleColumns) -> NDArray[np.bool_]:
    """Whether each sample is in a list of samples, (n,).

    IDs are compared as in :func:`match_rows`; samples that share the ID of a list without family
    IDs are all in it, and repeated lines do no harm.
    """
    by_family = _needs_family(samples, listed)
    keys = set(_keys(listed.family_id, listed.sample_id, by_family))
    sample_keys = _keys(samples.family_id, samples.sample_id, by_family)
    return np.fromiter((key in keys for key in sample_keys), dtype=bool, count=len(samples))


def _needs_family(samples: SampleTable, table: SampleColumns) -> bool:
    if table.family_id is None:
        return False
    return _is_shared_by_families(samples.family_id, samples.sample_id) or _is_shared_by_families(
        table.family_id, table.sample_id
    )


def _is_shared_by_families(family_id: StringArray, sample_id: StringArray) -> bool:
    """Whether one sample ID occurs in different families (a repeated row alone does not count)."""
    distinct = set(zip(family_id, sample_id, strict=True))
    return len({sample for _, sample in distinct}) < len(distinct)


def _keys(
    family_id: StringArray | None, sample_id: StringArray, by_family: bool
) -> Sequence[Hashable]:
    if not by_family or family_id is None:
        return list(sample_id)
    return list(zip(family_id, sample_id, strict=True))


def _two_rows(table: SampleColumns, rows: list[int]) -> str:
    lines = f"{table.row_word}s {table.line[rows[0]]} and {table.line[rows[1]]}"
    return (
        f"{table.path}: sample '{table.sample_id[rows[0]]}' has two rows, on {lines}; expected one "
        "row per sample: delete one of them"
    )


def _two_samples(samples: SampleTable, table: SampleColumns, first: int, second: int) -> str:
    families = samples.family_id[first], samples.family_id[second]
    name = f"sample ID '{samples.sample_id[first]}'"
    where = f"the samples number {first + 1} and {second + 1} of {samples.origin}"
    if families[0] == families[1]:
        return (
            f"{where} have the same family and {name}, so a row of {table.path} may belong to "
            "either; expected different IDs: rename or remove one of them"
        )
    return (
        f"{where} share the {name} (families '{families[0]}' and '{families[1]}'), and "
        f"{table.path} has no family IDs to tell them apart; add an FID column before IID"
    )


def _family_warnings(
    samples: SampleTable, table: SampleColumns, row: IndexArray
) -> tuple[str, ...]:
    """A note if samples matched by sample ID are in another family in the table."""
    if table.family_id is None:
        return ()
    present = np.flatnonzero(row != _ABSENT)
    theirs, ours = table.family_id[row[present]], samples.family_id[present]
    # "0" stands for no family, and many files repeat the sample ID for want of one.
    informative = (theirs != "0") & (ours != "0")
    informative &= (theirs != samples.sample_id[present]) & (ours != samples.sample_id[present])
    differing = np.flatnonzero((theirs != ours) & informative)
    if not len(differing):
        return ()
    i = differing[0]
    return (
        f"{len(differing):,} samples of {table.path} were matched by sample ID although their "
        f"family IDs differ from those of {samples.origin} (sample "
        f"'{samples.sample_id[present[i]]}': '{theirs[i]}' and '{ours[i]}')",
    )


def no_overlap(samples: SampleTable, table: SampleColumns, candidates: NDArray[np.bool_]) -> str:
    """The sentence for two files without a common sample."""
    chosen = samples.take(np.flatnonzero(candidates))
    families = None if table.family_id is None else chosen.family_id
    return (
        f"none of the {len(table):,} samples of {table.path} "
        f"({_examples(table.family_id, table.sample_id)}) is among the {len(chosen):,} of "
        f"{samples.origin} ({_examples(families, chosen.sample_id)}): "
        f"{_likely_cause(chosen, table)}"
    )


def _examples(family_id: StringArray | None, sample_id: StringArray) -> str:
    ids = sample_id[:_EXAMPLES]
    if family_id is not None:
        ids = np.array([f"{f} {s}" for f, s in zip(family_id, ids, strict=False)], dtype=object)
    return ", ".join(f"'{i}'" for i in ids) + (", ..." if len(sample_id) > _EXAMPLES else "")


def _likely_cause(samples: SampleTable, table: SampleColumns) -> str:
    """Why two files may have no sample in common, and what to do."""
    ours, theirs = set(samples.sample_id), set(table.sample_id)
    our_families = set(samples.family_id)
    their_families = set() if table.family_id is None else set(table.family_id)
    if ours & theirs:
        return (
            "the sample IDs agree but not the family IDs, which are compared because some sample "
            "IDs occur in several families; make the family IDs agree"
        )
    if theirs & our_families:
        return (
            "the sample IDs of the one are the family IDs of the other; the columns FID and IID "
            "are probably swapped: exchange them, or their names"
        )
    joined = _joined_side(samples, table)
    if joined is not None:
        return joined
    if their_families & ours:
        return (
            "the family IDs of the one are the sample IDs of the other; the columns FID and IID "
            "are probably swapped: exchange them, or their names"
        )
    if _agree(ours, theirs, str.casefold):
        return "they differ in upper and lower case only; write the IDs as in the genotypes"
    if _agree(ours, theirs, _without_leading_zeros):
        return (
            "they differ in leading zeros only, which a spreadsheet may have removed; write the "
            "IDs as in the genotypes"
        )
    if _agree(ours, theirs, _without_decimals):
        return (
            "they differ in a trailing '.0' only, which a spreadsheet may have added; write the "
            "IDs as in the genotypes"
        )
    return "the IDs have nothing in common; check that the two files are of the same people"


def _joined_side(samples: SampleTable, table: SampleColumns) -> str | None:
    """The cause, if one side writes family and sample ID as one."""
    ours = zip(samples.family_id, samples.sample_id, strict=True)
    if _is_joined(ours, set(table.sample_id)):
        return (
            f"the IDs of {table.path} are family and sample ID joined; split them into the columns "
            "FID and IID"
        )
    families = table.sample_id if table.family_id is None else table.family_id
    theirs = zip(families, table.sample_id, strict=True)
    joined = _is_joined(theirs, set(samples.sample_id))
    if joined or set(table.sample_id) & _parts(samples.sample_id):
        return (
            f"the sample IDs of {samples.origin} are family and sample ID joined, as conversion "
            "from VCF or BGEN makes them; write the IDs in the same way in both"
        )
    return None


def _is_joined(pairs: Iterable[tuple[str, str]], ids: set[str]) -> bool:
    return any(f"{family}{j}{sample}" in ids for family, sample in pairs for j in _JOINERS)


def _parts(ids: Iterable[str]) -> set[str]:
    """What follows a joining character in any of the IDs."""
    return {i.partition(j)[2] for i in ids for j in _JOINERS if j in i} - {""}


def _agree(ours: set[str], theirs: set[str], simplify: Callable[[str], str]) -> bool:
    return not {simplify(i) for i in ours}.isdisjoint(simplify(i) for i in theirs)


def _without_leading_zeros(text: str) -> str:
    return text.lstrip("0") or "0"


def _without_decimals(text: str) -> str:
    return text.removesuffix(".0")
