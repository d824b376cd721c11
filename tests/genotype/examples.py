"""Small genotype matrices and the files that hold them."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from nextlmm.genotype.bed import BedSource, open_bed
from nextlmm.genotype.bed_writer import write_plink
from nextlmm.genotype.tables import SampleTable, VariantTable, string_array

CALLS = (0.0, 1.0, 2.0, np.nan)


def sample_table(n: int) -> SampleTable:
    return SampleTable(
        string_array(f"F{i // 2}" for i in range(n)), string_array(f"I{i}" for i in range(n))
    )


def variant_table(m: int) -> VariantTable:
    return VariantTable(
        chromosome=string_array(str(1 + j // 3) for j in range(m)),
        variant_id=string_array(f"v{j}" for j in range(m)),
        position_bp=np.arange(m, dtype=np.int64) * 10,
        effect_allele=string_array("A" for _ in range(m)),
        other_allele=string_array("G" for _ in range(m)),
    )


def write_bed(folder: Path | str, dosages: NDArray[np.float64], name: str = "g") -> Path:
    prefix = Path(folder) / name
    n, m = dosages.shape
    write_plink(prefix, dosages, sample_table(n), variant_table(m))
    return prefix


def bed_source(folder: Path | str, dosages: NDArray[np.float64]) -> BedSource:
    return open_bed(write_bed(folder, dosages))


def random_calls(rng: np.random.Generator, n: int, m: int) -> NDArray[np.float64]:
    return rng.choice(CALLS, size=(n, m), p=[0.4, 0.3, 0.2, 0.1])


def called_genotypes(
    max_samples: int = 21, max_variants: int = 12
) -> st.SearchStrategy[NDArray[np.float64]]:
    """Genotype matrices of any size, so of every remainder of n by 4."""
    return st.tuples(st.integers(1, max_samples), st.integers(1, max_variants)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.sampled_from(CALLS), fill=st.nothing())
    )
