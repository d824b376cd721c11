"""Workers on what is to them another machine: another network, and none of the cohort's files.

They run in network namespaces of their own, joined by a bridge, and in mount namespaces in which an
empty file system covers the folder of the cohort.
"""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest

from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from tests.run.conftest import make_cohort, write_cohort

distributed = pytest.importorskip("distributed")

NETWORK = f"10.231.{os.getpid() % 250}"
TAG = f"nl{os.getpid() % 10000}"
PLACES = (f"{TAG}a", f"{TAG}b")


def does(*command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs namespaces, and {' '.join(command[:3])} says: {done.stderr.strip()}")


@pytest.fixture
def network():
    """The address of this end of a network with two namespaces."""
    if sys.platform != "linux" or os.geteuid() or not all(map(shutil.which, ("ip", "unshare"))):
        pytest.skip("needs namespaces, which take Linux, root, and the programs ip and unshare")
    with ExitStack() as stack:

        def undo(*command):
            stack.callback(subprocess.run, command, check=False, capture_output=True)

        does("ip", "link", "add", TAG, "type", "bridge")
        undo("ip", "link", "del", TAG)
        does("ip", "addr", "add", f"{NETWORK}.1/24", "dev", TAG)
        does("ip", "link", "set", TAG, "up")
        for number, name in enumerate(PLACES):
            does("ip", "netns", "add", name)
            undo("ip", "netns", "del", name)
            does(
                *("ip", "link", "add", f"{name}v", "type", "veth"),
                *("peer", "name", "eth0", "netns", name),
            )
            does("ip", "link", "set", f"{name}v", "master", TAG, "up")
            does("ip", "-n", name, "addr", "add", f"{NETWORK}.{number + 2}/24", "dev", "eth0")
            for link in ("eth0", "lo"):
                does("ip", "-n", name, "link", "set", link, "up")
        yield f"{NETWORK}.1"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "cohort").mkdir()
    return write_cohort(tmp_path / "cohort", make_cohort(n=120, m=240, seed=4))


def test_workers_that_share_no_network_and_no_file(network, files, tmp_path):
    here = gwas(GwasOptions(**{**files, "out": str(tmp_path / "here"), "cluster": "local:1"}))
    bed = files["bfile"] + ".bed"
    hidden = os.path.dirname(bed)
    with (
        distributed.LocalCluster(
            n_workers=0, host=network, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as scheduler,
        distributed.Client(scheduler, set_as_default=False) as client,
        ExitStack() as stack,
    ):
        address = scheduler.scheduler_address
        assert NETWORK in address
        for name in PLACES:
            worker = (
                f"mount -t tmpfs none {hidden} && cd {hidden} && exec {sys.executable} -m dask "
                f"worker {address} --no-nanny --nthreads 1 --no-dashboard --local-directory ."
            )
            command = ("ip", "netns", "exec", name, "unshare", "-m", "sh", "-c", worker)
            output = stack.enter_context((tmp_path / f"{name}.log").open("w"))
            process = subprocess.Popen(command, stdout=output, stderr=output)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        client.wait_for_workers(len(PLACES), timeout=60)
        assert os.path.exists(bed)
        assert not any(client.run(os.path.exists, bed).values())
        assert all(NETWORK in worker for worker in client.nthreads())
        there = gwas(GwasOptions(**{**files, "out": str(tmp_path / "there"), "cluster": address}))
    assert there.tables["y"].equals(here.tables["y"])
    facts = there.document["cluster"]
    assert facts["workers"] == len(PLACES)
    assert facts["moved"]["pieces"] > os.path.getsize(bed)
