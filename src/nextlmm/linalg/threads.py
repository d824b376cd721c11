"""Where one BLAS thread beats several.

Eigendecompositions and hierarchical factors are long sequences of small operations that wait for
each other.  Several threads gain little there on an idle machine (a quarter at n = 2,000), and
lose a factor of ten and more on one where another program holds a core, because every small
operation waits for the slower thread.
"""

from contextlib import AbstractContextManager, nullcontext

from threadpoolctl import threadpool_limits

_SMALL = 4096


def few_threads(n: int) -> AbstractContextManager[object]:
    """A context with one BLAS thread if the matrix has at most 4,096 rows, else without effect."""
    return threadpool_limits(1) if n <= _SMALL else nullcontext()
