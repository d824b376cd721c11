"""Connecting to workers, or starting them."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from nextlmm.cluster.active import sharing_out
from nextlmm.cluster.address import (
    LauncherFile,
    LocalWorkers,
    Scheduler,
    SchedulerFile,
    parse_cluster,
)
from nextlmm.cluster.pool import Cluster
from nextlmm.errors import ClusterError, FormatError, MissingFileError, UsageError
from nextlmm.genotype.packages import needed_package
from nextlmm.progress import Progress, Silent

_WAIT_SECONDS = 600.0
_KEYS = {"class", "options", "workers", "wait_seconds"}


@contextmanager
def on_cluster(
    name: str | None, threads: int, progress: Progress | None = None
) -> Iterator[Cluster | None]:
    """What the block does is shared out to the cluster that an option names; None for no cluster.

    Parameters
    ----------
    name : see `nextlmm.cluster.address.parse_cluster`.
    threads : of all workers together where they are of this machine.
    progress : told that the run waits for workers.

    Raises
    ------
    UsageError
        If the package is not installed, or a launcher cannot be started as it is described.
    MissingFileError, FormatError
        If a file that describes a cluster is not there or cannot be used.
    ClusterError
        If no scheduler or no worker can be reached.
    """
    if name is None:
        yield None
        return
    with opened(name, threads, progress) as cluster, sharing_out(cluster):
        yield cluster


@contextmanager
def opened(name: str, threads: int, progress: Progress | None = None) -> Iterator[Cluster]:
    """The workers that ``name`` stands for, for the time of the block; see `on_cluster`."""
    where = parse_cluster(name)
    dask = needed_package("distributed", extra="cluster", purpose="Sharing work out (--cluster)")
    listener = progress or Silent()
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        listener.start("Waiting for workers", 1)
        wanted, wait_seconds = 1, _WAIT_SECONDS
        if isinstance(where, LocalWorkers):
            client = stack.enter_context(_local(dask, where.count, threads))
            wanted = where.count
        elif isinstance(where, LauncherFile):
            launch = read_launch(where.path)
            client = stack.enter_context(_launched(dask, launch))
            wait_seconds = launch.wait_seconds
        else:
            client = stack.enter_context(_joined(dask, where))
        _wait_for_workers(client, wanted, wait_seconds, name)
        listener.finish()
        yield Cluster(client, dask, name)


@dataclass(frozen=True)
class Launch:
    """What a file says of a launcher.

    Attributes
    ----------
    path : the file, for messages.
    maker : the class of the launcher, as in ``dask_jobqueue.SLURMCluster``.
    options : that it is made with.
    workers : that it is asked for, None if it starts with as many as it has.
    wait_seconds : for the first of them.
    """

    path: str
    maker: str
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: int | None = None
    wait_seconds: float = _WAIT_SECONDS


def read_launch(path: str) -> Launch:
    """Read the description of a launcher.

    Raises
    ------
    MissingFileError
        If the file cannot be read.
    FormatError
        If it is not what a launcher needs.
    """
    yaml = needed_package("yaml", extra="cluster", purpose="Reading a launcher's .yaml file")
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingFileError(
            f"{path} cannot be read ({error.strerror}); it is to describe the launcher of a "
            "cluster: check the name"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise FormatError(f"{path} is no YAML file ({said}): see docs/cluster.md") from error
    expected = (
        "expected the key class, as in dask_jobqueue.SLURMCluster, and if wanted options (a "
        "table), workers (a number) and wait_seconds (a number): see docs/cluster.md"
    )
    if not isinstance(content, dict) or not isinstance(content.get("class"), str):
        raise FormatError(f"{path} does not name the class of a launcher; {expected}")
    unknown = [str(key) for key in content if key not in _KEYS]
    if unknown:
        raise FormatError(f"{path} has the unknown key {unknown[0]!r}; {expected}")
    launch = Launch(
        path,
        content["class"],
        content.get("options") or {},
        content.get("workers"),
        content.get("wait_seconds", _WAIT_SECONDS),
    )
    _check_launch(launch, expected)
    return launch


def _check_launch(launch: Launch, expected: str) -> None:
    workers, seconds = launch.workers, launch.wait_seconds
    is_count = workers is None or (type(workers) is int and workers > 0)
    is_time = type(seconds) in (int, float) and seconds > 0
    wrong = {
        "options": not isinstance(launch.options, dict),
        "workers": not is_count,
        "wait_seconds": not is_time,
    }
    for key, is_wrong in wrong.items():
        if is_wrong:
            value = getattr(launch, key)
            raise FormatError(f"{launch.path} has {value!r} under {key}; {expected}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask tells the screen of every worker that it loses; a run says what matters itself."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _local(dask: Any, count: int, threads: int) -> Iterator[Any]:
    with (
        dask.LocalCluster(
            n_workers=count,
            threads_per_worker=max(1, threads // count),
            processes=True,
            dashboard_address="127.0.0.1:0",  # whatever port is free
            silence_logs=logging.CRITICAL,
        ) as workers,
        dask.Client(workers, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _joined(dask: Any, where: Scheduler | SchedulerFile) -> Iterator[Any]:
    """A client of a scheduler that is running."""
    place: dict[str, Any] = {}
    if isinstance(where, SchedulerFile):
        if not os.path.isfile(where.path):
            raise MissingFileError(
                f"{where.path} does not exist; it is to be the file that a scheduler wrote (dask "
                "scheduler --scheduler-file): check the name, and whether the scheduler is running"
            )
        place["scheduler_file"], name = where.path, where.path
    else:
        place["address"] = name = where.address
    try:
        client = dask.Client(**place, set_as_default=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(
            f"no Dask scheduler answers at {name} ({said}): check the address, and whether the "
            "scheduler is running and can be reached from here"
        ) from error
    with client:
        yield client


@contextmanager
def _launched(dask: Any, launch: Launch) -> Iterator[Any]:
    module, _, name = launch.maker.rpartition(".")
    try:
        maker = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{launch.path} names the launcher {launch.maker}, which cannot be loaded ({error}); "
            "write it as package.Class, as in dask_jobqueue.SLURMCluster, and install the package"
        ) from error
    try:
        workers = maker(**launch.options)
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise UsageError(
            f"{launch.path}: {launch.maker} cannot be started with these options ({said}); its own "
            "documentation lists what it takes"
        ) from error
    with workers, dask.Client(workers, set_as_default=False) as client:
        if launch.workers is not None:
            workers.scale(launch.workers)
        yield client


def _wait_for_workers(client: Any, wanted: int, seconds: float, name: str) -> None:
    try:
        client.wait_for_workers(wanted, timeout=seconds)
    except TimeoutError as error:
        raise ClusterError(
            f"no worker of {name} came within {seconds:g} seconds: start some (dask worker "
            "ADDRESS), or look at the queue of the batch system"
        ) from error
