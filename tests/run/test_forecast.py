"""What a plan says, beside what the run then does."""

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nextlmm.errors import OutputError, UsageError, VariantError
from nextlmm.report.forecast import describe_forecast
from nextlmm.report.summary import plain_lines
from nextlmm.run import forecast, limits, variant_count
from nextlmm.run.exact import route
from nextlmm.run.forecast import plan
from nextlmm.run.heritability import estimate_h2
from nextlmm.run.limits import MemoryLimit
from nextlmm.run.null_options import H2Options, PredictOptions
from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .conftest import make_cohort, write_cohort


@pytest.fixture
def files(tmp_path, cohort):
    return write_cohort(tmp_path, cohort, missing_traits=(3, 4))


@pytest.fixture(autouse=True)
def _nominal_machine(monkeypatch):
    """A speed that does not depend on what else the machine does."""
    monkeypatch.setattr(forecast, "machine_speed", lambda: 1.0)


@pytest.fixture
def limited(monkeypatch):
    """Let no more memory be allowed than so many bytes."""

    def install(n_bytes):
        limit = MemoryLimit(n_bytes, "Slurm (SLURM_MEM_PER_NODE)")
        for module in (limits, route, forecast):
            monkeypatch.setattr(module, "memory_limit", lambda: limit)

    return install


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"maf": 0.2, "max_missing": 0.03},
        {"chr": "1,X", "loco": False},
        {"mode": "dense"},
        {"mode": "hodlr"},
        {"route": "hodlr"},
        {"test": "lrt", "per_variant_h2": "always", "loco": False},
    ],
)
def test_plan__is_what_the_run_does(files, choices):
    options = GwasOptions(**(files | choices))
    planned, run = plan(options).document, gwas(options).document
    trait, done = planned["traits"]["y"], run["traits"]["y"]
    assert planned["samples"] == run["samples"]
    assert trait["samples"] == done["samples"]
    for key in ("n", "covariates", "mode", "method", "test", "loco"):
        assert trait[key] == done[key]
    for key in ("selected", "in_relationship_matrix", "excluded"):
        assert trait["variants"][key] == done["variants"][key]
    assert planned["variants"]["in_genotypes"] == run["variants"]["in_genotypes"]
    named = {path for kinds in done["files"].values() for path in [kinds]}
    assert set(planned["files"]) == named | set(run["files"].values())
    if trait["mode"] == "exact" and not trait["requested"]:
        assert trait["route"] == done["certificate"]["plan"]["route"]


@pytest.mark.parametrize(
    "choices", [{"route": "hodlr"}, {"route": "dense", "plots": True, "report": True}]
)
def test_plan__the_memory_is_an_upper_bound(tmp_path, choices):
    """Of a run in a process of its own, and not more than twice what it takes.

    The kernel counts the memory of the process that starts it in its peak, so that is a small one.
    """
    files = write_cohort(tmp_path, make_cohort(n=300, m=3_000))
    options = GwasOptions(**(files | choices))
    predicted = plan(options).memory_bytes
    words = [Path(sys.executable).with_name("nextlmm"), "gwas", *options.to_arguments()]
    small = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    starter = [sys.executable, "-I", "-S", "-c", small]
    subprocess.run([*starter, *words], check=True, capture_output=True)
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["peak_memory_bytes"] < predicted < 2.0 * document["peak_memory_bytes"]


def test_plan__writes_nothing(tmp_path, files):
    before = sorted(tmp_path.iterdir())
    plan(GwasOptions(**files))
    assert sorted(tmp_path.iterdir()) == before


def test_plan__says_what_would_be_refused(tmp_path, files):
    with pytest.raises(OutputError, match="does not exist"):
        plan(GwasOptions(**(files | {"out": str(tmp_path / "nowhere" / "x")})))
    with pytest.raises(VariantError, match="two or more chromosomes"):
        plan(GwasOptions(**files, chr="1"))
    with pytest.raises(UsageError, match="needs the eigenvectors of a square matrix"):
        plan(GwasOptions(**files, per_variant_h2="always", route="hodlr"))


def test_plan__of_a_run_that_does_not_fit(files, limited):
    limited(1e6)
    for action in (plan, gwas):
        with pytest.raises(UsageError, match=r"needs about .* GiB of memory, but Slurm .* allows"):
            action(GwasOptions(**files))
    with pytest.raises(UsageError, match="Mode dense with 94 samples needs about"):
        plan(GwasOptions(**files, mode="dense"))


