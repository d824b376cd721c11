import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextlmm.cli.app import build_app
from nextlmm.errors import UsageError
from nextlmm.run.option_checks import split_names
from nextlmm.run.options import GwasOptions


def make(**changes: Any) -> GwasOptions:
    return GwasOptions(**{"bfile": "cohort", "pheno": "traits.txt", "out": "result", **changes})


def parse(*arguments: str) -> GwasOptions:
    """What the command line makes of ``arguments``, without running anything."""
    command, bound, _ = build_app().parse_args(
        ["gwas", *arguments], exit_on_error=False, print_error=False
    )
    del command
    options = bound.arguments["options"]
    assert isinstance(options, GwasOptions)
    return options


def test_every_field_is_documented_once() -> None:
    doc = GwasOptions.__doc__ or ""
    for field in fields(GwasOptions):
        assert len(re.findall(rf"^    {field.name}$", doc, flags=re.MULTILINE)) == 1


def test_paths_may_be_path_objects(tmp_path: Path) -> None:
    options = make(bfile=tmp_path / "cohort", keep=tmp_path / "keep.txt")
    assert options.bfile == str(tmp_path / "cohort")
    assert options.keep == str(tmp_path / "keep.txt")


def test_a_single_trait_may_be_a_string() -> None:
    assert make(trait="height").trait == ("height",)
    assert make(trait=["height", "noise"]).trait == ("height", "noise")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, []),
        ({"mode": "hodlr", "rank": 8, "kl_tolerance": 0.1}, []),
        ({"mode": "hodlr", "route": "plain"}, ["route"]),
        ({"rank": 8, "kl_tolerance": 0.1}, ["rank", "kl-tolerance"]),
        ({"route": "hodlr"}, []),
        ({"mode": "dense"}, []),
        ({"mode": "dense", "rank": 8, "kl_tolerance": 0.1}, ["rank", "kl-tolerance"]),
    ],
)
def test_without_effect__names_what_a_mode_ignores(
    changes: dict[str, Any], names: list[str]
) -> None:
    sentences = make(**changes).without_effect
    assert [sentence.split()[1] for sentence in sentences] == names


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bfile": ""}, "Option bfile is ''"),
        ({"bfile": None}, "No genotypes were named"),
        ({"keep": 3}, "Option keep is 3"),
        ({"trait": ("a", "a")}, "Option trait names 'a' twice"),
        ({"trait": ("",)}, "Option trait holds ''"),
        ({"mode": "dens"}, "one of exact, hodlr, dense; did you mean dense"),
        ({"mode": 3}, "Option mode is 3"),
        ({"test": "Wald"}, "Option test is 'Wald'"),
        ({"hit_threshold": 0}, "above 0 and below 1"),
        ({"hit_threshold": 1.0}, "above 0 and below 1"),
        ({"kl_tolerance": 0.0}, "Option kl-tolerance is 0.0"),
        ({"kl_tolerance": float("nan")}, "Option kl-tolerance is nan"),
        ({"kl_tolerance": float("inf")}, "Option kl-tolerance is inf"),
        ({"maf": 0.6}, "between 0 and 0.5"),
        ({"maf": "a"}, "Option maf is 'a'"),
        ({"max_missing": -0.1}, "Option max-missing is -0.1"),
        ({"rank": -1}, "at least 0"),
        ({"rank": 1.5}, "whole number"),
        ({"rank": True}, "whole number"),
        ({"leaf_size": 0}, "Option leaf-size is 0"),
        ({"threads": 0}, "Option threads is 0"),
        ({"seed": -1}, "Option seed is -1"),
        ({"per_variant_h2": "always", "mode": "hodlr"}, "mode 'dense'"),
        ({"per_variant_h2": "always", "route": "plain"}, "route 'dense'"),
        ({"z_tolerance": 0.0}, "Option z-tolerance is 0.0"),
        ({"memory": 0}, "Option memory is 0"),
        ({"per_variant_h2": "hits", "method": "he"}, "method 'reml'"),
        ({"loco": False, "loco_h2": "per-chromosome"}, "LOCO is turned off"),
        ({"covar_name": "age"}, "by the option covar"),
        ({"out": "results/"}, "results/gwas"),
        ({"out": "."}, "which is a folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(**changes)
    sentence = str(caught.value)
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_allowed_combinations() -> None:
    assert make(per_variant_h2="always", mode="dense").per_variant_h2 == "always"
    assert make(per_variant_h2="hits").per_variant_h2 == "hits"
    assert make(rank=0).rank == 0


def test_flags_reach_their_fields() -> None:
    options = parse(
        *("--bfile", "b", "--pheno", "p", "--out", "o", "--trait", "t1", "t2"),
        *("--covar", "c", "--covar-name", "age,sex", "--mode", "dense", "--no-loco"),
        *("--grm-weighting", "centered", "--test", "lrt", "--method", "ml"),
        *("--per-variant-h2", "always", "--hit-threshold", "1e-6", "--leaf-size", "64"),
        *("--threads", "3", "--seed", "9", "--maf", "0.01", "--max-missing", "0.1"),
        *("--keep", "k", "--remove", "r", "--extract", "e", "--exclude", "x", "--no-plots"),
    )
    assert options == GwasOptions(
        bfile="b",
        pheno="p",
        out="o",
        trait=("t1", "t2"),
        covar="c",
        covar_name=("age,sex",),
        mode="dense",
        loco=False,
        grm_weighting="centered",
        test="lrt",
        method="ml",
        per_variant_h2="always",
        hit_threshold=1e-6,
        leaf_size=64,
        threads=3,
        seed=9,
        maf=0.01,
        max_missing=0.1,
        keep="k",
        remove="r",
        extract="e",
        exclude="x",
        plots=False,
    )


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("--bed", "bfile"),
        ("--phenoFile", "pheno"),
        ("-o", "out"),
        ("--covarFile", "covar"),
        ("--pheno-name", "trait"),
        ("--phenoCol", "trait"),
        ("--phenoColList", "trait"),
        ("--geno", "max_missing"),
    ],
)
def test_names_people_type_by_habit(alias: str, name: str) -> None:
    given = {"bfile": "--bfile", "pheno": "--pheno", "out": "--out"}
    required = [part for field, flag in given.items() if field != name for part in (flag, "x")]
    value = getattr(parse(*required, alias, "0.5"), name)
    assert value in ("0.5", ("0.5",), 0.5)


