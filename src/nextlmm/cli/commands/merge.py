"""``nextlmm merge``: the results of a run that was done in parts."""

import sys

from nextlmm.cli.commands.gwas import Profile
from nextlmm.cli.commands.shared import PROGRAM_BEGIN, Debug, show
from nextlmm.cli.progress import ScreenProgress


def merge(out: str, /, *, profile: Profile = False, debug: Debug = False) -> None:
    """Make the results of a run whose parts are done.

    Writes the files that nextlmm gwas writes without --part, the same to the byte, and removes the
    folder OUT.checkpoint of the parts. Options are those of the parts.

    Parameters
    ----------
    out
        The prefix that the parts were given by --out, as in results/height.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.run.part import merge as merge_parts  # noqa: PLC0415

    with ScreenProgress(sys.stderr) as progress:
        run = merge_parts(out, progress, begin=PROGRAM_BEGIN.get())
    show(run.document, profile=profile)
