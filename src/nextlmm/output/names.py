"""Which file of a run has which name."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nextlmm.errors import OutputError, UsageError
from nextlmm.output.export import EXPORTS
from nextlmm.output.formats import OutFormat, PlotFormat


@dataclass(frozen=True)
class RunFiles:
    """The files of one run: one document and one log, and for each trait its own by kind.

    Attributes
    ----------
    document
        OUT.json, everything but the tables.
    log
        OUT.log, the summary as plain text.
    report
        OUT.html, all of it for a browser; None where there is to be none.
    traits
        For each trait ``table`` (OUT.TRAIT.tsv.gz), its ``index`` (OUT.TRAIT.tsv.gz.tbi) if it can
        have one, the table in other formats by their names with what belongs beside it, the
        ``leads`` (OUT.TRAIT.leads.tsv) where they are looked for, and where plots are drawn
        ``manhattan`` and ``qq`` (OUT.TRAIT.manhattan.png, OUT.TRAIT.qq.png) or one of each for
        every format.
    """

    document: Path
    log: Path
    traits: Mapping[str, Mapping[str, Path]]
    report: Path | None = None

    def paths(self) -> list[Path]:
        """Every path, the document last: where it is, everything else is."""
        per_trait = [path for kinds in self.traits.values() for path in kinds.values()]
        report = [] if self.report is None else [self.report]
        return [*per_trait, *report, self.log, self.document]


def run_files(
    out: str,
    traits: Sequence[str],
    *,
    formats: Iterable[OutFormat] = (),
    index: bool = False,
    plots: bool = True,
    plot_formats: Iterable[PlotFormat] = ("png",),
    report: bool = False,
    inputs: Iterable[str] = (),
) -> RunFiles:
    """Name the files of a run with prefix ``out``.

    Lead variants are looked for where there is to be a report.

    Characters of a trait's name that a file name cannot hold, on every system or under the locale
    of this process, become underscores.

    Raises
    ------
    UsageError
        If ``out`` is a folder, or two traits lead to the same file.
    OutputError
        If a result would overwrite one of ``inputs``.
    """
    suffixes = {"table": "tsv.gz"} | ({"index": "tsv.gz.tbi"} if index else {})
    for name in formats:
        suffixes[name] = EXPORTS[name].suffix
        suffixes |= _companions(name, index=index)
    if report:
        suffixes["leads"] = "leads.tsv"
    if plots:
        suffixes |= _plot_suffixes(tuple(plot_formats))
    files = RunFiles(
        Path(f"{out}.json"),
        Path(f"{out}.log"),
        trait_files(out, traits, suffixes),
        Path(f"{out}.html") if report else None,
    )
    refuse_inputs(files.paths(), inputs)
    return files


def trait_files(
    out: str, traits: Sequence[str], suffixes: Mapping[str, str]
) -> dict[str, dict[str, Path]]:
    """OUT.TRAIT.SUFFIX for every trait and kind.

    Raises
    ------
    UsageError
        If ``out`` is a folder, or two traits lead to the same file.
    """
    if os.path.isdir(out):
        raise UsageError(
            f"The prefix of the result files, {out}, is a folder; give a prefix for the files in "
            f"it, such as {os.path.join(out, 'gwas')}."
        )
    return {
        trait: {kind: Path(f"{out}.{stem}.{suffix}") for kind, suffix in suffixes.items()}
        for trait, stem in trait_stems(traits).items()
    }


def _companions(name: OutFormat, *, index: bool) -> dict[str, str]:
    """The ends of the names of what belongs beside a table in a format."""
    suffix = EXPORTS[name].suffix
    if name == "gwas-ssf":
        return {"gwas-ssf_metadata": f"{suffix}-meta.yaml"}
    return {"gwas-vcf_index": f"{suffix}.tbi"} if name == "gwas-vcf" and index else {}


def _plot_suffixes(formats: Sequence[PlotFormat]) -> dict[str, str]:
    """The ends of the names of the plots by kind, which says the format where it is not PNG."""
    return {
        plot if kind == "png" else f"{plot}_{kind}": f"{plot}.{kind}"
        for plot in ("manhattan", "qq")
        for kind in formats
    }


def trait_stems(traits: Sequence[str]) -> dict[str, str]:
    """What stands for each trait in the names of its files.

    Raises
    ------
    UsageError
        If two traits would share it.
    """
    stems: dict[str, str] = {}
    owner: dict[str, str] = {}
    for trait in traits:
        safe = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|\s]', "_", trait)
        stem = "".join(letter if _has_bytes(letter) else "_" for letter in safe)
        # File systems that ignore case would let the second trait overwrite the first.
        other = owner.setdefault(stem.casefold(), trait)
        if other != trait:
            raise UsageError(
                f"Traits {other!r} and {trait!r} would share the file name {stem!r}; "
                "rename one of them or analyse them in two runs."
            )
        stems[trait] = stem
    return stems


def _has_bytes(letter: str) -> bool:
    """Whether the locale can write a letter in a file name; under LC_ALL=C not all can."""
    try:
        os.fsencode(letter)
    except UnicodeEncodeError:
        return False
    return True


def refuse_inputs(paths: Iterable[Path], inputs: Iterable[str]) -> None:
    """Raise OutputError if a file to be written is one of ``inputs``."""
    sources = {Path(name).resolve(): name for name in inputs}
    for path in paths:
        if path.resolve() in sources:
            raise OutputError(
                f"{path} would be overwritten, but it is an input of this run; "
                "choose another --out."
            )
