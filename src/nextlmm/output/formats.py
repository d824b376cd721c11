"""Names of the formats that results and plots can be written in; light, for the options."""

from typing import Literal

OutFormat = Literal[
    "regenie",
    "plink2",
    "gemma",
    "fastgwa",
    "saige",
    "cojo",
    "ldsc",
    "pheweb",
    "gwas-ssf",
    "gwas-vcf",
    "parquet",
]

PlotFormat = Literal["png", "pdf", "svg"]
