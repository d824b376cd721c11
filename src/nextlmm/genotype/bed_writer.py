"""Writing genotypes as PLINK 1 .bed, .bim and .fam files."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nextlmm.errors import OutputError
from nextlmm.genotype.packed import pack_codes
from nextlmm.genotype.tables import SampleTable, VariantTable
from nextlmm.private import give_mode, open_private, private_name, usual_mode

BED_MAGIC = b"\x6c\x1b\x01"
_VARIANTS_PER_BLOCK = 1024
MISSING_CALL = -1  # where dosages are integers, which have no NaN
# The two bits that stand for 0, 1 and 2 copies of the effect allele, and last for a missing call.
_CODE_OF_COPIES = np.array([0b11, 0b10, 0b00, 0b01], dtype=np.uint8)


def _calls(dosages: NDArray[Any], first_variant: int) -> NDArray[np.int8]:
    """The copies of a block (n, b) as integers, ``MISSING_CALL`` for a missing one."""
    if np.issubdtype(dosages.dtype, np.integer):
        calls = dosages
        valid = (dosages >= MISSING_CALL) & (dosages <= 2)
    else:
        missing = np.isnan(dosages)
        calls = np.where(missing, MISSING_CALL, dosages)
        valid = missing | (dosages == 0) | (dosages == 1) | (dosages == 2)
    if not valid.all():
        variant, sample = np.argwhere(~valid.T)[0]
        raise OutputError(
            f"the genotype of sample {sample + 1} at variant {first_variant + variant + 1} is "
            f"{dosages[sample, variant]:g}, which a .bed file cannot hold; expected 0, 1 or 2 "
            "copies of the effect allele, or a missing call"
        )
    return calls.astype(np.int8, copy=False)


def _pack(dosages: NDArray[np.generic], first_variant: int) -> NDArray[np.uint8]:
    """Two bits a genotype, (b, ceil(n/4)) bytes, from a block of dosages (n, b)."""
    n_samples, n_variants = dosages.shape
    calls = _calls(dosages, first_variant)
    # Bits beyond the last sample are zero, as PLINK leaves them.
    codes = np.zeros((n_variants, -(-n_samples // 4) * 4), dtype=np.uint8)
    codes[:, :n_samples] = _CODE_OF_COPIES[calls.T]
    return pack_codes(codes)


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
    dosages : (n, m) copies of the effect allele: 0, 1, 2, or NaN for a missing call; where they are
        integers, -1 for a missing call.
    samples : the n rows.
    variants : the m columns.

    Raises
    ------
    OutputError
        If a dosage is none of these, the tables do not fit the array, or a file cannot be written.

    Cost: O(n m), temporaries bounded by a block of 1,024 variants.
    """
    starts = range(0, dosages.shape[1], _VARIANTS_PER_BLOCK)
    blocks = (dosages[:, start : start + _VARIANTS_PER_BLOCK] for start in starts)
    _check_shape(prefix, dosages.shape, samples, variants)
    write_plink_blocks(prefix, blocks, samples, variants)


def write_plink_blocks(
    prefix: str | os.PathLike[str],
    blocks: Iterable[NDArray[np.generic]],
    samples: SampleTable,
    variants: VariantTable,
) -> None:
    """Write what does not fit into memory: as `write_plink`, from consecutive blocks of variants.

    Parameters
    ----------
    blocks : dosages (n, b) as `write_plink` takes them, m variants in all; each is asked for when
        the one before it is written.

    Raises
    ------
    OutputError
        As `write_plink`.

    Cost: O(n m), temporaries of some bytes for each genotype of a block.
    """
    targets = [Path(f"{os.fspath(prefix)}.{extension}") for extension in ("bed", "bim", "fam")]
    partial = [private_name(target.parent) for target in targets]
    try:
        mode = usual_mode(targets[0].parent)
        with open_private(partial[0]) as bed:
            write_bed(bed, blocks, samples, variants, name=os.fspath(prefix))
        for path, text in zip(partial[1:], (bim_text(variants), fam_text(samples)), strict=True):
            with open_private(path) as handle:
                handle.write(text)
        for source, target in zip(partial, targets, strict=True):
            give_mode(source, mode)
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


def write_bed(
    handle: BinaryIO,
    blocks: Iterable[NDArray[np.generic]],
    samples: SampleTable,
    variants: VariantTable,
    *,
    name: str = "the genotypes",
) -> None:
    """Write the content of a .bed file from consecutive blocks; see `write_plink_blocks`.

    Raises
    ------
    OutputError
        If a dosage cannot be written, or the blocks do not fit the tables; ``name`` is theirs.
    """
    handle.write(BED_MAGIC)
    written = 0
    for block in blocks:
        _check_shape(name, (len(block), len(variants)), samples, variants)
        handle.write(_pack(block, written).tobytes())
        written += block.shape[1]
    _check_shape(name, (len(samples), written), samples, variants)


def bim_text(variants: VariantTable) -> bytes:
    """The content of a .bim file, genetic positions 0."""
    return _text(_bim_lines(variants))


def fam_text(samples: SampleTable) -> bytes:
    """The content of a .fam file, sex, parents and trait unknown."""
    return _text(_fam_lines(samples))


def _check_shape(
    prefix: str | os.PathLike[str],
    shape: tuple[int, ...],
    samples: SampleTable,
    variants: VariantTable,
) -> None:
    expected = (len(samples), len(variants))
    if shape != expected:
        raise OutputError(
            f"cannot write {prefix}: the dosages have shape {shape}, the tables list "
            f"{expected[0]} samples and {expected[1]} variants; they must agree"
        )


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


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
