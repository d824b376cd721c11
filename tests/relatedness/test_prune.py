"""Pruning against PLINK, against a slow account of it, and with what must not change it."""

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextlmm.errors import UsageError, VariantError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.summary import summarise_variants
from nextlmm.genotype.tables import VariantTable, string_array
from nextlmm.relatedness.prune import prune
from nextlmm.relatedness.prune_rule import Pruning, parse_pruning


def make_source(dosage, position=None, chromosome=None):
    m = dosage.shape[1]
    letters = string_array(["A"] * m)
    position = np.arange(1, m + 1) * 1000 if position is None else np.asarray(position)
    names = string_array(["1"] * m if chromosome is None else chromosome)
    ids = string_array(f"v{j}" for j in range(m))
    return array_source(dosage, variants=VariantTable(names, ids, position, letters, letters))


def pruned(source, pruning, variants=None, samples=None):
    samples = np.arange(len(source.samples)) if samples is None else samples
    variants = np.arange(len(source.variants)) if variants is None else variants
    return prune(source, variants, samples, summarise_variants(source, samples), pruning)


def textbook(dosage, position, pruning):
    """The same for one chromosome, one pair at a time, with every correlation by its definition."""
    m = dosage.shape[1]
    frequency = np.nanmean(dosage, axis=0) / 2
    minor = np.minimum(frequency, 1 - frequency)
    stays = np.nanstd(dosage, axis=0) > 0

    def is_above(i, j):
        both = ~np.isnan(dosage[:, i]) & ~np.isnan(dosage[:, j])
        x, y = dosage[both, i], dosage[both, j]
        return np.ptp(x) > 0 and np.ptp(y) > 0 and np.corrcoef(x, y)[0, 1] ** 2 > pruning.r2

    for start in range(0, m, pruning.step):
        window = range(start, min(start + int(pruning.window), m))
        if pruning.is_kb:
            window = np.flatnonzero(
                (np.arange(m) >= start) & (position <= position[start] + 1000 * pruning.window)
            )
        found = True
        while found:
            found = False
            for i in window:
                right = [j for j in window if j > i and stays[i] and stays[j] and is_above(i, j)]
                if right:
                    found = True
                    stays[i if minor[i] < minor[right[0]] - 1e-12 else right[0]] = False
    return np.flatnonzero(stays)


def linked(rng, n, m, *, missing=0.0):
    """Genotypes in which neighbours are alike."""
    haplotypes = np.empty((2, n, m))
    for copy in haplotypes:
        copy[:, 0] = rng.random(n) < 0.4
        for j in range(1, m):
            anew = rng.random(n) < 0.2
            copy[:, j] = np.where(anew, rng.random(n) < rng.uniform(0.1, 0.9), copy[:, j - 1])
    dosage = haplotypes.sum(axis=0)
    dosage[rng.random(dosage.shape) < missing] = np.nan
    return dosage


