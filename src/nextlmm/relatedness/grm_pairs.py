"""Relationships from tables of pairs and their kinship, as KING and PLINK 2 write them.

The relationship of a pair is twice its kinship coefficient, that of a sample with itself 1, and
that of a pair that no row names 0.  KING lists the pairs within families in a .kin file and those
between families in a .kin0 file, which are read together.
"""

from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from nextlmm.cohort.match import match_rows
from nextlmm.cohort.table import SampleColumns, read_sample_list
from nextlmm.errors import FormatError
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.tables import IndexArray, SampleTable, string_array
from nextlmm.genotype.textfile import read_bytes
from nextlmm.genotype.unpacking import plain_text
from nextlmm.relatedness.grm_entries import symmetric_entries

ENDS = (".kin0", ".kin")

_KINSHIP = "kinship"
_COLUMNS = {
    "family1": ("fid1", "fid"),
    "id1": ("id1", "iid1"),
    "family2": ("fid2", "fid"),
    "id2": ("id2", "iid2"),
    _KINSHIP: (_KINSHIP,),
}


def read_pairs(
    file: Path, ids: Path | None
) -> tuple[SampleColumns, sparse.csr_array, dict[str, str]]:
    """The samples, their relationships, and the files that were read, by role.

    ``ids`` lists the samples; those that the table names unless given.

    Raises
    ------
    MissingFileError, FormatError
        If a file cannot be read, has no kinship, or gives one pair two of them.
    AlignmentError
        If the list and the table have no sample in common.
    """
    stem = str(file).removesuffix(file.suffix)
    others = [Path(stem + end) for end in ENDS if stem + end != str(file)]
    found = [file, *(other for other in others if other.is_file())]
    pairs = pl.concat([_read(path) for path in found])
    people, places = _people(file, pairs)
    line = pairs["line"].to_numpy()
    alone = np.flatnonzero(places[0] == places[1])
    if len(alone):
        raise FormatError(
            f"{file}, line {line[alone[0]]}: sample '{people.sample_id[places[0][alone[0]]]}' is "
            "paired with itself; expected pairs of two samples: delete the line"
        )
    files = dict(zip(("grm", "grm_within"), map(str, found), strict=False))
    if ids is not None:
        listed = read_sample_list(ids)
        files["grm_id"] = str(ids)
        row = _rows_in(people, listed)
        is_listed = np.asarray((row[places] >= 0).all(axis=0))
        people, places = listed, row[places][:, is_listed]
        pairs, line = pairs.filter(is_listed), line[is_listed]
    relationship = 2.0 * pairs[_KINSHIP].to_numpy()
    n = len(people)
    values = symmetric_entries(file, n, places, relationship, line)
    return people, sparse.csr_array(values + sparse.eye_array(n)), files


def _read(path: Path) -> pl.DataFrame:
    """The pairs of a table: family1, id1, family2, id2 as text, kinship, and the line of each.

    Cells are separated by tabs, as both programs write them, or else by white space.
    """
    content = plain_text(path, read_bytes(path))
    first = content.split(b"\n", 1)[0]
    names = [name.lstrip("#").casefold() for name in first.decode("utf-8-sig", "replace").split()]
    wanted = _columns(path, names)
    if b"\t" not in first:
        content = b"\n".join(b"\t".join(line.split()) for line in content.splitlines())
    try:
        table = pl.read_csv(
            content,
            has_header=False,
            skip_rows=1,
            separator="\t",
            quote_char=None,
            schema={f"c{k}": pl.String for k in range(len(names))},
        )
    except pl.exceptions.PolarsError as error:
        said = excerpt(str(error).split("\n", 1)[0], 200)
        raise FormatError(
            f"{path} cannot be read as a table of pairs with the {len(names)} columns of line 1 "
            f"({said}); check that the file is complete"
        ) from error
    cells = {
        name: pl.lit(None, pl.String) if at is None else pl.col(f"c{at}")
        for name, at in wanted.items()
    }
    pairs = table.select(**cells).with_columns(
        pl.col(_KINSHIP).str.strip_chars().cast(pl.Float64, strict=False).alias("value"),
        pl.int_range(2, table.height + 2).alias("line"),
    )
    _check_rows(path, pairs, wanted)
    return pairs.with_columns(pl.col("value").alias(_KINSHIP)).drop("value")


def _columns(path: Path, names: list[str]) -> dict[str, int | None]:
    """Where the families, the IDs and the kinship of a pair are; families may be nowhere."""
    found = {
        name: next((names.index(c) for c in choices if c in names), None)
        for name, choices in _COLUMNS.items()
    }
    lacking = [name for name in ("id1", "id2", _KINSHIP) if found[name] is None]
    if lacking:
        raise FormatError(
            f"{path}, line 1: there is no column {lacking[0].upper()} among "
            f"{excerpt(' '.join(names[:9]), 100)}; "
            "expected ID1, ID2 and KINSHIP, as KING and plink2 --make-king-table write them"
        )
    return found


def _check_rows(path: Path, pairs: pl.DataFrame, wanted: dict[str, int | None]) -> None:
    """Refuse rows without IDs or without a finite kinship."""
    named = [name for name, at in wanted.items() if at is not None and name != _KINSHIP]
    is_odd = pl.any_horizontal(pl.col(named).fill_null("").str.len_bytes() == 0)
    odd = pairs.filter(is_odd | ~pl.col("value").fill_null(float("nan")).is_finite())
    if odd.height:
        row = odd.row(0, named=True)
        raise FormatError(
            f"{path}, line {row['line']}: the kinship of '{excerpt(row['id1'] or '')}' and "
            f"'{excerpt(row['id2'] or '')}' is '{excerpt(row[_KINSHIP] or '')}'; "
            "expected two samples and a finite number: delete the line if the kinship is not known"
        )
    if not pairs.height:
        raise FormatError(
            f"{path} names no pair; expected a line for each: check that the file was written "
            "completely"
        )


def _people(file: Path, pairs: pl.DataFrame) -> tuple[SampleColumns, IndexArray]:
    """The people of all pairs by first mention, and the two of each pair (2, r)."""
    first, second = (
        pairs.select(
            family=pl.col(f"family{k}").fill_null(""), sample=pl.col(f"id{k}"), line="line"
        )
        for k in (1, 2)
    )
    key = ["family", "sample"]
    people = pl.concat([first, second]).unique(key, keep="first", maintain_order=True)
    numbered = people.select(*key).with_row_index("number")
    places = [
        each.join(numbered, on=key, how="left", maintain_order="left")["number"].to_numpy()
        for each in (first, second)
    ]
    has_families = bool((people["family"] != "").any())
    table = SampleColumns(
        path=str(file),
        family_id=string_array(people["family"].to_list()) if has_families else None,
        sample_id=string_array(people["sample"].to_list()),
        columns={},
        line=people["line"].to_numpy(),
    )
    return table, np.stack(places).astype(np.intp)


def _rows_in(people: SampleColumns, listed: SampleColumns) -> IndexArray:
    """The row of a list that each of the people is on, -1 where it is on none."""
    sample = people.sample_id
    family = string_array(["0"] * len(sample)) if people.family_id is None else people.family_id
    everyone = np.ones(len(people), dtype=bool)
    return match_rows(SampleTable(family, sample, people.path), listed, everyone).row
