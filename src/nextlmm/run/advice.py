"""What would make the next run on the same files quicker."""

import shlex

from nextlmm.genotype.kinds import Kind, VcfField

_WORTH_SECONDS = 5.0
_FASTER = "which is read some ten times as fast"  # benchmarks/formats.py


def reading_advice(
    path: str, kind: Kind, seconds: float, *, field: VcfField = "auto", has_dosages: bool = False
) -> tuple[str, ...]:
    """Advice on genotypes that took so long to read, none where that is not worth it.

    What is parsed genotype by genotype, as text is, is parsed anew in every run.
    """
    if kind not in ("vcf", "bimbam") or seconds < _WORTH_SECONDS:
        return ()
    took = f"reading {path} took {seconds:.0f} s"
    if kind == "bimbam":
        return (f"{took}; convert it once to PLINK 2 or BGEN (--pfile, --bgen), {_FASTER}",)
    flag = "--bcf" if path.endswith(".bcf") else "--vcf"
    dosage = ""
    if has_dosages:
        dosage = f" dosage={field}" if field != "auto" else " dosage=DS (or GP)"
    command = f"plink2 {flag} {shlex.quote(path)}{dosage} --make-pgen --out PREFIX"
    return (f"{took}; convert it once by {command}, and use --pfile PREFIX, {_FASTER}",)
