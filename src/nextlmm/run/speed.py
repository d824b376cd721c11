"""How fast this machine is beside the one that the rates of `nextlmm.run.exact.plan` are of."""

import time

import numpy as np

from nextlmm.linalg.threads import one_thread

NOMINAL = 120e9
"""Operations a second of a product of square matrices in single precision, on one core there."""

_ROWS, _TIMES = 1024, 5


def machine_speed() -> float:
    """Speed of one core of this machine over that of the nominal one.

    Processor time is measured, and the best of five products counts, so that other programs on the
    machine matter less.

    Cost: a tenth of a second.
    """
    x = np.random.default_rng(0).standard_normal((_ROWS, _ROWS), dtype=np.float32)
    best = np.inf
    with one_thread():
        for _ in range(_TIMES):
            begin = time.thread_time()
            x @ x
            best = min(best, time.thread_time() - begin)
    return 2.0 * _ROWS**3 / best / NOMINAL
