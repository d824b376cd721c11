"""Where one BLAS thread beats several.

Eigendecompositions and hierarchical factors are long sequences of small operations that wait for
each other.  Several threads gain little there on an idle machine (a quarter at n = 2,000), and
lose a factor of ten and more on one where another program holds a core, because every small
operation waits for the slower thread.
"""

import os
from contextlib import AbstractContextManager, nullcontext

from threadpoolctl import threadpool_info, threadpool_limits

_SMALL = 4096


def few_threads(n: int) -> AbstractContextManager[object]:
    """A context with one BLAS thread if the matrix has at most 4,096 rows, else without effect."""
    return one_thread() if n <= _SMALL else nullcontext()


def available_threads() -> int:
    """Threads that the linear algebra may use now, which stands for what the program may use.

    At the start that is all cores, unless a variable such as OMP_NUM_THREADS limits them.
    """
    counts = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(counts, default=os.cpu_count() or 1)


def one_thread() -> AbstractContextManager[object]:
    """A context with one BLAS thread: what is computed there is the same on any number of them."""
    limited: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limited


def available_cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
