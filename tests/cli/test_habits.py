"""Options of other programs."""

import pytest

from nextlmm.cli.app import _flags, build_app
from nextlmm.cli.habits import INSTEAD

FLAGS = set(_flags(build_app(), ("gwas",)))


def test_no_habit_is_an_option_of_ours() -> None:
    assert FLAGS.isdisjoint(INSTEAD)


@pytest.mark.parametrize("option", sorted(INSTEAD))
def test_what_to_do_instead_names_options_that_there_are(option: str) -> None:
    named = [word.strip(",:") for word in INSTEAD[option].split() if word.startswith("--")]
    assert set(named) <= FLAGS


@pytest.mark.parametrize(
    "option",
    [
        *("--bfile", "--pfile", "--bgen", "--vcf", "--pheno", "--pheno-name", "--covar"),
        *("--covar-name", "--maf", "--mac", "--geno", "--hwe", "--keep", "--remove"),  # PLINK
        *("--bed", "--pgen", "--phenoFile", "--phenoCol", "--phenoColList", "--covarFile"),
        *("--covarCol", "--covarColList", "--catCovarList", "--apply-rint", "--minMAC"),
        *("--chrList", "--sample"),  # REGENIE
        *("--grm", "--thread-num", "--chr", "--extract", "--exclude"),  # GCTA
        *("--numThreads", "--minMAF"),  # BOLT-LMM, SAIGE
    ],
)
def test_options_that_mean_the_same_elsewhere(option: str) -> None:
    assert option in FLAGS
