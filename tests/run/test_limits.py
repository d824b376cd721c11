import os
import subprocess
import sys
from pathlib import Path

import pytest

from nextlmm.errors import UsageError
from nextlmm.run import limits
from nextlmm.run.limits import GIB, MemoryLimit, check_fits, memory_limit, memory_limits

MOUNT_V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
MOUNT_V1 = "36 32 0:33 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
MOUNT_CPU = "37 32 0:34 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def groups(system: Path, environment: dict[str, str] | None = None) -> dict[str, float]:
    """The limits of control groups and Slurm, by who says so."""
    found = memory_limits(environment or {}, system)
    return {
        limit.source: limit.n_bytes
        for limit in found
        if "control group" in limit.source or "Slurm" in limit.source
    }


def test_version_2__own_group_and_all_above_it(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/slurm/job_7/step_0\n")
    write(tmp_path / "proc/self/mountinfo", MOUNT_V2)
    top = tmp_path / "sys/fs/cgroup"
    write(top / "slurm/job_7/step_0/memory.max", "max\n")
    write(top / "slurm/job_7/step_0/memory.high", "3000000000\n")
    write(top / "slurm/job_7/memory.max", "4000000000\n")
    write(top / "slurm/memory.max", "max\n")
    assert groups(tmp_path) == {
        f"the control group ({top}/slurm/job_7/step_0/memory.high)": 3e9,
        f"the control group ({top}/slurm/job_7/memory.max)": 4e9,
    }


def test_version_1__own_group_and_all_above_it(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/\n")
    write(tmp_path / "proc/self/mountinfo", MOUNT_CPU + MOUNT_V1.format(root="/"))
    top = tmp_path / "sys/fs/cgroup/memory"
    write(top / "a/b/memory.limit_in_bytes", "5000000000\n")
    write(top / "a/memory.limit_in_bytes", "9223372036854771712\n")  # which is no limit
    write(top / "memory.limit_in_bytes", "6000000000\n")
    assert set(groups(tmp_path).values()) == {5e9, 6e9}


def test_version_1__a_container_whose_group_is_mounted_as_the_top(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "4:memory:/docker/abc/job\n")
    write(tmp_path / "proc/self/mountinfo", MOUNT_V1.format(root="/docker/abc"))
    top = tmp_path / "sys/fs/cgroup/memory"
    write(top / "job/memory.limit_in_bytes", "1000000000\n")
    write(top / "memory.limit_in_bytes", "2000000000\n")
    assert set(groups(tmp_path).values()) == {1e9, 2e9}


def test_a_group_that_is_not_to_be_seen_is_that_of_the_top(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/../../other\n")
    write(tmp_path / "proc/self/mountinfo", MOUNT_V2)
    write(tmp_path / "sys/fs/cgroup/memory.max", "7000000000\n")
    assert set(groups(tmp_path).values()) == {7e9}


@pytest.mark.parametrize(
    ("environment", "n_bytes"),
    [
        ({"SLURM_MEM_PER_NODE": "4096"}, 4.0 * GIB),
        ({"SLURM_MEM_PER_NODE": "4G"}, 4.0 * GIB),
        ({"SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_ON_NODE": "3"}, 6.0 * GIB),
        ({"SLURM_MEM_PER_NODE": "0"}, None),  # all of the machine
        ({"SLURM_MEM_PER_CPU": "2048"}, None),
        ({"SLURM_MEM_PER_NODE": "plenty"}, None),
    ],
)
def test_slurm(tmp_path: Path, environment: dict[str, str], n_bytes: float | None) -> None:
    assert set(groups(tmp_path, environment).values()) == ({n_bytes} if n_bytes else set())


def test_the_machine_is_a_limit_in_any_case(tmp_path: Path) -> None:
    sources = [limit.source for limit in memory_limits({}, tmp_path)]
    assert "the memory of this machine" in sources
    smallest = memory_limit()
    assert smallest is not None
    assert smallest.n_bytes == min(limit.n_bytes for limit in memory_limits())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_limits_of_the_process() -> None:
    program = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))\n"
        "from nextlmm.run.limits import memory_limits\n"
        "found = {limit.source: limit.n_bytes for limit in memory_limits()}\n"
        "print(found['the limit of address space (ulimit -v)'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert 2.0**32 < float(done.stdout) <= 2.0**33


def test_check_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory_limit", lambda: MemoryLimit(GIB, "Slurm"))
    check_fits(GIB, "A run", "run less")
    with pytest.raises(UsageError, match="A run needs about 2 GiB of memory, but Slurm allows 1"):
        check_fits(2 * GIB, "A run", "run less")
    monkeypatch.setattr(limits, "memory_limit", lambda: None)
    check_fits(2.0**60, "A run", "run less")
