"""One part of a run, for arrays of jobs that know nothing of each other but a folder.

Every part does what a whole run does up to the variants, unless another part has finished it
before, and meets its share of them.  What it finds is in the checkpoint that all parts share; to
merge the parts is to go on from there, so that nothing depends on how many there were.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from nextlmm.errors import MissingFileError, UsageError
from nextlmm.linalg.threads import available_threads
from nextlmm.output.provenance import hashing
from nextlmm.progress import Progress, Silent
from nextlmm.run.checkpoint import checkpoint_of, finished_parts, folder_of, read_manifest
from nextlmm.run.kept import Kept, Part
from nextlmm.run.option_checks import check_part
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import GwasRun, gwas, read_job, run_traits
from nextlmm.run.timing import Stopwatch

_MOST_NAMES = 5


@dataclass(frozen=True)
class PartRun:
    """A part that is done.

    Attributes
    ----------
    part : which, of how many.
    folder : what all parts share.
    seconds : that it took.
    missing : parts that are not done yet, as far as the folder tells.
    """

    part: Part
    folder: Path
    seconds: float
    missing: tuple[Part, ...]


def gwas_part(
    options: GwasOptions, progress: Progress | None = None, *, begin: float | None = None
) -> PartRun:
    """Do the part of a run that ``options.part`` names.

    Parameters
    ----------
    options, progress, begin : as for `nextlmm.run.pipeline.gwas`.

    Raises
    ------
    NextlmmError
        As a whole run does, and if the folder of the parts is one of another run.
    """
    named = check_part(options.part)
    if named is None:
        raise UsageError("No part was named; name it by the option part, as in 3/20.")
    part, watch, listener = Part(*named), Stopwatch(begin), progress or Silent()
    threads = options.threads or available_threads()
    with threadpool_limits(options.threads):
        job = read_job(options, listener)
        with (
            hashing(job.paths, job.before) as hashes,
            checkpoint_of(options, threads, job.paths, hashes) as checkpoint,
        ):
            kept = Kept(checkpoint, part=part)
            run_traits(job.inputs, job.cohorts, options, listener, kept)
            listener.finish()
            checkpoint.check_inputs(hashes.result())
            checkpoint.finish_part(part, {"seconds": watch.elapsed()})
    done = finished_parts(checkpoint.folder)
    return PartRun(part, checkpoint.folder, watch.elapsed(), _missing(done, part.of))


def merge(out: str, progress: Progress | None = None, *, begin: float | None = None) -> GwasRun:
    """Make the results of a run whose parts are done, as if it had been done at once.

    What no single part can know is done here: the audit of predicted denominators and the exact
    ones of hits, tables, leads, plots and the report.

    Parameters
    ----------
    out : the prefix that the parts were given.
    progress, begin : as for `nextlmm.run.pipeline.gwas`.

    Raises
    ------
    MissingFileError
        If there are no parts, or one is not done.
    NextlmmError
        As a whole run does.
    """
    folder = folder_of(out)
    manifest = read_manifest(folder)
    if manifest is None:
        raise MissingFileError(
            f"There are no parts of a run {out}: the folder {folder} is not there; do them by "
            f"nextlmm gwas --part 1/20 and so on with --out {out}."
        )
    options = _options(manifest, out)
    command = options.to_command()
    done = finished_parts(folder)
    missing = [_missing(done, of) for of in sorted({part.of for part in done})]
    if not missing:
        raise MissingFileError(
            f"No part of the run {out} is done; do them by {command} --part 1/20 and so on, or "
            "go on with the whole run by --resume."
        )
    least = min(missing, key=len)
    if least:
        names = ", ".join(str(part) for part in least[:_MOST_NAMES])
        more = len(least) - _MOST_NAMES
        raise MissingFileError(
            f"Of the {least[0].of} parts of the run {out} {len(least)} "
            f"{'is' if len(least) == 1 else 'are'} not done: {names}"
            f"{f' and {more} more' if more > 0 else ''}; do the first of them by {command} --part "
            f"{least[0]}."
        )
    return gwas(options, progress, begin=begin)


def _options(manifest: Mapping[str, Any], out: str) -> GwasOptions:
    return GwasOptions(**{**manifest["options"], "out": out, "resume": True})


def _missing(done: list[Part], of: int) -> tuple[Part, ...]:
    return tuple(part for number in range(1, of + 1) if (part := Part(number, of)) not in done)
