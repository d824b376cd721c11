"""The heritability of traits, from files to a table and a document; nothing is tested."""

from nextlmm.progress import Progress
from nextlmm.run.null_options import H2Options
from nextlmm.run.null_run import Further, NullRun, Task, run_null


def estimate_h2(
    options: H2Options, progress: Progress | None = None, *, begin: float | None = None
) -> NullRun:
    """Estimate the heritability of one or more traits and write OUT.h2.tsv and OUT.h2.json.

    The null model is the one that `nextlmm.gwas` fits with the same options, to the last digit.

    Parameters
    ----------
    options : what to analyse, how, and where the results go.
    progress : told how far the run is.
    begin : what ``time.perf_counter`` said when the program began; now unless given.

    Raises
    ------
    NextlmmError
        One of its kinds, with one sentence, if the run cannot be carried out; then no file is
        left under a final name.
    """
    task = Task({}, lambda *_: Further())
    return run_null(options, task, progress, begin)
