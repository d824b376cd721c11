"""``nextlmm check``: everything that is wrong or odd with the inputs of a run, before it."""

import sys

from nextlmm.cli.commands.shared import Debug, written
from nextlmm.cli.render import show_paragraphs
from nextlmm.run.options import GwasOptions


def check(options: GwasOptions, *, debug: Debug = False) -> int:
    """Look for all problems of the inputs of a run, in seconds, and run nothing.

    Takes the options of nextlmm gwas. Tables are read as a whole, of large genotype files headers,
    sizes and a sample of the variants. Exit status 0 if the run can begin, 1 if it would be
    refused.
    """
    del debug  # read by the entry point, which handles errors
    # The numerical libraries load in a second: --help and usage errors must not wait for them.
    from nextlmm.report.check import describe_check  # noqa: PLC0415
    from nextlmm.run.check import check as run_check  # noqa: PLC0415

    report = run_check(options)
    with written(None):
        show_paragraphs(describe_check(report.document), sys.stdout)
    return 0 if report.is_ok else 1
