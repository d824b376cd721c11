"""Every plot of a finished run as files, in a folder of their own."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from matplotlib.figure import Figure

from nextlmm.errors import OutputError
from nextlmm.output.formats import PlotFormat
from nextlmm.output.names import trait_stems
from nextlmm.output.publication import Publication
from nextlmm.plots.association import manhattan, qq, qq_by_maf
from nextlmm.plots.losses import waterfall
from nextlmm.plots.null import distribution, h2_profile
from nextlmm.plots.region import region
from nextlmm.plots.samples import components, relationships
from nextlmm.report.figures import write_figure
from nextlmm.report.profile import profile_curve
from nextlmm.run.option_checks import listed_choices
from nextlmm.run.pipeline import GwasRun
from nextlmm.run.rebuild import read_run

_Drawing = tuple[str, Callable[..., Figure]]


def write_figures(
    document: str, out: str | None = None, figures: Sequence[str] = ("png",)
) -> list[Path]:
    """Draw every plot that a finished run has the numbers for, one file for each.

    Parameters
    ----------
    document : the result document of the run, OUT.json, its tables beside it.
    out : the folder, which is made if it is not there; OUT.figures unless given.
    figures : formats, png, pdf or svg.

    Returns
    -------
    The files: TRAIT.KIND.FORMAT, where KIND is manhattan, qq, qq-maf, samples, variants and, of
    runs with a report, region1 and so on, h2-profile, trait, covariate1 and so on, components,
    components34, relationships.

    Raises
    ------
    MissingFileError, FormatError
        If the document or a table is not there, or not what it should be.
    UsageError
        If a format is none.
    OutputError
        If a file cannot be written; then none is.
    """
    chosen = listed_choices("figures", tuple(figures), get_args(PlotFormat))
    run = read_run(document)
    folder = Path(document).with_suffix(".figures") if out is None else Path(out)
    is_new = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be made ({error.strerror}); give another one by out."
        ) from error
    try:
        return _write(run, folder, chosen)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _write(run: GwasRun, folder: Path, formats: Sequence[str]) -> list[Path]:
    stems, paths = trait_stems(list(run.tables)), []
    with Publication() as publication:
        for trait, stem in stems.items():
            for kind, draw in _drawings(run, trait):
                figure = draw(run, trait=trait)
                for suffix in formats:
                    path = folder / f"{stem}.{kind}.{suffix}"
                    publication.write(path, partial(write_figure, figure, path.suffix))
                    paths.append(path)
    return paths


def _drawings(run: GwasRun, trait: str) -> Iterator[_Drawing]:
    """The plots of a trait by their kinds."""
    facts = run.document["traits"][trait]
    portrait = facts.get("portrait") or {}
    yield "manhattan", manhattan
    yield "qq", qq
    yield "qq-maf", qq_by_maf
    for at, each in enumerate(portrait.get("regions") or (), 1):
        yield f"region{at}", partial(_region, lead=each["lead_row"])
    if profile_curve(facts["h2"], facts["log_likelihood"], portrait.get("profile") or ()):
        yield "h2-profile", h2_profile
    yield from _distributions(portrait)
    yield from _of_samples(portrait)
    yield "samples", partial(_losses, what="samples")
    yield "variants", partial(_losses, what="variants")


def _distributions(portrait: Mapping[str, Any]) -> Iterator[_Drawing]:
    for at, entry in enumerate(portrait.get("distributions") or ()):
        kind = f"covariate{at}" if at else "trait"
        yield kind, partial(_distribution, column=entry["name"])


def _of_samples(portrait: Mapping[str, Any]) -> Iterator[_Drawing]:
    """Components and relationships, once for all traits of the same samples."""
    structure = portrait.get("structure") or {}
    found = len(structure.get("components") or ())
    if found >= 2:
        yield "components", components
    if found >= 4:
        yield "components34", partial(components, x=3, y=4)
    if "cells" in structure:
        yield "relationships", relationships


def _region(run: GwasRun, *, trait: str, lead: int) -> Figure:
    return region(run, lead, trait=trait)


def _distribution(run: GwasRun, *, trait: str, column: str) -> Figure:
    return distribution(run, column, trait=trait)


def _losses(run: GwasRun, *, trait: str, what: Any) -> Figure:
    return waterfall(run, what, trait=trait)
