"""The cluster of a run, for whoever has work that can be shared out."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nextlmm.cluster.pool import Cluster

_ACTIVE: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


def active_cluster() -> Cluster | None:
    """The cluster that work goes to here; None if it stays in this process."""
    return _ACTIVE.get()


@contextmanager
def sharing_out(cluster: Cluster | None) -> Iterator[None]:
    """What the block does goes to a cluster as far as it can."""
    token = _ACTIVE.set(cluster)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
