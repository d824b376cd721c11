"""Workers, and what becomes of calls when they are gone."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import wait
from dataclasses import asdict
from functools import partial
from importlib import metadata
from typing import Any

from nextlmm.cluster.files import FileMark
from nextlmm.cluster.traffic import Account, bytes_of
from nextlmm.cluster.worker import WorkerFacts, describe, itself
from nextlmm.errors import ClusterError

MOST_LOSSES = 20
"""That a call survives without a result in between."""

_LOOK_SECONDS = 0.5  # between looks at who is still there
_REPLACED_SECONDS = 15.0  # that a worker is given to come back before others do its work
_MISSED_SECONDS = 120.0  # the same if there are no others


class LostError(Exception):
    """A result cannot be had from workers that are gone; never leaves this package."""


class Cluster:
    """A connection to workers.

    Parameters
    ----------
    client : of Dask.
    distributed : the package, which only those have who use it.
    name : how it is called in messages.
    """

    def __init__(self, client: Any, distributed: Any, name: str) -> None:
        self.name = name
        self.account = Account()
        self._client, self._distributed = client, distributed
        self._known: set[str] = set()  # workers whose version was looked at
        self._gone: set[str] = set()

    def __repr__(self) -> str:
        return f"<workers of {self.name}>"

    def threads(self) -> dict[str, int]:
        """Threads of every worker by its address, of at least one worker.

        Raises
        ------
        ClusterError
            If there is none, or one has another version of nextlmm.
        """
        found = self._workers()
        if not found:
            self._settle(1, _MISSED_SECONDS)
            found = self._workers()
        if not found:
            raise ClusterError(
                f"no worker of {self.name} is left, and none came back within "
                f"{_MISSED_SECONDS:g} seconds: look at what the workers printed (a batch system "
                "may have ended them), and start the run again"
            )
        self._gone |= self._known - found.keys()
        self._check_versions([name for name in found if name not in self._known])
        return found

    def describe(
        self, marks: Sequence[FileMark], workers: Collection[str]
    ) -> dict[str, WorkerFacts]:
        """What some workers are, and whether they see files."""
        begin = partial(self._client.run, describe, list(marks), workers=list(workers))
        return dict(self._awaited(begin, workers))

    def facts(self) -> dict[str, Any]:
        """What there was and what was moved, as JSON values."""
        now = self._workers()
        return {
            "scheduler": self.name,
            "workers": len(now),
            "threads": sum(now.values()),
            "workers_lost": len(self._gone | (self._known - now.keys())),
            "moved": asdict(self.account.moved()),
        }

    def spread(self, value: Any, workers: Sequence[str]) -> dict[str, Any]:
        """A value on each of the workers, as futures; every worker passes it on to two others.

        Dask's own broadcast goes on for ever where one of them is gone meanwhile.
        """
        self.account.add(requests=bytes_of(value) * len(workers))
        copies = [self._scattered(value, workers[0])]
        for number, worker in enumerate(workers[1:]):
            copies.append(self.submit(itself, copies[number // 2], worker=worker))
        return dict(zip(workers, copies, strict=True))

    def sent(self, value: Any, worker: str | None = None) -> Any:
        """A value on one worker, or on any, as a future."""
        self.account.add(pieces=bytes_of(value))
        return self._scattered(value, worker)

    def _scattered(self, value: Any, worker: str | None) -> Any:
        names = None if worker is None else [worker]
        begin = partial(self._client.scatter, value, workers=names, hash=False)
        return self._awaited(begin, names or ())

    def submit(self, function: Callable[..., Any], *values: Any, worker: str | None = None) -> Any:
        """A call on one worker, or on any, as a future."""
        where = {} if worker is None else {"workers": [worker], "allow_other_workers": False}
        return self._call(self._client.submit, function, *values, pure=False, **where)

    def result(self, future: Any, workers: Collection[str]) -> Any:
        """What a future becomes.

        Raises
        ------
        LostError
            If one of the workers that it needs is gone, or Dask cannot tell it for another reason.
        """
        return self._awaited(partial(self._client.gather, future), workers)

    def ready(self, future: Any, workers: Collection[str]) -> None:
        """Wait for what stays on its worker; raises as `result` does."""
        error = self._awaited(future.exception, workers)
        if error is not None:
            self._call(_raised, error)

    def begin_again(self, wanted: int) -> None:
        """After a loss: wait a little for as many workers as there were."""
        self.account.add(repeated=1)
        self._settle(wanted, _REPLACED_SECONDS)

    def too_many_losses(self) -> ClusterError:
        """The sentence where workers are lost again and again."""
        return ClusterError(
            f"workers of {self.name} were lost {MOST_LOSSES} times before one result was complete: "
            "look at what they printed; too little memory is the most frequent reason"
        )

    def _awaited(self, begin: Callable[..., Any], workers: Collection[str]) -> Any:
        """What a call of Dask gives, which may wait for ever for a worker that is gone."""

        async def run() -> Any:
            return await begin(asynchronous=True)

        coming = asyncio.run_coroutine_threadsafe(run(), self._client.loop.asyncio_loop)
        while not wait([coming], _LOOK_SECONDS).done:
            here = self._workers()
            if not here or not set(workers) <= here.keys():
                coming.cancel()
                raise LostError
        return self._call(coming.result)

    def _settle(self, wanted: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        while len(self._workers()) < wanted and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS / 5.0)

    def _workers(self) -> dict[str, int]:
        try:
            return dict(self._client.nthreads())
        except Exception as error:
            raise ClusterError(
                f"the scheduler of {self.name} does not answer any more ({_said(error)}); look at "
                "what it printed, and start the run again"
            ) from error

    def _check_versions(self, workers: Collection[str]) -> None:
        """Refuse workers of another version, whose functions may mean something else."""
        if not workers:
            return
        own = own_version()
        asked = {"workers": list(workers), "on_error": "return"}
        found = self._awaited(
            partial(self._client.run, metadata.version, "nextlmm", **asked), workers
        )
        for worker, version in found.items():
            if isinstance(version, BaseException) and not isinstance(version, ImportError):
                self._call(_raised, version)  # it is gone before it could say
            if isinstance(version, ImportError):
                raise ClusterError(
                    f"worker {worker} has no nextlmm ({_said(version)}); install nextlmm {own} "
                    "with the extra cluster where workers run"
                )
            if version != own:
                raise ClusterError(
                    f"worker {worker} has nextlmm {version}, but this is nextlmm {own}; install "
                    "the same version where workers run, and start them again"
                )
            self._known.add(worker)

    def _call(self, function: Callable[..., Any], *values: Any, **options: Any) -> Any:
        """A call of Dask, whose own failures become losses, which are begun again."""
        dask = self._distributed
        try:
            return function(*values, **options)
        except dask.KilledWorker as error:
            raise ClusterError(
                f"a task ended the workers of {self.name} that tried it, one after the other "
                f"({_said(error)}): most likely they have too little memory; give each of them "
                "more, or start more of them"
            ) from error
        except MemoryError as error:
            raise ClusterError(
                f"a worker of {self.name} has too little memory ({_said(error)}): give each of "
                "them more, or start more of them"
            ) from error
        except (OSError, dask.CancelledError, dask.client.FutureCancelledError) as error:
            raise LostError(_said(error)) from error


def _raised(error: BaseException) -> None:
    raise error


def _said(error: BaseException) -> str:
    """The first line of an error, or its kind."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def own_version() -> str:
    """The version of nextlmm in this process."""
    return metadata.version("nextlmm")
