"""What is written in every format is what is read back, and what other programs write."""

import gzip

import numpy as np
import pytest

from nextlmm.genotype.tables import SampleTable, string_array
from nextlmm.output.bgzf import bgzf_blocks
from nextlmm.relatedness.grm_files import read_relationships
from nextlmm.relatedness.grm_formats import file_ends
from nextlmm.relatedness.grm_writer import Relationships, matrix_files

N = 9
SINGLE = 2.0**-24
"""Relative rounding of a float32."""


@pytest.fixture
def matrix(rng):
    z = rng.normal(size=(N, 30))
    samples = SampleTable(
        string_array(f"F{i // 2}" for i in range(N)), string_array(f"s{i}é" for i in range(N))
    )
    return Relationships(samples, z @ z.T / 30, 30)


def write(folder, matrix, kind, cutoff=0.0):
    writers = matrix_files(matrix, kind, cutoff=cutoff, compress=bgzf_blocks)
    assert tuple(writers) == file_ends(kind, is_standardized=matrix.is_standardized)
    for end, writer in writers.items():
        with (folder / f"m{end}").open("wb") as handle:
            writer(handle)
    return folder / f"m{next(iter(writers))}"


@pytest.mark.parametrize("kind", ["gcta-gz", "plink2", "plink2-text", "gemma", "npy"])
def test_every_number_is_read_as_it_was(tmp_path, matrix, kind):
    found = read_relationships(write(tmp_path, matrix, kind))
    np.testing.assert_array_equal(found.values, matrix.values)
    assert found.samples.sample_id.tolist() == matrix.samples.sample_id.tolist()
    assert found.samples.family_id.tolist() == matrix.samples.family_id.tolist()


def test_gcta_is_of_single_precision(tmp_path, matrix):
    found = read_relationships(write(tmp_path, matrix, "gcta"))
    np.testing.assert_allclose(found.values, matrix.values, rtol=SINGLE)
    counts = np.fromfile(tmp_path / "m.grm.N.bin", "<f4")
    assert counts.tolist() == [30.0] * (N * (N + 1) // 2)
    assert (tmp_path / "m.grm.id").read_text().splitlines()[1] == "F0\ts1é"


@pytest.mark.parametrize("cutoff", [-10.0, 0.0, 0.2, 10.0])
def test_gcta_sparse_leaves_distant_pairs_out(tmp_path, matrix, cutoff):
    found = read_relationships(write(tmp_path, matrix, "gcta-sparse", cutoff))
    is_kept = (matrix.values >= cutoff) | np.eye(N, dtype=bool)
    expected = np.where(is_kept, matrix.values, 0.0)
    np.testing.assert_array_equal(found.among(np.arange(N)), expected)
    lines = (tmp_path / "m.grm.sp").read_text().splitlines()
    assert len(lines) == np.count_nonzero(np.tril(is_kept))


def test_gcta_text_has_the_lower_triangle_in_order(tmp_path, matrix, monkeypatch):
    monkeypatch.setattr("nextlmm.relatedness.grm_writer._PAIRS", 7)
    write(tmp_path, matrix, "gcta-gz")
    lines = gzip.decompress((tmp_path / "m.grm.gz").read_bytes()).decode().splitlines()
    expected = [[i + 1, j + 1, 30] for i in range(N) for j in range(i + 1)]
    assert [[int(part) for part in line.split("\t")[:3]] for line in lines] == expected


def test_gemma_tells_the_weighting_by_the_name(tmp_path, matrix):
    assert write(tmp_path, matrix, "gemma").name == "m.sXX.txt"
    centered = Relationships(matrix.samples, matrix.values, 30, is_standardized=False)
    assert write(tmp_path, centered, "gemma").name == "m.cXX.txt"
