"""``nextlmm example``: simulated data and the main job on them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nextlmm.cli.commands.shared import PROGRAM_BEGIN, Debug, show
from nextlmm.cli.progress import ScreenProgress
from nextlmm.errors import OutputError
from nextlmm.run.options import GwasOptions, Mode, whole_number

if TYPE_CHECKING:
    from nextlmm.simulation.example import ExampleFiles, PlantedLocus

_NEAR_BP = 1_000_000


def example(
    *,
    out: Annotated[Path, Parameter(alias="-o")] = Path("example"),
    mode: Mode = "exact",
    threads: Annotated[int | None, Parameter(converter=whole_number)] = None,
    debug: Debug = False,
) -> None:
    """Simulate a small cohort and analyse it.

    The cohort has three populations, people of mixed ancestry and families. Its trait "height" has
    four planted loci, its trait "noise" has none.

    Parameters
    ----------
    out
        Folder for the data and the results; made if it does not exist.
    mode
        Form of the model: exact, hodlr or dense, as for ``nextlmm gwas``.
    threads
        Processor cores to use. All of them unless given.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.run.pipeline import gwas  # noqa: PLC0415
    from nextlmm.simulation.example import write_example  # noqa: PLC0415

    _make_folder(out)
    files = write_example(out)
    options = example_options(files, out, mode=mode, threads=threads)
    with ScreenProgress(sys.stderr) as progress:
        run = gwas(options, progress, begin=PROGRAM_BEGIN.get())
    show(run.document, verdict(files.planted, run.document["traits"]["height"]["top_hits"]))


def example_options(
    files: "ExampleFiles", folder: Path, *, mode: Mode = "exact", threads: int | None = None
) -> GwasOptions:
    """The main job on the example: its trait with known loci, and both covariates."""
    return GwasOptions(
        bfile=str(files.prefix),
        pheno=str(files.traits),
        trait=("height",),
        covar=str(files.covariates),
        out=str(folder / "result"),
        mode=mode,
        threads=threads,
    )


def verdict(planted: "tuple[PlantedLocus, ...]", hits: list[Mapping[str, Any]]) -> list[str]:
    """How many of the planted loci are among the genome-wide significant ones found."""
    strong = [hit for hit in hits if hit["genome_wide_significant"]]
    found = [locus for locus in planted if any(_covers(hit, locus) for hit in strong)]
    names = ", ".join(locus.variant_id for locus in planted)
    return [
        "",
        f"The data were simulated with {len(planted)} loci ({names});",
        f"{len(found)} of {len(planted)} are among those found.",
    ]


def _covers(hit: Mapping[str, Any], locus: "PlantedLocus") -> bool:
    start, end = hit["locus_start"] - _NEAR_BP, hit["locus_end"] + _NEAR_BP
    return bool(hit["chromosome"] == locus.chromosome and start <= locus.position_bp <= end)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be made ({error.strerror}); choose another --out."
        ) from error
