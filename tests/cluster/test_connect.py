"""Schedulers that are not there, and launchers that are described wrongly."""

import pytest

from nextlmm.cluster.connect import on_cluster, opened, read_launch
from nextlmm.errors import ClusterError, FormatError, MissingFileError, UsageError

pytest.importorskip("distributed")


def test_without_a_name_there_is_no_cluster():
    with on_cluster(None, 1) as cluster:
        assert cluster is None


def test_a_scheduler_that_does_not_answer():
    import dask  # noqa: PLC0415

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"),
        opened("tcp://127.0.0.1:9", 1),
    ):
        pass


def test_the_file_of_a_scheduler_that_is_not_there(tmp_path):
    with (
        pytest.raises(MissingFileError, match=r"none.json does not exist"),
        opened(str(tmp_path / "none.json"), 1),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", "does not name the class"),
        ("class: 3\n", "does not name the class"),
        ("class: a.B\nworker: 3\n", "unknown key 'worker'"),
        ("class: a.B\nworkers: many\n", "has 'many' under workers"),
        ("class: a.B\nworkers: 0\n", "has 0 under workers"),
        ("class: a.B\nworkers: true\n", "has True under workers"),
        ("class: a.B\nwait_seconds: soon\n", "has 'soon' under wait_seconds"),
        ("class: a.B\noptions: [1]\n", r"has \[1\] under options"),
        ("class: [\n", "is no YAML file"),
    ],
)
def test_a_description_that_is_none(tmp_path, text, words):
    path = tmp_path / "launcher.yaml"
    path.write_text(text)
    with pytest.raises(FormatError, match=words):
        read_launch(str(path))


def test_a_description_that_is_not_there(tmp_path):
    with pytest.raises(MissingFileError, match=r"cannot be read"):
        read_launch(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("maker", ["nothing.Here", "distributed.NoSuchCluster", "plain"])
def test_a_launcher_that_cannot_be_loaded(tmp_path, maker):
    path = tmp_path / "launcher.yaml"
    path.write_text(f"class: {maker}\n")
    with pytest.raises(UsageError, match="cannot be loaded"), opened(str(path), 1):
        pass


def test_options_that_a_launcher_does_not_take(tmp_path):
    path = tmp_path / "launcher.yaml"
    path.write_text("class: distributed.LocalCluster\noptions:\n  no_such_option: 3\n")
    with pytest.raises(UsageError, match="cannot be started with these options"):  # noqa: SIM117
        with opened(str(path), 1):
            pass
