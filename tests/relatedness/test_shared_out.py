"""The operator on workers against the one in this process.

Both add the same products of tiles, in other groups, so that double precision may differ by the
rounding of sums of some hundred numbers of size 1, and single precision by that of its products.
Between numbers of workers, and after a loss, nothing may differ.
"""

import os
import signal

import numpy as np
import pytest

from nextlmm.cluster import held as held_module
from nextlmm.cluster.active import active_cluster, sharing_out
from nextlmm.cluster.pool import Cluster
from nextlmm.cluster.worker import sum_of_pieces
from nextlmm.errors import ClusterError, FormatError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array
from nextlmm.relatedness.grm import variant_scaling
from nextlmm.relatedness.operator import relationship_operator
from nextlmm.relatedness.shared_out import shared_out

distributed = pytest.importorskip("distributed")

N, M = 61, 700
SAMPLES = {
    "all": np.arange(N),
    "permuted": np.random.default_rng(1).permutation(N),
    "few": np.random.default_rng(2).permutation(N)[:17],
}


@pytest.fixture(scope="module")
def local():
    """Worker processes of this machine, one to begin with."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as workers:
        yield workers


@pytest.fixture
def workers(local):
    """A connection to them."""
    with distributed.Client(local, set_as_default=False) as client:
        yield Cluster(client, distributed, "test"), client, local


def scaled(local, client, count):
    local.scale(count)
    client.wait_for_workers(count)
    while len(client.nthreads()) != count:
        client.sync(lambda: _nap())


async def _nap():
    import asyncio  # noqa: PLC0415

    await asyncio.sleep(0.05)


def make_source(folder, kind="calls"):
    rng = np.random.default_rng(7)
    genotypes = rng.choice([0.0, 1.0, 2.0, np.nan], size=(N, M), p=[0.4, 0.3, 0.25, 0.05])
    variants = VariantTable(
        chromosome=string_array(f"{1 + j % 3}" for j in range(M)),
        variant_id=string_array(f"v{j}" for j in range(M)),
        position_bp=np.arange(1, M + 1),
        effect_allele=string_array("A" for _ in range(M)),
        other_allele=string_array("G" for _ in range(M)),
    )
    if kind == "dosages":
        genotypes = np.where(genotypes == 1.0, rng.uniform(0.1, 1.9, (N, M)), genotypes)
        return array_source(genotypes, variants=variants)
    ids = string_array(f"I{i}" for i in range(N))
    write_plink(folder / "g", genotypes, SampleTable(ids, ids), variants)
    return open_bed(folder / "g")


def operator(source, samples):
    return relationship_operator(
        source,
        np.arange(M),
        variant_scaling(summarise_variants(source), "standardized"),
        samples,
        summarise_variants(source, samples),
        held_bytes=0,
    )


def products(k, x):
    left_out = np.arange(x.shape[1]) % 4 - 1
    return [
        k.matmul(x, left_out),
        k.matmul(x, left_out, dtype=np.float32),
        k.diagonal(1)[:, None],
    ]


CASES = [("calls", "permuted"), ("calls", "few"), ("dosages", "permuted")]


def test_the_number_of_workers_changes_no_byte(workers, tmp_path, rng):
    cluster, client, local = workers
    problems = []
    for kind, name in CASES:
        (folder := tmp_path / f"{kind}-{name}").mkdir()
        k = operator(make_source(folder, kind), SAMPLES[name])
        problems.append((k, shared_out(k, cluster), rng.normal(size=(k.n, 9)) + 3.0))
    found = {}
    for count in (1, 2, 3):
        scaled(local, client, count)
        found[count] = [products(shared, x) for _, shared, x in problems]
    for (k, shared, x), *each in zip(problems, *found.values(), strict=True):
        assert "pieces on" in repr(shared)
        for expected, one, two, three in zip(products(k, x), *each, strict=True):
            assert (one == two).all()
            assert (one == three).all()
            is_single = np.abs(one - expected).max() > 1e-11
            np.testing.assert_allclose(one, expected, atol=2e-4 if is_single else 1e-11)
        here, there = (each.thinned(100, 0).matmul(x) for each in (k, shared))
        np.testing.assert_allclose(there, here, atol=1e-11)
    backwards = shared.reordered(np.arange(k.n)[::-1])
    np.testing.assert_allclose(backwards.matmul(x[::-1])[::-1], shared.matmul(x), atol=1e-11)


def test_a_worker_that_is_killed_in_the_middle_changes_no_byte(workers, tmp_path, rng, monkeypatch):
    cluster, client, local = workers
    scaled(local, client, 2)
    k = shared_out(operator(make_source(tmp_path), SAMPLES["permuted"]), cluster)
    x = rng.normal(size=(k.n, 5))
    undisturbed = products(k, x)
    killed = []
    submit = cluster.submit

    def submit_and_kill(function, *values, worker=None):
        future = submit(function, *values, worker=worker)
        if function is sum_of_pieces and len(killed) < 2 and worker not in killed:
            os.kill(client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)
            killed.append(worker)
        return future

    monkeypatch.setattr(cluster, "submit", submit_and_kill)
    disturbed = products(k, x)
    assert len(killed) == 2
    for before, after in zip(undisturbed, disturbed, strict=True):
        assert (before == after).all()
    facts = cluster.facts()
    assert facts["workers_lost"] == 2
    assert facts["moved"]["repeated"] >= 1


def test_workers_that_do_not_see_the_file_are_sent_the_genotypes(workers, tmp_path, rng):
    cluster, client, local = workers
    scaled(local, client, 2)
    for name in ("permuted", "few"):
        (folder := tmp_path / name).mkdir()
        source = make_source(folder)
        seen = shared_out(operator(source, SAMPLES[name]), cluster)
        x = rng.normal(size=(seen.n, 5))
        expected = products(seen, x)
        sent_before = cluster.facts()["moved"]["pieces"]
        unseen = shared_out(operator(source, SAMPLES[name]), cluster)
        (folder / "g.bed").rename(folder / "hidden.bed")  # which this process still has open
        write_plink(  # the same name and size
            folder / "g", np.zeros((N, M)), source.samples, source.variants
        )
        for before, after in zip(expected, products(unseen, x), strict=True):
            assert (before == after).all()
        assert cluster.facts()["moved"]["pieces"] - sent_before > M * (len(SAMPLES[name]) // 4)


def test_workers_with_too_little_memory_read_in_every_pass(workers, tmp_path, rng, monkeypatch):
    cluster, client, local = workers
    scaled(local, client, 2)
    source = make_source(tmp_path)
    k = operator(source, SAMPLES["permuted"])
    x = rng.normal(size=(k.n, 5))
    expected = products(shared_out(k, cluster), x)
    monkeypatch.setattr(held_module, "_HELD_SHARE", 1e-9)
    for before, after in zip(expected, products(shared_out(k, cluster), x), strict=True):
        assert (before == after).all()
    dosages = shared_out(operator(make_source(tmp_path, "dosages"), SAMPLES["all"]), cluster)
    with pytest.raises(ClusterError, match="it does not see the file to read them in every pass"):
        dosages.matmul(rng.normal(size=(N, 1)))


def test_a_file_that_becomes_shorter_is_said_by_the_worker(workers, tmp_path, monkeypatch):
    cluster, _, _ = workers
    source = make_source(tmp_path)
    monkeypatch.setattr(held_module, "_HELD_SHARE", 1e-9)
    k = shared_out(operator(source, SAMPLES["all"]), cluster)
    k.matmul(np.ones((N, 1)))
    os.truncate(tmp_path / "g.bed", 100)
    with pytest.raises(FormatError, match="has become shorter since it was opened"):
        k.matmul(np.ones((N, 1)))


def test_workers_of_another_version_are_refused(workers, tmp_path, monkeypatch):
    cluster, _, _ = workers
    monkeypatch.setattr("nextlmm.cluster.pool.own_version", lambda: "99.1")
    k = shared_out(operator(make_source(tmp_path), SAMPLES["all"]), cluster)
    with pytest.raises(ClusterError, match=r"has nextlmm .*, but this is nextlmm 99\.1"):
        k.matmul(np.ones((N, 1)))


def test_what_is_moved_is_an_array_for_each_worker_and_one_back(workers, tmp_path):
    cluster, client, local = workers
    scaled(local, client, 2)
    k = shared_out(operator(make_source(tmp_path), SAMPLES["all"]), cluster)
    k.matmul(np.ones((N, 8)))
    before = cluster.facts()["moved"]
    k.matmul(np.ones((N, 8)))
    moved = {name: value - before[name] for name, value in cluster.facts()["moved"].items()}
    array = 8 * 8 * 64  # samples rounded up to 32, in panels of eight columns
    assert moved["products"] == 1
    assert moved["pieces"] == 0
    assert 2 * array <= moved["requests"] < 2 * (array + 2000)
    assert moved["results"] == array
    assert array <= moved["between"] <= 6 * array


def test_sharing_out_ends_with_its_block(workers):
    cluster, _, _ = workers
    assert active_cluster() is None
    with sharing_out(cluster):
        assert active_cluster() is cluster
    assert active_cluster() is None
