"""Every code and every status has an explanation, and the command shows it."""

import pytest

from nextlmm import errors
from nextlmm.assoc import scan
from nextlmm.cli.main import main
from nextlmm.errors import NextlmmError
from nextlmm.report.codes import EXPLANATIONS

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, NextlmmError)
]


def test_every_code_and_status_is_explained_and_nothing_else():
    statuses = [scan.OK, scan.MONOMORPHIC, scan.ALL_MISSING, scan.COLLINEAR]
    codes = [kind.code for kind in KINDS]
    assert set(EXPLANATIONS) == {*codes, *statuses}
    assert len(set(codes)) == len(codes)


def test_no_code_of_an_error_is_inherited():
    assert all("code" in vars(kind) for kind in KINDS)


def test_explain__lists_all(capsys):
    assert main(["explain"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == list(EXPLANATIONS)


@pytest.mark.parametrize("code", ["E320", "e320", "Monomorphic"])
def test_explain__shows_one(capsys, code):
    assert main(["explain", code]) == 0
    shown = capsys.readouterr().out
    assert shown.casefold().startswith(code.casefold())
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_explain__of_what_there_is_not(capsys):
    assert main(["explain", "monomorfic"]) == 2
    assert "did you mean monomorphic?" in capsys.readouterr().err
    assert main(["explain", "zzz"]) == 2
    assert "nextlmm explain lists all" in capsys.readouterr().err


def test_failures_name_their_code(capsys, tmp_path):
    missing = str(tmp_path / "no")
    out = str(tmp_path / "out")
    assert main(["gwas", "--bfile", missing, "--pheno", missing, "--out", out]) == 3
    assert capsys.readouterr().err.endswith("; check the spelling of the path. [E310]\n")
