"""How long a run and its stages took, and how much was done in them."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from nextlmm.work import SEPARATOR, Ledger, Work

if sys.platform != "win32":
    import resource


class Stopwatch(Ledger):
    """The ledger of a run, or of one trait in it, from ``begin`` on.

    Parameters
    ----------
    begin : what ``time.perf_counter`` said when the program began, if its start belongs to the run
        and is to be its first stage; otherwise the run begins now.
    """

    def __init__(self, begin: float | None = None) -> None:
        super().__init__()
        self._begin = time.perf_counter() if begin is None else begin
        if begin is not None:
            self.add(("start-up",), seconds=self.elapsed(), processor_seconds=time.process_time())

    def elapsed(self) -> float:
        """Seconds since the beginning, to a microsecond."""
        return round(time.perf_counter() - self._begin, 6)


def seconds_by_stage(stages: Mapping[str, Work]) -> dict[str, float]:
    """Seconds of each stage, to a microsecond; parts are in their stages."""
    return {name: round(work.seconds, 6) for name, work in stages.items() if SEPARATOR not in name}


def work_facts(stages: Mapping[str, Work]) -> dict[str, dict[str, Any]]:
    """The work of each stage and part as JSON values; no speed where nothing was counted."""
    return {
        name: {
            "seconds": round(work.seconds, 6),
            "processor_seconds": round(work.processor_seconds, 6),
            "operations": work.operations,
            "genotypes": work.genotypes,
            "gflop_per_second": _giga_per_second(work.operations, work.seconds),
            "ggenotypes_per_second": _giga_per_second(work.genotypes, work.seconds),
        }
        for name, work in stages.items()
    }


def peak_memory_bytes() -> int | None:
    """The most memory that this process has held at once, where the system tells."""
    if sys.platform == "win32":
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _giga_per_second(amount: float, seconds: float) -> float | None:
    return 1e-9 * amount / seconds if amount and seconds else None
