"""A few damaged files for every reader; ``python -m validation.fuzz`` makes many."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
READERS = (
    *("bed", "bimbam", "pgen", "bgen", "vcf", "vcf-gz", "bcf", "zarr", "table", "parquet"),
    *("list", "psam", "pedigree", "typed", "grm", "grm-set", "document"),
)
INPUTS = 25


@pytest.mark.skipif(
    not (ROOT / "validation" / "fuzz").is_dir(),
    reason="needs validation/fuzz, which is not part of the distribution",
)
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_damaged_files_have_a_value_or_a_sentence(tmp_path):
    found = tmp_path / "found"
    words = [tmp_path / "state", found, 1, 1, 120, INPUTS, *READERS]
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
    done = subprocess.run(
        [sys.executable, "-m", "validation.fuzz.worker", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(one, "1")},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.read_text() for path in found.glob("*/*/finding.txt")] == []
    for name in READERS:
        number = int((tmp_path / "state" / name / "number").read_text().split()[0])
        assert number == INPUTS
