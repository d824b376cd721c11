from pathlib import Path

import numpy as np
import pytest

from nextlmm.genotype.source import open_genotypes
from nextlmm.simulation.example import Example, ExampleFiles, simulate_example, write_example


@pytest.fixture(scope="module")
def example() -> Example:
    return simulate_example()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ExampleFiles:
    return write_example(tmp_path_factory.mktemp("example"))


def test_it_has_the_promised_shape(example: Example) -> None:
    n, m = example.dosages.shape
    assert 480 <= n <= 540
    assert m == 5000
    assert len(set(example.variants.chromosome)) == 10
    assert set(example.population) == {0, 1, 2, 3}


def test_the_same_seed_gives_the_same_cohort(example: Example) -> None:
    again, other = simulate_example(), simulate_example(seed=7)
    np.testing.assert_array_equal(again.dosages, example.dosages)
    np.testing.assert_array_equal(again.traits["height"], example.traits["height"])
    assert not np.array_equal(other.dosages, example.dosages)


def test_two_fifths_live_in_families(example: Example) -> None:
    family = example.samples.family_id
    _, sizes = np.unique(family.astype(str), return_counts=True)
    assert 0.35 <= sizes[sizes > 1].sum() / len(family) <= 0.45


def test_children_carry_an_allele_of_each_parent(example: Example) -> None:
    # Mendel: parents who are homozygous for different alleles have heterozygous children.
    children = np.flatnonzero(example.parents[:, 0] >= 0)
    assert len(children) > 100
    for child in children:
        father, mother = example.dosages[example.parents[child]]
        own = example.dosages[child]
        differ = (np.abs(father - mother) == 2) & ~np.isnan(own)
        assert (own[differ] == 1).all()


def test_relatives_share_more_than_strangers(example: Example) -> None:
    calls = np.where(np.isnan(example.dosages), 1, example.dosages).astype(np.float64)
    centred = calls - calls.mean(axis=0)
    child = np.flatnonzero(example.parents[:, 0] >= 0)
    with_father = np.mean(np.sum(centred[child] * centred[example.parents[child, 0]], axis=1))
    with_next = np.mean(np.sum(centred[child[:-1]] * centred[child[1:]], axis=1))
    assert with_father > 2 * with_next


def test_neighbours_are_in_linkage_disequilibrium(example: Example) -> None:
    calls = np.where(np.isnan(example.dosages), 1, example.dosages)[:, :500]
    near = [np.corrcoef(calls[:, j], calls[:, j + 1])[0, 1] ** 2 for j in range(200)]
    far = [np.corrcoef(calls[:, j], calls[:, j + 250])[0, 1] ** 2 for j in range(200)]
    assert np.mean(near) > 0.2 > 0.05 > np.mean(far)


def test_what_real_files_have(example: Example) -> None:
    calls = example.dosages
    assert 0.005 < np.isnan(calls).mean() < 0.015
    assert (np.nanmax(calls, axis=0) == np.nanmin(calls, axis=0)).any()
    assert np.isnan(example.traits["height"]).sum() == 6
    assert np.isnan(example.traits["noise"]).sum() == 6


def test_the_planted_effects_are_in_the_trait(example: Example) -> None:
    height = example.traits["height"]
    known = ~np.isnan(height)
    design = np.column_stack(
        [
            np.ones(len(height)),
            *example.covariates.values(),
            np.nan_to_num(example.dosages[:, example.causal], nan=1.0),
        ]
    )
    fit, *_ = np.linalg.lstsq(design[known], height[known], rcond=None)
    np.testing.assert_allclose(fit[3:], example.effects, atol=1.5)


def test_write_example__reads_back(files: ExampleFiles, example: Example) -> None:
    source = open_genotypes(str(files.prefix))
    everything = np.arange(len(source.variants))
    np.testing.assert_array_equal(source.dosages(everything), example.dosages)
    lines = files.traits.read_text().splitlines()
    assert lines[0].split() == ["FID", "IID", "height", "noise"]
    assert len(lines) == len(example.samples) + 1
    assert sum("NA" in line for line in lines) >= 6
    assert files.covariates.read_text().startswith("FID\tIID\tsex\tage\n")


def test_write_example__names_the_truth(files: ExampleFiles, example: Example) -> None:
    assert len(files.planted) == 4
    assert [locus.variant_id for locus in files.planted] == list(
        example.variants.variant_id[example.causal]
    )
    assert len(files.truth.read_text().splitlines()) == 5


def test_write_example__is_small(files: ExampleFiles) -> None:
    assert sum(path.stat().st_size for path in files.truth.parent.iterdir()) < 2_000_000


def test_write_example__same_bytes(files: ExampleFiles, tmp_path: Path) -> None:
    write_example(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (files.truth.parent / path.name).read_bytes()
