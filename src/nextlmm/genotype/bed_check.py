"""Checks that a .bed file is PLINK 1 data of the size that its .bim and .fam files call for."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.genotype.conversion import what_exists_instead
from nextlmm.genotype.textfile import missing_file, refuse_pipe

BED_HEADER_BYTES = 3
_VARIANT_MAJOR = b"\x6c\x1b\x01"
_SAMPLE_MAJOR = b"\x6c\x1b\x00"
_OLD_HEADER_BYTES = 1  # of PLINK 0.99, where 1 is variant by variant and 0 sample by sample
_TAKE_ALL = "take all three files from the same place"
_PGEN, _GZIP, _MARKUP = b"\x6c\x1b", b"\x1f\x8b", b"<"
_KNOWN_STARTS = (_PGEN, _GZIP, _MARKUP)
_PLINK_EXTENSIONS = (".bed", ".bim", ".fam")
_OTHER_FORMATS = (".pgen", ".bgen", ".vcf", ".vcf.gz", ".bcf")


@dataclass(frozen=True)
class BedLayout:
    """Bytes before the genotypes, and whether these are sample by sample."""

    header_bytes: int
    is_by_sample: bool


STANDARD = BedLayout(BED_HEADER_BYTES, is_by_sample=False)


def plink_paths(path: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Paths of the .bed, .bim and .fam files for a prefix or for one of the three paths."""
    prefix = os.fspath(path)
    for extension in _PLINK_EXTENSIONS:
        if prefix.endswith(extension) and Path(prefix).is_file():
            prefix = prefix.removesuffix(extension)
            break
    bed, bim, fam = (Path(prefix + extension) for extension in _PLINK_EXTENSIONS)
    return bed, bim, fam


def check_present(path: Path) -> None:
    """Raise a MissingFileError if one of the three files cannot be opened.

    The sentence mentions a file of another format or another prefix that does exist.
    """
    refuse_pipe(path)
    try:
        with path.open("rb"):
            return
    except FileNotFoundError as error:
        raise MissingFileError(f"{path} does not exist; {_what_exists(path)}") from error
    except OSError as error:
        raise missing_file(path, error) from error


