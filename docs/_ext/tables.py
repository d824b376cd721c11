"""Columns of result tables, formats of other programs, and names of files."""

import re
from collections.abc import Iterable
from typing import get_args

from markdown import code, codes, table
from nextlmm.output import schema
from nextlmm.output.export import EXPORTS
from nextlmm.output.formats import OutFormat, PlotFormat
from nextlmm.output.names import RunFiles
from nextlmm.output.names import run_files as named

_TYPES = {"String": "text", "Int64": "whole number", "Float64": "number", "Boolean": "true, false"}
_KINDS = {
    "table": "one row per variant; [the columns](columns.md)",
    "index": "its index by position, for tabix; where the variants are in genome order",
    "leads": "independent lead variants; unless `--no-report`",
    "manhattan": "the Manhattan plot; unless `--no-plots`",
    "qq": "the QQ plot; unless `--no-plots`",
    "gwas-ssf_metadata": "what the GWAS Catalog wants to know of that table",
    "gwas-vcf_index": "its index by position",
}


def result_columns() -> str:
    """The columns of a result table, those of its bounds, and those of lead variants."""
    parts = {
        "OUT.TRAIT.tsv.gz": schema.RESULT_COLUMNS,
        "The same, with a certificate for every variant": schema.BOUND_COLUMNS,
        "OUT.TRAIT.leads.tsv": schema.LEAD_COLUMNS,
    }
    return "\n".join(f"## {name}\n\n{_columns(columns)}" for name, columns in parts.items())


def exports() -> str:
    """The tables of `--out-format`: the end of the name, and the columns in their order."""
    rows = [
        (code(name), code(f"OUT.TRAIT.{made.suffix}"), codes(made.columns) or "all of the table")
        for name, made in EXPORTS.items()
    ]
    return table(("`--out-format`", "file", "columns"), rows)


def run_files() -> str:
    """Every file of ``nextlmm gwas``, named by the function that names them in a run."""
    files = named(
        "OUT",
        ["TRAIT"],
        formats=get_args(OutFormat),
        index=True,
        plot_formats=get_args(PlotFormat),
        report=True,
    )
    about = _attributes()
    rows = [
        (code(path), about[name])
        for name, path in (
            ("document", files.document),
            ("log", files.log),
            ("report", files.report),
        )
    ]
    rows += [(code(path), _meaning(kind)) for kind, path in files.traits["TRAIT"].items()]
    return table(("file", "content"), rows)


def _meaning(kind: str) -> str:
    """What a file of a trait is.

    Raises
    ------
    KeyError
        If there is a kind of file that nobody has described.
    """
    if kind in EXPORTS:
        return f"the table as `--out-format {kind}` has it"
    plot = re.fullmatch(r"(manhattan|qq)_(\w+)", kind)
    return f"{_KINDS[plot[1]]}; by `--plot-format {plot[2]}`" if plot else _KINDS[kind]


def _attributes() -> dict[str, str]:
    """What the documentation of the names of files says of the files of a run."""
    text = (RunFiles.__doc__ or "").split("----------\n")[1]
    found = re.findall(r"^    (\w+)\n((?:        .*\n?)+)", text, re.MULTILINE)
    meanings = {name: " ".join(lines.split()) for name, lines in found}
    return {
        name: re.sub(r"^OUT\.\w+, ", "", meaning).split(";")[0].rstrip(".")
        for name, meaning in meanings.items()
    }


def _columns(columns: Iterable[schema.Column]) -> str:
    rows = [(code(made.name), _TYPES[str(made.dtype)], made.meaning) for made in columns]
    return table(("column", "type", "meaning"), rows)
