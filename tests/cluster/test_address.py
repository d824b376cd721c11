"""What the option names, told from its text."""

import pytest

from nextlmm.cluster.address import (
    LauncherFile,
    LocalWorkers,
    Scheduler,
    SchedulerFile,
    parse_cluster,
)
from nextlmm.errors import UsageError


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("local:4", LocalWorkers(4)),
        ("tcp://10.0.0.5:8786", Scheduler("tcp://10.0.0.5:8786")),
        ("tls://head:8786", Scheduler("tls://head:8786")),
        ("folder/scheduler.json", SchedulerFile("folder/scheduler.json")),
        ("slurm.yaml", LauncherFile("slurm.yaml")),
        ("slurm.yml", LauncherFile("slurm.yml")),
    ],
)
def test_what_a_text_names(text, where):
    assert parse_cluster(text) == where


@pytest.mark.parametrize("text", ["", "local", "local:0", "local:-1", "10.0.0.5:8786", "tcp://x"])
def test_what_is_none_is_refused(text):
    with pytest.raises(UsageError, match=r"must be local:N .*\.yaml file of a launcher"):
        parse_cluster(text)