def _what_exists(path: Path) -> str:
    """What the user may have meant."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}: check the spelling of the path"
    prefix = path.with_name(path.name.removesuffix(path.suffix))
    for extension in _OTHER_FORMATS:
        for other in (Path(f"{prefix}{extension}"), prefix):
            if other.name.endswith(extension) and other.is_file():
                return f"{other} does: name it {_how_to_name(other, extension)}"
    conversion = what_exists_instead(prefix)
    if conversion is not None:
        return conversion
    siblings = [e for e in _PLINK_EXTENSIONS if Path(f"{prefix}{e}").is_file()]
    if siblings:
        return (
            f"{prefix}{siblings[0]} does, and the .bed, .bim and .fam files must lie together: "
            "copy the missing one beside it"
        )
    others = sorted(file.name.removesuffix(".bed") for file in path.parent.glob("*.bed"))
    if others:
        return (
            f"the folder {path.parent} holds {_some(others)}: give the path without extension, "
            f"for instance {path.parent / others[0]}"
        )
    return f"the folder {path.parent} holds no .bed file: check the spelling of the path"


def _how_to_name(path: Path, extension: str) -> str:
    if extension == ".pgen":
        return f"by --pfile {path.with_suffix('')}"
    if extension == ".bgen":
        return f"by --bgen {path}"
    return f"by --vcf {path}"


def _some(names: list[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def check_bed(path: Path, n_samples: int, n_variants: int) -> BedLayout:
    """Check the first three bytes and the size of a .bed file, and tell its layout.

    A file without a header, as PLINK had them before 0.99, is sample by sample.  It is taken for
    one if its size is that of such a file and of no other, and if the genotypes that fill up the
    last byte of each sample are 0.

    Raises
    ------
    MissingFileError
        If the file cannot be read.
    FormatError
        If it is not PLINK 1 data for that many samples and variants; the sentence says what it
        seems to be instead.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise missing_file(path, error) from error
    by_variant, by_sample = n_variants * -(-n_samples // 4), n_samples * -(-n_variants // 4)
    if start[:1] == b"\1" and size == _OLD_HEADER_BYTES + by_variant:
        return BedLayout(_OLD_HEADER_BYTES, is_by_sample=False)
    if start[:1] == b"\0" and size == _OLD_HEADER_BYTES + by_sample:
        return BedLayout(_OLD_HEADER_BYTES, is_by_sample=True)
    if _is_headerless(path, start, size, n_samples, n_variants):
        return BedLayout(0, is_by_sample=True)
    is_by_sample = start.startswith(_SAMPLE_MAJOR)
    expected = BED_HEADER_BYTES + (by_sample if is_by_sample else by_variant)
    if not is_by_sample and not start.startswith(_VARIANT_MAJOR):
        raise FormatError(f"{path} {_wrong_start(start, size, n_samples, n_variants)}")
    if size != expected:
        raise FormatError(
            f"{path} has {size:,} bytes; expected {expected:,} bytes for the {n_samples:,} samples "
            f"of the .fam file and the {n_variants:,} variants of the .bim file: "
            f"{_wrong_size(size, n_samples, n_variants) if not is_by_sample else _TAKE_ALL}"
        )
    return BedLayout(BED_HEADER_BYTES, is_by_sample)


def _is_headerless(path: Path, start: bytes, size: int, n_samples: int, n_variants: int) -> bool:
    """Whether a file can be nothing but genotypes sample by sample without a header."""
    by_variant, by_sample = n_variants * -(-n_samples // 4), n_samples * -(-n_variants // 4)
    headers = (0, _OLD_HEADER_BYTES, BED_HEADER_BYTES)
    others = {header + by_variant for header in headers}
    if size != by_sample or size in others or start.startswith(_KNOWN_STARTS):
        return False
    used = n_variants % 4
    if not used:
        return True
    last = np.fromfile(path, np.uint8).reshape(n_samples, -1)[:, -1]
    return not (last >> (2 * used)).any()


def _wrong_start(start: bytes, size: int, n_samples: int, n_variants: int) -> str:
    """What a file is that does not begin as a variant-major .bed file does."""
    wanted = "expected the bytes 6c 1b 01 of a PLINK 1 .bed file"
    expected = BED_HEADER_BYTES + n_variants * -(-n_samples // 4)
    by_variant, by_sample = n_variants * -(-n_samples // 4), n_samples * -(-n_variants // 4)
    if not start:
        return (
            f"is empty (0 bytes); expected {expected:,} bytes: the program that wrote it failed or "
            "the copy did; make or copy it again"
        )
    begins = f"begins with the bytes {start[:3].hex(' ')}; {wanted}"
    if start.lstrip().startswith(_MARKUP):
        return f"{begins}: it is a web page, probably an error page; download the file again"
    if start.startswith(_GZIP):
        return f"{begins}: it is gzip-compressed; unpack it with gunzip first"
    if start.startswith(_PGEN):
        return f"{begins}: it is a PLINK 2 .pgen file; name it by --pfile"
    if size in (by_variant, by_sample):
        return (
            f"{begins}: its {size:,} bytes fit genotypes without any header, but not only those "
            "sample by sample that the first versions of PLINK wrote, or its last bits are not "
            "empty; copy it again, or rewrite it with plink --make-bed"
        )
    return f"{begins}: it is of another format or damaged; check that the right file is named"


def _wrong_size(size: int, n_samples: int, n_variants: int) -> str:
    """What the size of a .bed file says about its cause."""
    body, per_variant = size - BED_HEADER_BYTES, -(-n_samples // 4)
    quads, rest = divmod(body, n_variants)
    if quads and not rest and quads != per_variant:
        return (
            f"its size fits {4 * quads - 3:,} to {4 * quads:,} samples, so the .fam file is "
            "probably not the one it was written with; take all three files from the same place"
        )
    n_complete, rest = divmod(body, per_variant)
    if n_complete and not rest:
        return (
            f"its size fits {n_complete:,} variants, so the .bim file is probably not the one it "
            "was written with, or the .bed file was cut; take all three files from the same place"
        )
    if n_complete < n_variants:
        return (
            f"it ends inside variant {n_complete + 1:,} and is probably truncated; copy or "
            "download it again"
        )
    return "it has bytes beyond the last variant; copy or download all three files again"
