"""Genes known from the literature are found, with the default model, at the place they are."""

from dataclasses import dataclass

import polars as pl
import pytest

from nextlmm.run.options import GwasOptions
from nextlmm.run.pipeline import gwas

from .cohorts import COHORTS


@dataclass(frozen=True)
class Locus:
    """A gene, where it is, how far away its strongest variant may lie, and a modest threshold."""

    cohort: str
    trait: str
    gene: str
    chromosome: str
    position_mb: float
    within_mb: float
    threshold: float

    def __str__(self) -> str:
        return f"{self.gene}-{self.trait}"


LOCI = [
    Locus("mouse", "CD8", "MHC", "17", 34.5, 3.0, 7.0),
    Locus("rice", "Amylose.content", "Waxy", "6", 1.76, 0.3, 6.0),
    Locus("rice", "Seed.width", "qSW5", "5", 5.34, 0.3, 6.0),
    Locus("rice", "Pericarp.color", "Rc", "7", 6.07, 0.3, 6.0),
    Locus("soy", "R8", "E2", "10", 44.67, 1.5, 6.0),
]


CASES = [(locus, mode) for locus in LOCI for mode in ("hodlr", "dense")]
CASES.remove((LOCI[-1], "hodlr"))  # minutes for every one of its 20 chromosomes


@pytest.mark.parametrize(("locus", "mode"), CASES, ids=str)
def test_gene_is_the_top_of_its_chromosome(locus, mode, tmp_path):
    cohort = COHORTS[locus.cohort]
    result = gwas(
        GwasOptions(
            bfile=cohort.bfile,
            pheno=str(cohort.root / cohort.pheno),
            trait=(locus.trait,),
            out=str(tmp_path / "out"),
            mode=mode,
            maf=0.01,
            max_missing=0.1,
            plots=False,
        )
    )
    table = result.tables[locus.trait].filter(pl.col("chromosome") == locus.chromosome)
    top = table.sort("neg_log_10_p_value", descending=True, nulls_last=True).row(0, named=True)
    print(f"{locus} {mode}: {top['variant_id']} -log10 p {top['neg_log_10_p_value']:.2f}")
    distance = abs(top["base_pair_location"] / 1e6 - locus.position_mb)
    assert distance <= locus.within_mb
    assert top["neg_log_10_p_value"] >= locus.threshold
