"""The formats of genotypes: how one is told, and which files go with which.

Light, so that options can be checked before any numerical library is loaded.
"""

import os
from typing import Literal

from nextlmm.errors import UsageError

Kind = Literal["bed", "pgen", "bgen", "vcf", "zarr", "bimbam"]
VcfField = Literal["auto", "DS", "GP", "GT"]

_ENDS: dict[Kind, tuple[str, ...]] = {
    "bgen": (".bgen",),
    "vcf": (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf"),
    "zarr": (".vcz", ".zarr", ".vcz.zip", ".zarr.zip"),
    "pgen": (".pgen",),
}


def kind_of(path: str) -> Kind:
    """The format by the end of a name, or by the files of which it is the prefix."""
    name = path.rstrip("/")
    for kind, ends in _ENDS.items():
        if name.endswith(ends):
            return kind
    return "pgen" if os.path.isfile(path + ".pgen") and not os.path.isfile(path + ".bed") else "bed"


def check_companions(path: str, kind: Kind, *, sample: bool, annotation: bool) -> None:
    """Refuse a list of samples or an annotation beside genotypes that have none of it.

    Raises
    ------
    UsageError
        If one of them is given and is for another format.
    """
    if sample and kind not in ("bgen", "bimbam"):
        raise UsageError(
            f"Option sample names the samples of a BGEN or BIMBAM file, but the genotypes are "
            f"{path}; leave it out."
        )
    if annotation and kind != "bimbam":
        raise UsageError(
            f"Option annotation says where the variants of a BIMBAM file are, but the genotypes "
            f"are {path}; leave it out."
        )
