"""A small cohort in files with the names that the pages use."""

from pathlib import Path

import numpy as np

from nextlmm.genotype.bed_writer import write_plink
from nextlmm.simulation.population import KINDS, genotype_blocks, seeded, variant_table

from ..genotype.examples import sample_table
from ..genotype.formats import write_bgen

N, M, CHROMOSOMES = 90, 240, 3
TRAITS = ("height", "bmi", *(f"trait{number}" for number in range(1, 21)))


def write_cohort(folder: Path) -> np.ndarray:
    """Write cohort.bed and all that the pages name beside it; returns its dosages (N, M)."""
    rng = seeded(5, "families", N, M)
    variants, samples = variant_table(M, CHROMOSOMES), sample_table(N)
    blocks = genotype_blocks(rng, KINDS["families"], n=N, variants=variants)
    dosages = np.concatenate([np.asarray(calls, float) for _, calls in blocks], axis=1)
    dosages[rng.random(dosages.shape) < 0.01] = np.nan
    centred = np.nan_to_num(dosages - np.nanmean(dosages, axis=0))
    genetic = centred @ rng.normal(size=(M, len(TRAITS)))
    values = genetic / genetic.std(axis=0) + rng.normal(size=(N, len(TRAITS)))
    values[:, 0] += 1.5 * centred[:, 40]
    write_plink(folder / "cohort", dosages, samples, variants)
    for name in ("array", "others"):
        write_plink(folder / name, dosages, samples, variants)
    write_bgen(folder, dosages[:, :60], "imputed")  # on twenty chromosomes
    pairs = [f"{f} {s}" for f, s in zip(samples.family_id, samples.sample_id, strict=True)]
    disease = (values[:, 1] > np.median(values[:, 1])).astype(int)
    age, site = rng.integers(20, 70, N), rng.choice(["east", "north", "west"], N)
    sex = rng.integers(1, 3, N)
    _write(folder / "traits.txt", f"FID IID {' '.join(TRAITS)} disease", pairs, values, disease)
    _write(folder / "covariates.txt", "FID IID age sex site", pairs, age, sex, site)
    _write(folder / "height.phen", None, pairs, values[:, 0])
    fam = [f"{pair} 0 0 {s} {v:.6g}" for pair, s, v in zip(pairs, sex, values[:, 0], strict=True)]
    (folder / "cohort.fam").write_text("\n".join(fam) + "\n")
    (folder / "north.txt").write_text("\n".join(pairs[: N // 2]) + "\n")
    (folder / "array.snps").write_text("\n".join(variants.variant_id[::2]) + "\n")
    people = samples.sample_id
    child = [f"{people[i]} {people[i - 2]} {people[i - 1]}" for i in range(2, N, 3)]
    (folder / "pedigree.txt").write_text("IID father mother\n" + "\n".join(child) + "\n")
    return dosages


def _write(path: Path, header: str | None, pairs: list[str], *columns: np.ndarray) -> None:
    """A table of samples; numbers of an array (n, k) are k columns."""
    parts = [column.reshape(len(pairs), -1) for column in columns]
    rows = [
        " ".join([pair, *(_text(value) for part in parts for value in part[at])])
        for at, pair in enumerate(pairs)
    ]
    path.write_text("\n".join([*([header] if header else []), *rows]) + "\n")


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
