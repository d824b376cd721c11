"""Reading the samples of PLINK 2 (.psam) and Oxford (.sample) files, and of plain lists."""

from collections.abc import Iterable
from pathlib import Path

from nextlmm.errors import FormatError
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.plink_tables import read_fam
from nextlmm.genotype.tables import SampleTable, string_array
from nextlmm.genotype.textfile import read_lines

_NO_FAMILY = "0"


def without_families(ids: Iterable[str], path: Path) -> SampleTable:
    """Samples of a file that has one identifier for each."""
    sample_id = string_array(ids)
    return SampleTable(string_array([_NO_FAMILY] * len(sample_id)), sample_id, str(path))


def read_psam(path: Path) -> SampleTable:
    """The samples of a .psam file, whose header begins with #FID or #IID; without one, of a .fam.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, a line is too short, or there is no sample.
    """
    lines = [(number, line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    header = next((i for i, (_, line) in enumerate(lines) if line.startswith(("#FID", "#IID"))), -1)
    if header < 0:
        return read_fam(path)
    names = lines[header][1].lstrip("#").split()
    rows = [(number, line.split()) for number, line in lines[header + 1 :]]
    if "IID" not in names:
        raise FormatError(
            f"{path}, line {lines[header][0]}: the header has no column IID "
            f"({_excerpt(names)}); "
            "expected #FID and IID, or #IID, first: correct the header"
        )
    family, sample = 0 if names[0] == "FID" else None, names.index("IID")
    return _table(path, rows, family=family, sample=sample, width=len(names))


def read_oxford_sample(path: Path) -> SampleTable:
    """The samples of a .sample file: two lines of header, then ID_1 (family) and ID_2 (sample).

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, has not this header, or a line is too short.
    """
    lines = [(number, line.split()) for number, line in enumerate(read_lines(path), 1)]
    lines = [(number, fields) for number, fields in lines if fields]
    if len(lines) < 2 or lines[1][1][0] != "0":
        seen = _excerpt(lines[1][1]) if len(lines) > 1 else "nothing"
        raise FormatError(
            f"{path}: the second line holds {seen!r}; expected the types of the columns, 0 0 0, as "
            "an Oxford .sample file has them below its header: check that the right file is named"
        )
    has_two = len(lines[0][1]) > 1 and lines[0][1][1].upper() == "ID_2"
    family, sample = (0, 1) if has_two else (None, 0)
    return _table(path, lines[2:], family=family, sample=sample, width=len(lines[0][1]))


def read_id_pairs(path: Path) -> SampleTable:
    """The samples of a list, family and sample ID or the sample ID alone on every line.

    A first line that begins with FID or IID, with or without #, is a header.

    Raises
    ------
    MissingFileError, FormatError
        If the file cannot be read, a line is too short, or there is no sample.
    """
    lines = [(number, line.split()) for number, line in enumerate(read_lines(path), 1)]
    rows = [(number, fields) for number, fields in lines if fields]
    if rows and rows[0][1][0].lstrip("#") in ("FID", "IID"):
        rows = rows[1:]
    has_family = bool(rows) and len(rows[0][1]) > 1
    family, sample = (0, 1) if has_family else (None, 0)
    return _table(path, rows, family=family, sample=sample, width=len(rows[0][1]) if rows else 0)


def _table(
    path: Path,
    rows: list[tuple[int, list[str]]],
    *,
    family: int | None,
    sample: int,
    width: int,
) -> SampleTable:
    """The samples of rows, each of which has as many columns as the header or the first one."""
    for number, fields in rows:
        if len(fields) != width:
            raise FormatError(
                f"{path}, line {number}: {len(fields)} column(s) ({_excerpt(fields)}); expected "
                f"{width} as above it: correct the line, in which an ID may hold a blank"
            )
    if not rows:
        raise FormatError(
            f"{path} lists no samples; expected one line per genotyped sample: check that the file "
            "was written completely"
        )
    ids = [fields[sample] for _, fields in rows]
    if family is None:
        return without_families(ids, path)
    families = string_array(fields[family] for _, fields in rows)
    return SampleTable(families, string_array(ids), str(path))


def _excerpt(fields: list[str]) -> str:
    return excerpt(" ".join(fields[:4]))
