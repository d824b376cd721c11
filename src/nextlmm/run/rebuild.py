"""A finished run read again, and its page made again, from its document and its tables."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from nextlmm.errors import FormatError, MissingFileError, NextlmmError, UsageError
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.textfile import read_bytes
from nextlmm.genotype.unpacking import plain_text
from nextlmm.output.names import RunFiles
from nextlmm.output.publication import Publication, check_writable
from nextlmm.output.schema import MISSING, RESULT_COLUMNS
from nextlmm.report.page import page_payloads, write_page
from nextlmm.run.pipeline import GwasRun

_SURPRISES = (
    *(AttributeError, LookupError, TypeError, ValueError, ArithmeticError, AssertionError),
    *(RecursionError, pl.exceptions.PolarsError),
)
_NEEDED = (
    *("nextlmm", "command", "started", "versions", "machine", "options", "inputs", "samples"),
    *("columns", "variants", "traits", "seconds", "work", "peak_memory_bytes"),
)


def rebuild_report(document: str, out: str | None = None) -> Path:
    """Write the page of a run from its document and the tables that this names.

    Tables are looked for beside the document first, so that results may be moved together. The page
    is the same to the byte as the one that the run wrote. No genotypes are needed.

    Parameters
    ----------
    document : path of OUT.json.
    out : path of the page; that of the document with the end .html unless given.

    Raises
    ------
    MissingFileError
        If the document or a table is not there or cannot be read.
    FormatError
        If the document is none of a run, or a table is not the one that it speaks of.
    UsageError
        If the page would overwrite what it is made from.
    OutputError
        If the page cannot be written.
    """
    path = Path(document)
    content = read_document(path)
    with of_document(path):
        return _rebuilt(path, content, out)


def _rebuilt(path: Path, content: Mapping[str, Any], out: str | None) -> Path:
    target = path.with_suffix(".html") if out is None else Path(out)
    sources = _sources(path, content)
    if target.resolve() in {each.resolve() for each in (path, *sources.values())}:
        raise UsageError(
            f"Option out is {target}, which the report is made from; give it another name."
        )
    check_writable([target])
    tables = _tables(content, sources)
    payloads = page_payloads(tables, content["traits"])
    with Publication() as publication:
        publication.write(target, partial(write_page, content, payloads))
    return target


@contextmanager
def of_document(path: Path) -> Iterator[None]:
    """Where a document is used, which was changed in any way since a run wrote it.

    It has hundreds of entries of all types, and each is read in one place alone: what that place
    raises when it meets something else is the proof that the document is none.

    Raises
    ------
    FormatError
        If an entry is missing, or is not what it is in the document of a run.
    """
    try:
        yield
    except NextlmmError:
        raise
    except _SURPRISES as error:
        said = excerpt(" ".join(str(error).split()), 200)
        raise FormatError(
            f"{path} is not as nextlmm wrote it ({type(error).__name__}: {said}); restore the file "
            "or run the analysis again"
        ) from error


def read_run(document: str) -> GwasRun:
    """Read a finished run, as ``nextlmm.gwas`` returned it.

    Tables are looked for beside the document first; they have no bounds of p-values.

    Parameters
    ----------
    document : path of OUT.json.

    Raises
    ------
    MissingFileError, FormatError
        If the document or a table is not there, or not what it should be.
    """
    path = Path(document)
    content = read_document(path)
    sources = _sources(path, content)
    traits = {
        name: {kind: Path(file) for kind, file in (facts.get("files") or {}).items()}
        for name, facts in content["traits"].items()
    }
    own = content.get("files") or {}
    report = Path(own["report"]) if "report" in own else None
    files = RunFiles(path, Path(own.get("log", path.with_suffix(".log"))), traits, report)
    return GwasRun(content, _tables(content, sources), files)


def _sources(document: Path, content: Mapping[str, Any]) -> dict[str, Path]:
    """Where the table of each trait is."""
    return {name: table_path(document, name, facts) for name, facts in content["traits"].items()}


def _tables(content: Mapping[str, Any], sources: Mapping[str, Path]) -> dict[str, pl.DataFrame]:
    """The table of each trait."""
    return {
        name: read_table(source, name, content["traits"][name]) for name, source in sources.items()
    }


def read_document(path: Path) -> dict[str, Any]:
    """The result document of a run."""
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        raise MissingFileError(
            f"The result document {path} cannot be read: {error.strerror}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{path} is not a result document: it is not JSON ({excerpt(str(error), 200)}); "
            "give the .json file that nextlmm gwas wrote."
        ) from error
    lacking = [key for key in _NEEDED if not isinstance(content, dict) or key not in content]
    if lacking:
        raise FormatError(
            f"{path} is not the result document of a run: it has no '{lacking[0]}'; give the .json "
            "file that nextlmm gwas wrote."
        )
    assert isinstance(content, dict)  # noqa: S101  # since it lacks nothing
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")


def table_path(document: Path, trait: str, facts: Mapping[str, Any]) -> Path:
    """Where the table of a trait is: beside the document, or where the run wrote it."""
    recorded = Path((facts.get("files") or {}).get("table", ""))
    for candidate in (document.parent / recorded.name, recorded):
        if recorded.name and candidate.is_file():
            return candidate
    raise MissingFileError(
        f"The table of trait '{trait}', {recorded.name or 'which the document does not name'}, is "
        f"neither beside {document} nor at {recorded}; put it beside the document."
    )


def read_table(path: Path, trait: str, facts: Mapping[str, Any]) -> pl.DataFrame:
    """The table of a trait, without the bounds of its p-values."""
    types = {column.name: column.dtype for column in RESULT_COLUMNS}
    try:
        frame = pl.read_csv(
            plain_text(path, read_bytes(path)),
            separator="\t",
            null_values=MISSING,
            quote_char=None,
            schema_overrides=types,
            columns=list(types),
        )
    except pl.exceptions.PolarsError as error:
        reason = excerpt(str(error).splitlines()[0], 200)
        raise FormatError(
            f"{path} is not the table of trait '{trait}' as nextlmm gwas wrote it ({reason}); "
            "restore the file or run the analysis again."
        ) from error
    expected = facts["variants"]["selected"]
    if frame.height != expected:
        raise FormatError(
            f"{path} has {frame.height:,} variants, but trait '{trait}' of the document has "
            f"{expected:,}; put the table of the same run beside the document."
        )
    return frame