def test_plan__of_more_memory_than_there_is(files, limited):
    """An option that allows more than the job has does not make the run too large."""
    limited(2.0**31)
    size = route.Size(n=20_000, related=10_000, tested=10_000, chromosomes=22)
    model = forecast.Model(memory=1_000.0)
    assert route.plan_of_size(size, model, is_given=False).way == "hodlr"
    with pytest.raises(UsageError, match="The route dense with 20,000 samples"):
        route.plan_of_size(size, replace(model, route="dense"), is_given=False)


def test_plan__estimates_from_a_sample_where_all_would_take_long(tmp_path, monkeypatch):
    cohort = make_cohort(n=60, m=6_000, missing=0.0)
    files = write_cohort(tmp_path, cohort)
    options = GwasOptions(**files, maf=0.3)
    counted = plan(options).document["traits"]["y"]["variants"]
    assert counted["looked_at"] is None
    monkeypatch.setattr(variant_count, "_COUNTED", 0)
    estimated = plan(options).document["traits"]["y"]["variants"]
    assert estimated["looked_at"] == 2_048
    assert estimated["selected"] == pytest.approx(counted["selected"], rel=0.1)
    assert estimated["varying"] == pytest.approx(counted["varying"], rel=0.1)
    lost = f"minor allele frequency below {0.3:g}"
    assert estimated["excluded"][lost] == pytest.approx(counted["excluded"][lost], rel=0.1)
    assert "estimated from 2,048 variants" in repr(plan(options))


@pytest.mark.parametrize("kind", [H2Options, PredictOptions])
def test_plan__without_tests(tmp_path, files, kind):
    shown = {name: files[name] for name in ("bfile", "pheno", "covar", "out")}
    options = kind(**shown)
    found = plan(options)
    assert "test" not in found.document["traits"]["y"]
    assert found.seconds < plan(GwasOptions(**files)).seconds or kind is PredictOptions
    if kind is H2Options:
        run = estimate_h2(options)
        assert set(found.document["files"]) == {str(path) for path in run.files}
        assert found.routes["y"] == run.document["traits"]["y"]["certificate"]["plan"]["route"]


def test_plan__of_several_traits(tmp_path, files, cohort):
    lines = (tmp_path / "traits.txt").read_text().splitlines()
    rng = np.random.default_rng(1)
    more = [f"{line} {rng.normal():.4f}" for line in lines[1:]]
    (tmp_path / "traits.txt").write_text("\n".join([lines[0] + " z", *more]) + "\n")
    one = plan(GwasOptions(**files, trait="y"))
    both = plan(GwasOptions(**files, trait=("y", "z")))
    assert list(both.document["traits"]) == ["y", "z"]
    assert both.document["traits"]["z"]["n"] == len(cohort.y)
    assert both.disk_bytes > one.disk_bytes
    assert both.seconds > one.seconds


def test_submit_lines__hold_the_command_and_what_it_needs(files):
    odd = files | {"out": files["out"] + " it's"}
    found = plan(GwasOptions(**odd, threads=3))
    lines = found.document["submit"]
    assert set(lines) == {"Slurm", "PBS", "SGE", "LSF"}
    words = shlex.split(lines["Slurm"])
    command = next(word for word in words if word.startswith("--wrap=")).removeprefix("--wrap=")
    arguments = shlex.split(command)
    assert arguments[:2] == ["nextlmm", "gwas"]
    assert odd["out"] in arguments
    assert "--memory" in arguments
    memory = next(int(word[6:-1]) for word in words if word.startswith("--mem="))
    assert 1.25 * found.memory_bytes <= memory * 2**20 <= 1.25 * found.memory_bytes + 1.1e8
    assert "--cpus-per-task=3" in words
    assert "--time=00:10:00" in words
    assert "-W 10" in lines["LSF"]


def test_describe_forecast__is_for_people(files):
    found = plan(GwasOptions(**files))
    text = "\n".join(plain_lines(describe_forecast(found.document)))
    assert text == repr(found)
    text = " ".join(text.split())
    assert "y ~ 1 + age + variant + g + e" in text
    assert "96 in the genotype file -> 94 analysed (left out: 2 trait missing)" in text
    assert "240 in the genotype file -> 240 selected, 238 of which vary" in text
    assert "sbatch" in text
