"""The shared cohorts: where they are and which trait of each is analysed."""

from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SharedCohort:
    """One folder of shared data: prefix of the genotypes, trait file, trait, covariate file."""

    folder: str
    genotypes: str
    pheno: str
    trait: str
    covar: str | None = None

    @property
    def root(self) -> Path:
        return shared_data() / self.folder

    @property
    def bfile(self) -> str:
        return str(self.root / self.genotypes)


COHORTS = {
    "mouse": SharedCohort("mouse_hs1940", "mouse_hs1940", "mouse.pheno", "CD8"),
    "rice": SharedCohort("rice374_44k", "geno", "pheno.txt", "Amylose.content"),
    "soy": SharedCohort("soynam5590", "geno", "pheno.txt", "R8"),
    "1kg": SharedCohort("1kg1092", "geno", "pheno.txt", "Y1", "covar.txt"),
    "synth500": SharedCohort("fastlmm_synth500", "geno", "pheno.txt", "pheno10", "covar.txt"),
    "sim2k": SharedCohort("sim2k_50k", "geno", "pheno.txt", "Y2", "covar.txt"),
}


def shared_data() -> Path:
    """The folder shared/data beside a checkout; skips the test where there is none."""
    for folder in Path(__file__).resolve().parents:
        candidate = folder / "shared" / "data"
        if candidate.is_dir():
            return candidate
    pytest.skip("needs shared/data beside the checkout, which is not here")
