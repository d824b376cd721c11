"""Fuzzed readers of tables of samples: traits, lists, pedigrees, kinships, and formulas."""

import bz2
import contextlib
import gzip
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextlmm.cohort.align import align
from nextlmm.cohort.formula import parse_formula
from nextlmm.cohort.table import SampleColumns, read_sample_list, read_sample_table
from nextlmm.cohort.values import TextColumn, parse_numbers
from nextlmm.errors import InputError
from nextlmm.genotype.filters import read_id_list
from nextlmm.genotype.sample_tables import read_oxford_sample, read_psam
from nextlmm.genotype.tables import SampleTable, string_array
from nextlmm.relatedness.numerator import read_pedigree
from nextlmm.relatedness.prune_rule import parse_pruning
from nextlmm.run.option_checks import chosen_chromosomes, split_names
from validation.fuzz.genotypes import lines_of
from validation.fuzz.mutate import Files
from validation.fuzz.reader import Reader, RefusedError, UnknownError

N = 12
_BETWEEN = re.compile(r'[\s,;"]+')
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


# Traits and covariates


def _rows(separator: str, header: str | None = "FID IID y age site") -> bytes:
    lines = [] if header is None else [header.replace(" ", separator)]
    for i in range(N):
        site = "NA" if i == 3 else "ABC"[i % 3]
        cells = [f"F{i}", f"I{i}", f"{i * 0.5:g}", "-9" if i == 5 else str(40 + i), site]
        lines.append(separator.join(cells[: 4 if header is None else 5]))
    return ("\n".join(lines) + "\n").encode()


def _table_seeds(folder: Path) -> list[Files]:
    comma = _rows(",").replace(b"I2,", b'"I2",')
    return [
        {"t": _rows("\t")},
        {"t": comma},
        {"t": _rows(" ", header=None)},
        {"t": _rows(";").replace(b"\n", b"\r\n")},
        {"t": gzip.compress(_rows("\t"), mtime=0)},
        {"t": bz2.compress(_rows(","))},
        {"t": b"IID y\nI1 1\nI2 2\nI3 3.5e0\n"},
    ]


def _columns(table: SampleColumns) -> dict[str, Any]:
    family = table.family_id
    return {
        "family": None if family is None else family.tolist(),
        "sample": table.sample_id.tolist(),
        "columns": {name: list(values) for name, values in table.columns.items()},
        "line": np.asarray(table.line).tolist(),
        "has_header": table.has_header,
    }


def _read_table(folder: Path) -> dict[str, Any]:
    table = read_sample_table(folder / "t")
    people = string_array(f"I{i}" for i in range(N))
    samples = SampleTable(string_array(f"F{i}" for i in range(N)), people, "fam")
    for name in list(table.columns)[:3]:
        with contextlib.suppress(InputError):
            align(samples, table, name)
    found = _columns(table) | {"numbers": {}}
    for name in list(table.columns)[:4]:
        text = TextColumn("trait", name, "t", table.columns[name], table.line, table.sample_id)
        with contextlib.suppress(InputError):
            found["numbers"][name] = parse_numbers(text, may_be_coded=False).values.tolist()
    _check_table((folder / "t").read_bytes(), found)
    return found


def _check_table(content: bytes, found: dict[str, Any]) -> None:
    """Refuse a table that is not, cell after cell, what stands on the lines that it names."""
    lines = _unpacked_lines(content)
    used = [at for at, line in enumerate(lines, 1) if line.strip(" \t,;").strip()]
    expected = used[1:] if found["has_header"] else used
    _agree("lines", found["line"], expected)
    columns = list(found["columns"].values())
    families = [] if found["family"] is None else [found["family"]]
    for row, line in enumerate(found["line"]):
        cells = [*(f[row] for f in families), found["sample"][row], *(c[row] for c in columns)]
        # A table may name the sample before the family, and quotes may double a quote.
        seen = sorted(_BETWEEN.sub("", "".join(cells)))
        _agree(f"cells of line {line}", seen, sorted(_BETWEEN.sub("", lines[line - 1])))
    for name, values in found["numbers"].items():
        for text, value in zip(found["columns"][name], values, strict=True):
            number = float(text) if _DECIMAL.fullmatch(text) else float("nan")
            _agree(f"a number of {name}", repr(value), repr(number))


def _agree(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found!r:.300} but the file has {expected!r:.300}")


def _unpacked_lines(content: bytes) -> list[str]:
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    elif content.startswith(b"BZh"):
        content = bz2.decompress(content)
    return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _parquet_seeds(folder: Path) -> list[Files]:
    frame = pl.DataFrame(
        {
            "FID": [f"F{i}" for i in range(N)],
            "IID": [f"I{i}" for i in range(N)],
            "y": [None if i == 2 else i / 2 for i in range(N)],
            "case": [i % 2 == 0 for i in range(N)],
            "site": pl.Series(["ABC"[i % 3] for i in range(N)], dtype=pl.Categorical),
            "n": list(range(N)),
        }
    )

    def packed(frame: pl.DataFrame, compression: Any) -> Files:
        handle = io.BytesIO()
        frame.write_parquet(handle, compression=compression)
        return {"t.parquet": handle.getvalue()}

    return [
        packed(frame, "uncompressed"),
        packed(frame, "zstd"),
        packed(frame.drop("FID"), "snappy"),
        packed(frame.with_columns(IID=pl.int_range(N)).drop("FID"), "gzip"),
    ]


