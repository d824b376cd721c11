"""Runs FaST-LMM's single_snp in a Python of its own: genotypes, traits, trait, result, covariates.

It is started by that Python, so it imports nothing of the suite.
"""

import sys

import numpy as np
from fastlmm.association import single_snp
from pysnptools.snpreader import Bed, SnpData


def _table(path: str, columns: slice) -> SnpData:
    """Some columns of a table of FID, IID and numbers, with a header."""
    with open(path, encoding="utf-8") as lines:
        header, *rows = [line.split() for line in lines]
    kept = [row for row in rows if "NA" not in row[2:][columns]]
    values = np.array([[float(value) for value in row[2:][columns]] for row in kept])
    return SnpData(iid=[row[:2] for row in kept], sid=header[2:][columns], val=values)


def main() -> None:
    genotypes, traits, trait, result, *covariates = sys.argv[1:]
    with open(traits, encoding="utf-8") as lines:
        place = lines.readline().split()[2:].index(trait)
    single_snp(
        test_snps=Bed(genotypes, count_A1=True),
        pheno=_table(traits, slice(place, place + 1)),
        covar=_table(covariates[0], slice(None)) if covariates else None,
        output_file_name=result,
        count_A1=True,
    )


if __name__ == "__main__":
    main()
