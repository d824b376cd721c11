"""The index by position, read by another library."""

import numpy as np
import polars as pl
import pysam
import pytest

from nextlmm.output import bgzf
from nextlmm.output.tabix import LARGEST_POSITION, is_within_reach, tabix_index
from nextlmm.output.table import write_table


def frame(positions):
    """A table of the positions of each chromosome."""
    rows = [(name, p) for name, own in positions.items() for p in sorted(own)]
    text = [f"value {i} " + "x" * (i % 50) for i in range(len(rows))]
    return pl.DataFrame(
        {
            "chromosome": [name for name, _ in rows],
            "base_pair_location": np.array([p for _, p in rows], dtype=np.int64),
            "text": text,
        }
    )


def write(folder, table, **options):
    path = folder / "t.tsv.gz"
    with path.open("wb") as handle:
        layout = write_table(table, handle, **options)
    index = tabix_index(
        table["chromosome"].to_numpy(), table["base_pair_location"].to_numpy(), layout
    )
    (folder / "t.tsv.gz.tbi").write_bytes(index)
    return pysam.TabixFile(str(path))


def assert_regions_are_found(table, file, regions):
    for name, start, stop in regions:
        chosen = table.filter(
            (pl.col("chromosome") == name)
            & (pl.col("base_pair_location") > start)
            & (pl.col("base_pair_location") <= stop)
        )
        found = [line.split("\t")[2] for line in file.fetch(name, start, stop)]
        assert found == chosen["text"].to_list()


@pytest.mark.parametrize("block_bytes", [97, 65280])
@pytest.mark.parametrize("threads", [1, 3])
def test_index__finds_every_region(tmp_path, rng, monkeypatch, block_bytes, threads):
    for module in ("nextlmm.output.bgzf", "nextlmm.output.table"):
        monkeypatch.setattr(f"{module}.BLOCK_BYTES", block_bytes)
    table = frame(
        {
            "2": rng.integers(1, 200_000, 400),
            "chrX": rng.integers(1, LARGEST_POSITION, 300),
            "scaffold_7": [1],
            "1": [16_384, 16_384, 16_385, 40_000_000],
        }
    )
    file = write(tmp_path, table, threads=threads)
    assert list(file.contigs) == ["2", "chrX", "scaffold_7", "1"]
    regions = [(name, 0, LARGEST_POSITION) for name in file.contigs]
    for _ in range(60):
        start, stop = np.sort(rng.integers(0, 250_000, 2)).tolist()
        regions.append(("2", start, stop + 1))
        start, stop = np.sort(rng.integers(0, LARGEST_POSITION, 2)).tolist()
        regions.append(("chrX", start, stop + 1))
    regions += [("1", 16_383, 16_384), ("1", 16_384, 16_385), ("1", 30_000_000, 40_000_000)]
    assert_regions_are_found(table, file, regions)


def test_index__of_many_blocks(tmp_path, rng):
    table = frame({"1": rng.integers(1, 50_000_000, 30_000), "2": rng.integers(1, 9_000, 5_000)})
    file = write(tmp_path, table)
    regions = [("1", s, s + 100_000) for s in range(0, 50_000_000, 5_000_000)]
    assert_regions_are_found(table, file, [*regions, ("2", 100, 120)])


@pytest.mark.parametrize("positions", [{}, {"1": [5]}])
def test_index__of_a_table_with_nearly_nothing(tmp_path, positions):
    file = write(tmp_path, frame(positions))
    assert list(file.contigs) == list(positions)


def test_is_within_reach__of_the_format():
    assert is_within_reach(np.array([0, LARGEST_POSITION]))
    assert not is_within_reach(np.array([5, LARGEST_POSITION + 1]))
    assert not is_within_reach(np.array([], dtype=np.int64))


def test_blocks__end_with_the_empty_one():
    assert list(bgzf.bgzf_blocks(iter([])))[-1].startswith(b"\x1f\x8b\x08\x04")
