"""Writing genotypes as PLINK 1 .bed, .bim and .fam files."""

import contextlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import OutputError
from nextlmm.genotype.tables import SampleTable, VariantTable

BED_MAGIC = b"\x6c\x1b\x01"
_VARIANTS_PER_BLOCK = 1024
# The two bits that stand for 0, 1 and 2 copies of the effect allele and for a missing call.
_CODE_OF_COPIES = np.array([0b11, 0b10, 0b00, 0b01], dtype=np.uint8)
_MISSING = 3


def _pack(dosages: NDArray[np.generic], first_variant: int) -> NDArray[np.uint8]:
    """Two bits a genotype, (b, ceil(n/4)) bytes, from a block of dosages (n, b)."""
    n_samples, n_variants = dosages.shape
    values = np.asarray(dosages.T, dtype=np.float64)
    missing = np.isnan(values)
    valid = missing | (values == 0) | (values == 1) | (values == 2)
    if not valid.all():
        variant, sample = np.argwhere(~valid)[0]
        raise OutputError(
            f"the genotype of sample {sample + 1} at variant {first_variant + variant + 1} is "
            f"{values[variant, sample]:g}, which a .bed file cannot hold; expected 0, 1 or 2 "
            "copies of the effect allele, or NaN for a missing call"
        )
    # Bits beyond the last sample are zero, as PLINK leaves them.
    codes = np.zeros((n_variants, -(-n_samples // 4) * 4), dtype=np.uint8)
    codes[:, :n_samples] = _CODE_OF_COPIES[np.where(missing, _MISSING, values).astype(np.intp)]
    quads = codes.reshape(n_variants, -1, 4) << np.array([0, 2, 4, 6], dtype=np.uint8)
    return np.asarray(np.bitwise_or.reduce(quads, axis=2), dtype=np.uint8)


def write_plink(
    prefix: str | os.PathLike[str],
    dosages: NDArray[np.generic],
    samples: SampleTable,
    variants: VariantTable,
) -> None:
    """Write ``prefix.bed``, ``prefix.bim`` and ``prefix.fam``.

    Sex, parents and trait are written as unknown, the genetic position as 0.  The three files
    appear under their names only when all of them are complete.

    Parameters
    ----------
    prefix : path without extension.
    dosages : (n, m) copies of the effect allele: 0, 1, 2, or NaN for a missing call.
    samples : the n rows.
    variants : the m columns.

    Raises
    ------
    OutputError
        If a dosage is none of these, the tables do not fit the array, or a file cannot be written.

    Cost: O(n m), temporaries bounded by a block of 1,024 variants.
    """
    expected = (len(samples), len(variants))
    if dosages.shape != expected:
        raise OutputError(
            f"cannot write {prefix}: the dosages have shape {dosages.shape}, the tables list "
            f"{expected[0]} samples and {expected[1]} variants; they must agree"
        )
    targets = [Path(f"{os.fspath(prefix)}.{extension}") for extension in ("bed", "bim", "fam")]
    partial = [target.with_name(target.name + ".partial") for target in targets]
    try:
        with partial[0].open("wb") as bed:
            bed.write(BED_MAGIC)
            for start in range(0, len(variants), _VARIANTS_PER_BLOCK):
                block = dosages[:, start : start + _VARIANTS_PER_BLOCK]
                bed.write(_pack(block, start).tobytes())
        _write_lines(partial[1], _bim_lines(variants))
        _write_lines(partial[2], _fam_lines(samples))
        for source, target in zip(partial, targets, strict=True):
            source.replace(target)
    except OSError as error:
        raise OutputError(
            f"cannot write {prefix}.bed, .bim and .fam: {error.strerror or error}; choose a folder "
            "that exists, is writable and has room"
        ) from error
    finally:
        for leftover in partial:
            with contextlib.suppress(OSError):
                leftover.unlink()


def _bim_lines(variants: VariantTable) -> list[str]:
    columns = (
        variants.chromosome,
        variants.variant_id,
        variants.position_bp,
        variants.effect_allele,
        variants.other_allele,
    )
    return [f"{c}\t{v}\t0\t{p}\t{e}\t{o}" for c, v, p, e, o in zip(*columns, strict=True)]


def _fam_lines(samples: SampleTable) -> list[str]:
    pairs = zip(samples.family_id, samples.sample_id, strict=True)
    return [f"{family}\t{sample}\t0\t0\t0\t-9" for family, sample in pairs]


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