def _read_parquet(folder: Path) -> dict[str, Any]:
    table = read_sample_table(folder / "t.parquet")
    found: dict[str, Any] = {"sample": table.sample_id.tolist()}
    for name in table.columns:
        with contextlib.suppress(InputError):
            found[name] = list(table.columns[name])
            assert len(found[name]) == len(table)
    return found


# Lists


def _list_seeds(folder: Path) -> list[Files]:
    pairs = "".join(f"F{i}\tI{i}\n" for i in range(N)).encode()
    singles = "".join(f"I{i}\n" for i in range(N)).encode()
    return [{"t": pairs}, {"t": singles}, {"t": b"#FID IID\n" + pairs}, {"t": b"IID\n" + singles}]


def _read_lists(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(InputError):
        assert read_id_list(folder / "t")
    found = read_sample_list(folder / "t")
    family = found.family_id
    return {
        "sample": found.sample_id.tolist(),
        "family": None if family is None else family.tolist(),
    }


def sample_list(content: bytes) -> tuple[list[str] | None, list[str]]:
    """Families and samples of a list, in the simplest way."""
    rows = [re.split(r"[\s,;]+", line.strip()) for line in lines_of(content) if line.strip()]
    if not rows:
        raise RefusedError("no line")
    if len({len(row) == 1 for row in rows}) > 1:
        raise RefusedError("one ID here and two there")
    first = [cell.lstrip("#").casefold() for cell in rows[0][:2]]
    families, people = {"fid", "family", "family_id"}, {"iid", "id", "sample", "sample_id"}
    at = (0, 1) if len(rows[0]) > 1 else (None, 0)
    if first[0] in families and first[1:2] and first[1] in people:
        rows = rows[1:]
    elif first[0] in people:
        at = (1, 0) if first[1:2] and first[1] in families else (None, 0)
        rows = rows[1:]
    if not rows:
        raise RefusedError("no sample")
    family = None if at[0] is None else [row[at[0]] for row in rows]
    found = family, [row[at[1]] for row in rows]
    if not all(found[1]) or (family is not None and not all(family)):
        raise RefusedError("an empty ID")
    return found


def _read_list_simply(files: Files) -> dict[str, Any]:
    if "t" not in files:
        raise RefusedError("no file")
    family, sample = sample_list(files["t"])
    return {"sample": sample, "family": family}


def _genotyped_seeds(folder: Path) -> list[Files]:
    pairs = "".join(f"F{i}\tI{i}\t1\n" for i in range(N))
    psam = [("#FID\tIID\tSEX\n" + pairs).encode(), (b"##x\n#IID\tSEX\nI1\t1\nI2\t2\n")]
    sample = [
        ("ID_1 ID_2 missing\n0 0 0\n" + pairs.replace("\t", " ")).encode(),
        b"ID missing\n0 0\nI1 0\nI2 0\n",
    ]
    return [{"p.psam": one, "o.sample": two} for one, two in zip(psam, sample, strict=True)]


def _read_genotyped(folder: Path) -> dict[str, Any]:
    found = {}
    for name, read in (("p.psam", read_psam), ("o.sample", read_oxford_sample)):
        with contextlib.suppress(InputError):
            table = read(folder / name)
            found[name] = [table.family_id.tolist(), table.sample_id.tolist()]
    return found


def _read_genotyped_simply(files: Files) -> dict[str, Any]:
    """The same where the header says what there is."""
    found = {}
    for name in ("p.psam", "o.sample"):
        try:
            found[name] = _genotyped(name, files.get(name, b""))
        except RefusedError:
            continue
    return found


def _genotyped(name: str, content: bytes) -> list[list[str]]:
    rows = [line.split() for line in lines_of(content) if line.split()]
    if name == "p.psam":
        at = next((k for k, row in enumerate(rows) if row[0].startswith(("#FID", "#IID"))), None)
        starts = [line for line in lines_of(content) if line.startswith(("#FID", "#IID"))]
        if at is None or not starts or rows[at] != starts[0].split():
            raise UnknownError  # which is a .fam file
        if rows[at][0] not in ("#FID", "#IID"):
            raise UnknownError
        header = ["FID" if cell == "#FID" else cell.lstrip("#") for cell in rows[at]]
        rows = rows[at + 1 :]
        if "IID" not in header:
            raise RefusedError("no IID")
        family, sample = 0 if header[0] == "FID" else None, header.index("IID")
    else:
        if len(rows) < 2 or rows[1][0] != "0":
            raise RefusedError("no types")
        header, rows = rows[0], rows[2:]
        if len(rows) and len(rows[0]) != len(header):
            raise RefusedError("lines that are not as long as the header")
        has_two = len(header) > 1 and header[1].upper() == "ID_2"
        family, sample = (0, 1) if has_two else (None, 0)
    if not rows or any(len(row) != len(header) for row in rows):
        raise RefusedError("lines that are not as long as the header")
    families = [row[family] if family is not None else "0" for row in rows]
    return [families, [row[sample] for row in rows]]


# Pedigrees


def _pedigree_seeds(folder: Path) -> list[Files]:
    rows = [("1", "0", "0"), ("2", "0", "0"), ("3", "1", "2"), ("4", "1", "2"), ("5", "3", "4")]
    rows += [("6", "5", "2"), ("7", "5", "5"), ("8", "7", "unlisted")]
    plain = "IID\tfather\tmother\n" + "".join("\t".join(row) + "\n" for row in rows)
    family = "FID,id,sire,dam,note\n" + "".join(f"F,{','.join(row)},x\n" for row in rows)
    fam = "".join(f"F {' '.join(row)} 1 -9\n" for row in rows)
    return [
        {"t": plain.encode()},
        {"t": family.encode()},
        {"t.fam": fam.encode()},
        {"t": b"animal sire\n1 0\n2 1\n3 2\n"},
    ]


def _read_pedigree(folder: Path) -> dict[str, Any]:
    path = folder / ("t.fam" if (folder / "t.fam").exists() else "t")
    found = read_pedigree(path)
    n = len(found.samples)
    values = found.among(np.arange(n))
    pairs = list(zip(found.father.tolist(), found.mother.tolist(), strict=True))
    expected = _by_rule(pairs)
    if not np.allclose(values, expected, rtol=0, atol=1e-9):
        raise AssertionError("relationships that are not those of the rule")
    _check_parents(path.read_bytes(), found.samples, pairs)
    return {}


def _by_rule(pairs: list[tuple[int, int]]) -> np.ndarray:
    """The tabular method, parents before children."""
    order: list[int] = []
    while len(order) < len(pairs):
        done = {-1, *order}
        ready = [k for k, two in enumerate(pairs) if k not in done and done.issuperset(two)]
        if not ready:
            raise AssertionError("someone descends from himself")
        order += ready
    values = np.zeros((len(pairs) + 1, len(pairs) + 1))  # the last stands for nobody
    for at, child in enumerate(order):
        father, mother = pairs[child]
        row = 0.5 * (values[father] + values[mother])
        before = order[:at]
        values[child, before] = values[before, child] = row[before]
        inbred = 0.5 * values[father, mother] if -1 not in (father, mother) else 0.0
        values[child, child] = 1.0 + inbred
    return values[:-1, :-1]


def _check_parents(content: bytes, people: SampleColumns, pairs: list[tuple[int, int]]) -> None:
    """Parents stand on the line of their child, which has one line."""
    lines = [set(_BETWEEN.split(line)) for line in _unpacked_lines(content)]
    names = people.sample_id.tolist()
    for child, parents in enumerate(pairs):
        wanted = {names[child], *(names[k] for k in parents if k >= 0)}
        words = {word for name in wanted for word in _BETWEEN.split(name) if word}
        if not any(words <= line for line in lines):
            raise AssertionError(f"{wanted} are on no line together")


# What is typed


def _typed_seeds(folder: Path) -> list[Files]:
    texts = ["age + age^2 + sex:age + C(site)", "a*b - a + `body mass`", "I(w / h^2) + log(age)"]
    texts += ["poly(age, 3) + bs(age, df=5)", "1-5,X,7", "PC1-PC10,age", "PC{1:10}", "500kb,1,0.2"]
    return [{"t": text.encode()} for text in texts]


def _read_typed(folder: Path) -> dict[str, Any]:
    text = (folder / "t").read_bytes().decode("utf-8", "replace")
    columns = [f"PC{k}" for k in range(1, 21)] + ["age", "PC1-x"]
    for read in (
        parse_formula,
        chosen_chromosomes,
        parse_pruning,
        lambda given: split_names("covar_name", [given], columns),
    ):
        from nextlmm.errors import UsageError  # noqa: PLC0415

        with contextlib.suppress(UsageError):
            read(text)
    return {}


_TYPED = (
    *("*", ":", "^", "**", "(", ")", "((", "log(", "poly(", "C(", "I(", "`", "-", "a*b*c*d", "~"),
    *("PC{", "}", "1-1000000000", "PC{1:1000000000}", "-" * 3000, "(" * 3000, "kb", "e999"),
)

TABLES = (
    Reader("table", _table_seeds, _read_table, tokens=("FID", "IID", '""', ",,,,", "-9", "-9.0")),
    Reader("parquet", _parquet_seeds, _read_parquet),
    Reader("list", _list_seeds, _read_lists, _read_list_simply, ("#FID", "IID", "a b")),
    Reader("psam", _genotyped_seeds, _read_genotyped, _read_genotyped_simply, ("#IID", "ID_2")),
    Reader("pedigree", _pedigree_seeds, _read_pedigree, tokens=("1", "2", "5", "0", "sire", "dam")),
    Reader("typed", _typed_seeds, _read_typed, tokens=_TYPED),
)
