import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from nextlmm.output.provenance import describe_run
from nextlmm.output.schema import result_table


def _work(
    seconds: float, processor_seconds: float, *, operations: float = 0.0, genotypes: float = 0.0
) -> dict[str, float]:
    return {
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "operations": operations,
        "genotypes": genotypes,
    }


TRAIT: dict[str, Any] = {
    "n": 513,
    "n_covariates": 3,
    "covariates": ["intercept", "sex", "age"],
    "mode": "hodlr",
    "method": "reml",
    "test": "wald",
    "loco": True,
    "loco_h2": "shared",
    "per_variant_h2": "never",
    "own_h2": None,
    "h2_by_chromosome": {},
    "budget": {"kl": 0.1, "rank": None},
    "h2": 0.5104,
    "h2_se": 0.0832,
    "h2_interval": [0.345, 0.668],
    "h2_boundary": None,
    "sigma_g2": 25.31,
    "sigma_e2": 24.27,
    "log_likelihood": -1700.2,
    "lambda_gc": 1.0749,
    "samples": {"analysed": 513, "excluded": {"without a value of height": 6}},
    "variants": {
        "selected": 5000,
        "tested": 4999,
        "in_relationship_matrix": 4999,
        "excluded": {},
        "status": {"ok": 4999, "monomorphic": 1},
    },
    "certificate": {
        "kl": 0.083,
        "kl_interval": [0.078, 0.089],
        "kl_how": "stochastic trace, 64 probes",
        "kl_scan_max": 0.091,
        "log_determinant_error": 0.0004,
        "ranks": [
            {
                "level": 0,
                "nodes": 1,
                "leaves": 0,
                "rank_min": 30,
                "rank_max": 30,
                "rows_max": 513,
            },
            {
                "level": 1,
                "nodes": 2,
                "leaves": 2,
                "rank_min": None,
                "rank_max": None,
                "rows_max": 257,
            },
        ],
        "bytes": 1_204_000,
        "bytes_dense": 2_105_352,
        "relative_residual": 1e-3,
        "variance_ratio": [0.97, 1.04],
        "z_error_max": 0.02,
        "neg_log_10_p_error_max": 0.041,
        "h2_exact": 0.511,
        "h2_error": -0.0006,
    },
    "top_hits": [
        {
            "variant_id": "snp01_170",
            "chromosome": "1",
            "base_pair_location": 10_234_567,
            "effect_allele": "A",
            "effect_allele_frequency": 0.412,
            "beta": -2.913,
            "standard_error": 0.372,
            "neg_log_10_p_value": 13.61,
            "locus_start": 10_000_000,
            "locus_end": 10_300_000,
            "locus_variants": 4,
            "genome_wide_significant": True,
        },
        {
            "variant_id": "snp08_057",
            "chromosome": "8",
            "base_pair_location": 3_400_000,
            "effect_allele": "G",
            "effect_allele_frequency": 0.5,
            "beta": 0.9,
            "standard_error": 0.21,
            "neg_log_10_p_value": 4.4,
            "locus_start": 3_400_000,
            "locus_end": 3_400_000,
            "locus_variants": 1,
            "genome_wide_significant": False,
        },
    ],
    "timings": {"relationship matrix": 0.42, "null model": 1.3, "association": 0.2},
    "work": {
        "relationship matrix": _work(0.42, 0.8, operations=1.3e9, genotypes=2.5e6),
        "null model": _work(1.3, 1.3),
        "association": _work(0.2, 0.3, genotypes=2.5e6),
        "association / scores": _work(0.1, 0.2, genotypes=2.5e6),
    },
    "files": {"table": "out/run.height.tsv.gz"},
    "warnings": [],
}


@pytest.fixture
def document() -> dict[str, Any]:
    """A result document of one trait, as a run makes it."""
    header = describe_run(
        command="nextlmm gwas --bfile cohort --pheno traits.txt --out out/run",
        options={"bfile": "cohort", "mode": "hodlr"},
        inputs={"bed": {"path": "cohort.bed", "bytes": 650_003, "sha256": "ab" * 32}},
        threads=2,
    )
    return {
        **header,
        "samples": {"in_genotypes": 519, "kept": 519, "excluded": {}},
        "variants": {"in_genotypes": 5000, "excluded": {}},
        "traits": {"height": copy.deepcopy(TRAIT)},
        "seconds": 2.31,
        "work": {"start-up": _work(0.3, 0.3), "writing results": _work(0.05, 0.1)},
        "peak_memory_bytes": 174_000_000,
    }


@pytest.fixture
def make_table() -> Callable[..., pl.DataFrame]:
    """A factory of result tables with one planted signal."""

    def make(n: int = 2000, chromosomes: tuple[str, ...] = ("1", "2", "X")) -> pl.DataFrame:
        rng = np.random.default_rng(5)
        strength = -np.log10(rng.random(n))
        strength[n // 2] = 12.0
        return result_table(
            {
                "chromosome": [chromosomes[i * len(chromosomes) // n] for i in range(n)],
                "base_pair_location": np.arange(n) * 1000 + 1,
                "effect_allele": ["A"] * n,
                "other_allele": ["G"] * n,
                "beta": rng.normal(size=n),
                "standard_error": rng.random(n),
                "effect_allele_frequency": rng.random(n),
                "neg_log_10_p_value": strength,
                "variant_id": [f"v{i}" for i in range(n)],
                "n": np.full(n, 100),
                "status": ["ok"] * n,
                "h2": np.full(n, 0.5),
                "statistic": rng.random(n),
            }
        )

    return make
