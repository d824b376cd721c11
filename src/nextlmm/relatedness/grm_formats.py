"""Names of the formats that relationship matrices are written in.

Light, so that options can be checked before any numerical library is loaded.
"""

from typing import Literal

GrmFormat = Literal["gcta", "gcta-gz", "gcta-sparse", "plink2", "plink2-text", "gemma", "npy"]
"""What ``nextlmm grm --format`` may be."""

_ENDS: dict[GrmFormat, tuple[str, ...]] = {
    "gcta": (".grm.bin", ".grm.N.bin", ".grm.id"),
    "gcta-gz": (".grm.gz", ".grm.id"),
    "gcta-sparse": (".grm.sp", ".grm.id"),
    "plink2": (".rel.bin", ".rel.id"),
    "plink2-text": (".rel", ".rel.id"),
    "npy": (".npy", ".id"),
}
_GEMMA = {True: (".sXX.txt", ".sXX.id"), False: (".cXX.txt", ".cXX.id")}


def file_ends(kind: GrmFormat, *, is_standardized: bool) -> tuple[str, ...]:
    """The ends of the files of a format, the matrix first; GEMMA's tell how it was weighted."""
    return _GEMMA[is_standardized] if kind == "gemma" else _ENDS[kind]
