"""Cohorts to run on: simulated ones of three kinds and any size, and mice of the shared data.

Genotypes and traits are those of `nextlmm.simulation`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextlmm.cohort.table import read_sample_table
from nextlmm.genotype.bed_writer import write_plink, write_plink_blocks
from nextlmm.genotype.plink_tables import read_fam
from nextlmm.genotype.source import open_genotypes
from nextlmm.genotype.tables import VariantTable
from nextlmm.simulation.population import (
    KINDS,
    Calls,
    genotype_blocks,
    sample_table,
    seeded,
    variant_table,
    with_missing,
)
from nextlmm.simulation.traits import (
    COVARIATES,
    add_genetic,
    draw_covariates,
    draw_effects,
    draw_traits,
)

CAUSAL_FREE = ("19", "20")  # chromosomes without effects, on which every test is one of the null
TRAITS = 5
HERITABILITY = 0.5
POLYGENIC_VARIANTS = 1_000
SEED = 2
MISSING_TRAIT = "-9"  # in a .fam, where not every program reads NA
LEAST_MICE_FREQUENCY, MOST_MICE_MISSING = 0.01, 0.05
GENOTYPES, TRAIT_FILE, COVARIATE_FILE = "cohort", "traits.txt", "covariates.txt"

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Cohort:
    """Files that every program reads.

    Attributes
    ----------
    bfile : prefix of the PLINK 1 files; the .fam has the first trait in its last column.
    pheno : FID, IID and the traits, with a header.
    traits : their names.
    covar : FID, IID and the covariates, with a header; None without covariates.
    covariates : their names.
    """

    bfile: Path
    pheno: Path
    traits: tuple[str, ...]
    covar: Path | None = None
    covariates: tuple[str, ...] = ()

    @classmethod
    def at(cls, folder: Path) -> Self:
        """The cohort whose files are in a folder."""
        covar = folder / COVARIATE_FILE
        return cls(
            bfile=folder / GENOTYPES,
            pheno=folder / TRAIT_FILE,
            traits=_names(folder / TRAIT_FILE),
            covar=covar if covar.exists() else None,
            covariates=_names(covar) if covar.exists() else (),
        )

    @property
    def n(self) -> int:
        """Samples in the files."""
        return _lines(f"{self.bfile}.fam")


def simulate(kind: str, folder: Path, *, n: int, m: int) -> Cohort:
    """Write a cohort of n samples and m variants; the same arguments give the same files.

    Five traits, each with a heritability of one half beside three covariates, from 1,000 variants
    (a tenth of them if there are fewer than 10,000) with normal effects per standard deviation, ten
    of which are six times as large as the others; 0.8 % of the calls are missing.

    Cost: O(n m); in memory 5,000 bytes a variant of a chromosome and some bytes a genotype of a
    piece.
    """
    samples, variants = sample_table(n), variant_table(m)
    rng = seeded(SEED, kind, n, m)
    n_allowed = int((~np.isin(variants.chromosome, CAUSAL_FREE)).sum())
    count = min(POLYGENIC_VARIANTS, max(1, n_allowed // 10))
    effects = draw_effects(rng, variants.chromosome, count, traits=TRAITS, free=CAUSAL_FREE)
    genetic = np.zeros((n, TRAITS))
    blocks = _genotypes(rng, kind, variants=variants, effects=effects, genetic=genetic)
    write_plink_blocks(folder / GENOTYPES, blocks, samples, variants)
    covariates = draw_covariates(rng, n)
    traits = [f"trait{number + 1}" for number in range(TRAITS)]
    values = draw_traits(rng, genetic, covariates, HERITABILITY)
    names = samples.sample_id
    _write_table(folder / TRAIT_FILE, names, columns=traits, values=values)
    _write_table(folder / COVARIATE_FILE, names, columns=COVARIATES, values=covariates)
    return _with_trait_in_fam(Cohort.at(folder))


def shared_mice() -> Path | None:
    """The outbred mice in a folder shared/data beside the checkout, or None without it."""
    for parent in Path(__file__).resolve().parents:
        root = parent / "shared" / "data" / "mouse_hs1940"
        if root.is_dir():
            return root
    return None


def mice(root: Path, folder: Path) -> Cohort:
    """CD8 of the outbred mice, without covariates, at the variants that all programs may test.

    Those with a minor allele frequency of 1 % or more and at most 5 % missing, since some programs
    have no such filter, and others none that they apply before they fail.
    """
    source = open_genotypes(root / "mouse_hs1940")
    dosages = source.dosages(np.arange(len(source.variants)))
    frequency = np.nanmean(dosages, axis=0) / 2.0
    common = np.minimum(frequency, 1.0 - frequency) >= LEAST_MICE_FREQUENCY
    kept = np.flatnonzero(common & (np.isnan(dosages).mean(axis=0) <= MOST_MICE_MISSING))
    write_plink(folder / GENOTYPES, dosages[:, kept], source.samples, source.variants.take(kept))
    rows = [line.split()[:3] for line in (root / "mouse.pheno").read_text("utf-8").splitlines()]
    if rows[0] != ["FID", "IID", "CD8"]:
        raise ValueError(f"{root}/mouse.pheno begins with {rows[0]}, not with FID, IID and CD8")
    text = "".join(" ".join(row) + "\n" for row in rows)
    (folder / TRAIT_FILE).write_text(text, encoding="utf-8")
    return _with_trait_in_fam(Cohort.at(folder))


def _with_trait_in_fam(cohort: Cohort) -> Cohort:
    """The cohort, once its first trait is where GEMMA reads it."""
    table = read_sample_table(cohort.pheno)
    value = dict(zip(table.sample_id, table.columns[cohort.traits[0]], strict=True))
    value = {name: text for name, text in value.items() if text != "NA"}
    fam = Path(f"{cohort.bfile}.fam")
    samples = read_fam(fam)
    pairs = zip(samples.family_id, samples.sample_id, strict=True)
    lines = [
        f"{family} {sample} 0 0 0 {value.get(sample, MISSING_TRAIT)}\n" for family, sample in pairs
    ]
    fam.write_text("".join(lines), encoding="utf-8")
    return cohort


def _genotypes(
    rng: Generator, kind: str, *, variants: VariantTable, effects: FloatArray, genetic: FloatArray
) -> Iterator[Calls]:
    """Blocks of calls (n, b); the genetic values of the samples are added up in ``genetic``."""
    for columns, calls in genotype_blocks(rng, KINDS[kind], n=len(genetic), variants=variants):
        add_genetic(genetic, calls, effects[columns])
        yield with_missing(rng, calls)


def _write_table(
    path: Path, names: NDArray[np.object_], *, columns: Sequence[str], values: FloatArray
) -> None:
    rows = zip(names, values, strict=True)
    lines = [f"{name} {name} {' '.join(f'{value:.6g}' for value in row)}\n" for name, row in rows]
    path.write_text(f"FID IID {' '.join(columns)}\n{''.join(lines)}", encoding="utf-8")


def _names(table: Path) -> tuple[str, ...]:
    """The columns after FID and IID."""
    with table.open(encoding="utf-8") as lines:
        return tuple(lines.readline().split()[2:])


def _lines(path: str) -> int:
    with Path(path).open("rb") as lines:
        return sum(1 for _ in lines)
