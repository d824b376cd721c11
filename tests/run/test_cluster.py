"""A whole run on worker processes of this machine against the same run in one process."""

import os
import signal

import numpy as np
import pytest

from nextlmm.cluster.held import Held
from nextlmm.errors import UsageError
from nextlmm.run.heritability import estimate_h2
from nextlmm.run.null_options import H2Options
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas
from tests.run.conftest import make_cohort, write_cohort

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"), make_cohort(n=160, m=300, seed=3))


@pytest.fixture(scope="module")
def scheduler():
    """Two workers of this machine, as if somebody else had started them."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as workers,
        distributed.Client(workers, set_as_default=False) as client,
    ):
        yield workers.scheduler_address, client


def run(files, **choices):
    out = files["out"] + "".join(f"-{value}" for value in choices.values()).replace("/", "")
    return gwas(GwasOptions(**{**files, "out": out, **choices}))


@pytest.fixture(scope="module")
def undisturbed(files, scheduler):
    return run(files, cluster=scheduler[0])


def test_results_are_those_of_one_process_within_the_certificate(files, undisturbed):
    alone = run(files, route="hodlr").tables["y"]
    shared = undisturbed.tables["y"]
    assert (alone["status"] == shared["status"]).all()
    ok = alone["status"].to_numpy() == "ok"
    low, high = (shared[f"neg_log_10_p_value_{end}"].to_numpy()[ok] for end in ("low", "high"))
    p = alone["neg_log_10_p_value"].to_numpy()[ok]
    assert ((low <= p) & (p <= high)).all()
    certificate = undisturbed.document["traits"]["y"]["certificate"]
    ratio = (alone["standard_error"] / shared["standard_error"]).to_numpy()[ok] ** 2
    assert np.abs(ratio - 1.0).max() < certificate["z_error_max"] + 1e-3
    assert certificate["plan"]["reason"].startswith("a cluster multiplies the genotypes")


def test_the_document_says_what_was_moved(undisturbed, scheduler):
    facts = undisturbed.document["cluster"]
    assert facts["scheduler"] == scheduler[0]
    assert (facts["workers"], facts["threads"], facts["workers_lost"]) == (2, 2, 0)
    moved = facts["moved"]
    assert moved["products"] > 10
    assert moved["tasks"] >= 3  # a block for each chromosome, of the scan
    assert all(moved[name] > 0 for name in ("pieces", "requests", "between", "results"))


def test_a_worker_that_is_killed_in_the_middle_changes_no_byte(
    files, undisturbed, scheduler, monkeypatch
):
    address, client = scheduler
    total, done, killed = Held.total, [], []

    def total_and_kill(self, apply, request):
        done.append(1)
        if len(done) == 12:
            pids = client.run(os.getpid)
            victim = sorted(pids)[0]
            os.kill(pids[victim], signal.SIGKILL)
            killed.append(victim)
        return total(self, apply, request)

    monkeypatch.setattr(Held, "total", total_and_kill)
    disturbed = run(files, cluster=address, seed=0, plot_format="png")
    assert killed
    assert disturbed.document["cluster"]["workers_lost"] == 1
    assert disturbed.tables["y"].equals(undisturbed.tables["y"])


LAUNCHER = """\
class: distributed.LocalCluster
workers: 1
options: {n_workers: 0, threads_per_worker: 1, dashboard_address: "127.0.0.1:0", silence_logs: 50}
"""


@pytest.mark.parametrize(("name", "count"), [("local:3", 3), ("launcher.yaml", 1)])
def test_other_numbers_of_workers_however_started_give_the_same_h2(
    files, undisturbed, tmp_path, monkeypatch, name, count
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launcher.yaml").write_text(LAUNCHER)
    chosen = {key: files[key] for key in ("bfile", "pheno", "covar")}
    found = estimate_h2(H2Options(**chosen, out="h2", cluster=name))
    assert found.document["cluster"]["workers"] == count
    assert found.table["h2"][0] == undisturbed.document["traits"]["y"]["h2"]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"cluster": "locl:3"}, "must be local:N"),
        ({"cluster": 3}, "Option cluster is 3"),
        ({"cluster": "local:2", "mode": "dense"}, "option mode 'dense' asks for a square matrix"),
        ({"cluster": "local:2", "route": "dense"}, "option route 'dense'"),
        ({"cluster": "local:2", "per_variant_h2": "always"}, "per-variant-h2 'always'"),
        ({"cluster": "local:2", "grm": "g", "loco": False}, "option grm asks"),
    ],
)
def test_what_a_cluster_cannot_do_is_refused(choices, words):
    with pytest.raises(UsageError, match=words):
        GwasOptions(bfile="a", pheno="b", out="c", **choices)