def test_names_may_be_repeated_or_separated() -> None:
    base = ("--bfile", "b", "--pheno", "p", "--out", "o")
    for form in (("--trait", "a", "b"), ("--trait", "a,b"), ("--trait", "a", "--trait", "b")):
        given = parse(*base, *form).trait
        assert split_names("trait", given, ["a", "b", "c"]) == ("a", "b")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("PC1-PC3", ("PC1", "PC2", "PC3")),
        ("age,PC2-PC3", ("age", "PC2", "PC3")),
        ("PC{1:3}", ("PC1", "PC2", "PC3")),
        ("PC{2:2},age", ("PC2", "age")),
        ("a-b", ("a-b",)),
        ("a-b-a-b", ("a-b",)),
        ("PC1-age", ("PC1", "PC2", "PC3", "a-b", "age")),
        ("age-PC1", ("age-PC1",)),
        ("PC3-PC4", ("PC3-PC4",)),
        ("PC{3:1}", ("PC{3:1}",)),
    ],
)
def test_split_names__ranges_of_columns(given: str, names: tuple[str, ...]) -> None:
    columns = ("PC1", "PC2", "PC3", "a-b", "age")
    assert split_names("covar_name", (given,), columns) == names


def test_split_names__a_range_of_columns_that_are_not_there_is_short() -> None:
    names = split_names("covar_name", ("PC{1:1000000000000}",), ("PC1", "PC2"))
    assert names == ("PC1", "PC2", "PC3")


def test_split_names__a_column_may_have_a_comma_in_its_name() -> None:
    columns = ["a", "b", "a,b", "leaf area, mm2"]
    assert split_names("trait", ("leaf area, mm2",), columns) == ("leaf area, mm2",)
    assert split_names("trait", ("a,b", "b,a"), columns) == ("a,b", "b", "a")
    assert split_names("trait", ("x,y",), columns) == ("x", "y")
    with pytest.raises(UsageError, match="Option trait names 'b' twice"):
        split_names("trait", ("b", "b,a"), columns)


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda name: name.strip(" ./") != ""
)


@given(
    out=text.filter(lambda name: not name.endswith(("/", "/.", "/.."))),
    traits=st.lists(text, unique=True, max_size=3),
    numbers=st.tuples(st.floats(1e-300, 0.99), st.floats(0, 0.5), st.none() | st.integers(0, 999)),
    loco=st.booleans(),
)
def test_to_command__parses_back_to_the_same_options(
    out: str,
    traits: list[str],
    numbers: tuple[float, float, int | None],
    loco: bool,
) -> None:
    threshold, maf, rank = numbers
    options = make(
        out=out, trait=traits, hit_threshold=threshold, maf=maf, rank=rank, loco=loco, plots=loco
    )
    assert parse(*options.to_arguments()) == options


@pytest.mark.parametrize("traits", [("-h",), ("height", "--loco"), ("-1",), ("a,b",)])
def test_to_command__names_that_look_like_something_else(traits: tuple[str, ...]) -> None:
    options = make(trait=traits, covar="-c.txt", covar_name=("-",))
    assert parse(*options.to_arguments()) == options


def test_to_command__quotes_for_a_shell() -> None:
    assert make(bfile="my data").to_command() == (
        "nextlmm gwas --bfile 'my data' --pheno traits.txt --out result"
    )


def test_to_dict__is_complete_and_knows_only_json() -> None:
    values = make(trait="height").to_dict()
    of_the_way = {"resume", "part"}
    assert set(values) == {field.name for field in fields(GwasOptions)} - of_the_way
    assert values["trait"] == ["height"]
    assert values["seed"] == 0