@given(
    seed=st.integers(0, 10_000),
    window=st.integers(2, 12),
    step=st.integers(1, 6),
    r2=st.sampled_from([0.0, 0.1, 0.3, 0.8]),
    missing=st.sampled_from([0.0, 0.1]),
    is_kb=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_prune__is_the_slow_account(seed, window, step, r2, missing, is_kb):
    rng = np.random.default_rng(seed)
    dosage = linked(rng, 40, 30, missing=missing)
    dosage[:, 7] = 1.0
    position = np.sort(rng.integers(1, 30_000, 30))
    pruning = Pruning(float(window), step, r2, is_kb)
    found = pruned(make_source(dosage, position), pruning)
    assert found.tolist() == textbook(dosage, position, pruning).tolist()


def test_prune__dosages_and_many_blocks(monkeypatch, rng):
    monkeypatch.setattr("nextlmm.relatedness.prune._BLOCK", (16, 16))
    dosage = np.clip(linked(rng, 60, 150) + rng.uniform(-0.2, 0.2, (60, 150)), 0, 2)
    dosage = dosage.astype(np.float32).astype(np.float64)
    pruning = Pruning(40.0, 3, 0.2)
    found = pruned(make_source(dosage), pruning)
    assert found.tolist() == textbook(dosage, None, pruning).tolist()
    assert 5 < len(found) < 100


def test_prune__neither_alleles_nor_samples_nor_order_matter(rng):
    dosage = linked(rng, 80, 60, missing=0.05)
    expected = pruned(make_source(dosage), Pruning(20.0, 5, 0.2)).tolist()
    flipped = np.where(rng.random(60) < 0.5, 2 - dosage, dosage)
    assert pruned(make_source(flipped), Pruning(20.0, 5, 0.2)).tolist() == expected
    order = rng.permutation(80)
    assert pruned(make_source(dosage[order]), Pruning(20.0, 5, 0.2)).tolist() == expected
    columns = rng.permutation(60)
    moved = make_source(dosage[:, columns], (columns + 1) * 1000)
    found = pruned(moved, Pruning(20.0, 5, 0.2))
    assert sorted(columns[found].tolist()) == expected
    assert found.tolist() == sorted(found.tolist())


def test_prune__chromosomes_are_apart_and_only_the_chosen_count(rng):
    one = linked(rng, 80, 30)
    both = make_source(
        np.hstack([one, one]), np.tile(np.arange(1, 31) * 1000, 2), ["1"] * 30 + ["chr2"] * 30
    )
    single = pruned(make_source(one), Pruning(50.0, 5, 0.2))
    assert pruned(both, Pruning(50.0, 5, 0.2)).tolist() == [*single, *(single + 30)]
    chosen = np.arange(0, 30, 2)
    found = pruned(both, Pruning(50.0, 5, 0.2), chosen)
    assert (2 * pruned(make_source(one[:, ::2]), Pruning(50.0, 5, 0.2))).tolist() == found.tolist()


def test_prune__nothing_above_the_threshold_is_left(rng):
    dosage = linked(rng, 100, 80)
    found = pruned(make_source(dosage), Pruning(80.0, 1, 0.15))
    r2 = np.corrcoef(dosage[:, found].T) ** 2
    np.fill_diagonal(r2, 0.0)
    assert r2.max() <= 0.15
    left = np.setdiff1d(np.arange(80), found)
    assert (np.corrcoef(dosage.T)[np.ix_(left, found)] ** 2).max(axis=1).min() > 0.1


def test_prune__a_window_in_kb_needs_positions(rng):
    source = make_source(linked(rng, 20, 10), np.zeros(10, dtype=int))
    with pytest.raises(VariantError, match="chromosome '1' all are at position 0"):
        pruned(source, Pruning(50.0, 1, 0.2, is_kb=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200,50,0.2", Pruning(200.0, 50, 0.2)),
        ("500kb,1,0.2", Pruning(500.0, 1, 0.2, is_kb=True)),
        ("500 KB 1 0.2", Pruning(500.0, 1, 0.2, is_kb=True)),
        ("0.5kb,0.2", Pruning(0.5, 1, 0.2, is_kb=True)),
    ],
)
def test_parse_pruning(text, expected):
    assert parse_pruning(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "200", "200,50,1.0", "1,1,0.2", "200,0,0.2", "a,1,0.2", "0kb,1,0.2", "50.5,1,0.2"),
        *("infkb,1,0.2", "nankb,1,0.2", "10,1,nan", "10,1,-0.1", "10,1,2,3"),
    ],
)
def test_parse_pruning__of_what_is_none(text):
    with pytest.raises(UsageError, match="must be WINDOW,STEP,R2"):
        parse_pruning(text)


PROGRAMS = [("plink1.9", "50,5,0.2"), ("plink1.9", "300kb,3,0.3"), ("plink2", "50,5,0.2")]


@pytest.mark.parametrize(("program", "text"), [*PROGRAMS, ("plink2", "300kb,1,0.3")])
@pytest.mark.parametrize("name", ["rice374_44k/geno", "mouse_hs1940/mouse_hs1940"])
def test_prune__is_plink(shared_data, tmp_path, program, text, name):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    prefix = shared_data / name
    source = open_bed(prefix)
    is_chosen = [c in ("1", "2", "11") for c in source.variants.chromosome]
    found = pruned(source, parse_pruning(text), np.flatnonzero(is_chosen))
    options = ["--bfile", str(prefix), "--chr", "1,2,11", "--threads", "1"]
    options += ["--indep-pairwise", *text.split(","), "--out", str(tmp_path / "theirs")]
    subprocess.run([program, *options], check=True, capture_output=True)
    theirs = set((tmp_path / "theirs.prune.in").read_text().split())
    varies = summarise_variants(source).is_polymorphic
    # PLINK 2 keeps a variant that does not vary where it is alone in its window.
    theirs -= set(source.variants.variant_id[~varies])
    assert set(source.variants.variant_id[found]) == theirs
    assert len(theirs) > 100
