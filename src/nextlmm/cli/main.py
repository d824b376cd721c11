"""Entry point of the ``nextlmm`` command, light enough to answer Ctrl-C from the start.

Exit statuses: 0 done, 1 a problem in the program itself, 2 usage, 3 data, 4 numerics, 5 output,
6 a cluster, 130 interrupted, 141 the reader of the output has gone, 143 terminated.
"""

import io
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

_INTERRUPTED, _TERMINATED = 130, 143


def run() -> None:
    """Run the command line of this process and leave with its exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    _let_idle_threads_sleep()
    # A folder of its own that it cannot write is nothing that a user has to act upon.
    logging.getLogger("matplotlib").addHandler(logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the locale cannot show must not stop a run.
            stream.reconfigure(errors="backslashreplace")
    # The interpreter itself was loaded before any clock was read, by one thread without a pause.
    begin = time.perf_counter() - time.process_time()
    sys.exit(main(sys.argv[1:], begin))


def main(arguments: Sequence[str], begin: float | None = None) -> int:
    """Run the command given by ``arguments`` and return its exit status.

    ``begin`` is what ``time.perf_counter`` said when the program began, if its start counts.
    """
    try:
        # The parser takes a tenth of a second to load, in which Ctrl-C must not print a traceback.
        from nextlmm.cli.app import execute  # noqa: PLC0415

        return execute(arguments, begin)
    except KeyboardInterrupt as error:
        sys.stderr.write(
            "nextlmm: Interrupted; the result files of a run appear together, so either all of "
            "them are there or none is new.\n"
        )
        _show_notes(error)
        return _INTERRUPTED
    except SystemExit as error:
        _show_notes(error)
        raise


def _show_notes(error: BaseException) -> None:
    """What a run that was stopped has to say of itself."""
    for note in getattr(error, "__notes__", ()):
        sys.stderr.write(f"nextlmm: {note}\n")


def _let_idle_threads_sleep() -> None:
    """Have OpenBLAS threads sleep when they have nothing to do, instead of spinning.

    NumPy and SciPy each bring an OpenBLAS with threads of its own, and those of the one take the
    cores from the other while they spin.  The library reads this when it is loaded, so it is set
    before that; a value that the user has set stands.  No result depends on it.
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")


def _terminate(number: int, frame: FrameType | None) -> None:
    # An exception, and not the default death, lets unfinished files be removed on the way out.
    raise SystemExit(_TERMINATED)
