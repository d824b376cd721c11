"""Bringing options to one form, and refusing what cannot be carried out, in one sentence."""

import difflib
import math
import operator
import os
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nextlmm.cluster.address import parse_cluster
from nextlmm.errors import UsageError
from nextlmm.genotype.kinds import Kind, check_companions, kind_of
from nextlmm.relatedness.grm_pattern import is_pattern
from nextlmm.relatedness.prune_rule import parse_pruning

if TYPE_CHECKING:
    from nextlmm.run.options import GwasOptions

Choice = TypeVar("Choice", bound=str)
_MOST_CHROMOSOMES = 100_000  # scaffolds are many
_LONGEST_RANGE = 200  # characters; Python refuses to read numbers of thousands of digits
GENOTYPES: dict[str, Kind | None] = {
    "bfile": None,
    "pfile": "pgen",
    "bgen": "bgen",
    "vcf": "vcf",
    "zarr": "zarr",
    "bimbam": "bimbam",
}
"""The options that name genotypes, of which a run has one, and their formats, None if any."""


def split_names(option: str, given: Sequence[str], columns: Collection[str]) -> tuple[str, ...]:
    """Names of columns: what ``columns`` does not hold as it stands is split at its commas.

    PC1-PC3, as PLINK has it, are all columns from PC1 to PC3 in the order of the file, and PC{1:3},
    as REGENIE has it, are PC1, PC2 and PC3.

    Raises
    ------
    UsageError
        If a column is named twice.
    """
    parts = [
        name for text in given for name in ([text] if text in columns else text.split(",")) if name
    ]
    return name_tuple(option, [name for part in parts for name in _range(part, list(columns))])


def _range(text: str, columns: list[str]) -> list[str]:
    """The columns that a range names; a text that is none is one name."""
    if text in columns:
        return [text]
    braces = re.fullmatch(r"(.*)\{(\d+):(\d+)\}(.*)", text)
    if braces and len(text) <= _LONGEST_RANGE:
        before, first, last, after = braces.groups()
        numbers = range(int(first), min(int(last), int(first) + len(columns)) + 1)
        return [f"{before}{number}{after}" for number in numbers] or [text]
    for dash in re.finditer("-", text):
        ends = text[: dash.start()], text[dash.end() :]
        if all(end in columns for end in ends):
            first_at, last_at = (columns.index(end) for end in ends)
            return columns[first_at : last_at + 1] or [text]
    return [text]


def chosen_chromosomes(text: str | None) -> tuple[str, ...] | None:
    """Names of chromosomes, from a list with ranges as in 1-5,X; None for all.

    Raises
    ------
    UsageError
        If a range does not rise.
    """
    if text is None:
        return None
    names: list[str] = []
    for part in filter(None, text.replace(",", " ").split()):
        first, dash, last = part.partition("-")
        if not (dash and first.isdecimal() and last.isdecimal()):
            names.append(part)
        elif len(part) > _LONGEST_RANGE or int(last) - int(first) >= _MOST_CHROMOSOMES:
            raise UsageError(
                f"Option chr has the range {part[:40]}, which is of more than "
                f"{_MOST_CHROMOSOMES:,} chromosomes; write a smaller one."
            )
        elif int(first) > int(last):
            raise UsageError(f"Option chr has the range {part}; write the smaller number first.")
        else:
            names += [str(number) for number in range(int(first), int(last) + 1)]
    if not names:
        raise UsageError(f"Option chr is {text!r}, but it must name a chromosome.")
    return tuple(names)


def option_name(name: str) -> str:
    """An option in a sentence, for readers who typed a flag and readers who wrote a keyword."""
    return f"Option {name.replace('_', '-')}"


def checked_path(name: str, value: object) -> str | None:
    """A path as text; None where an option may be left out and is."""
    if value is None and name not in ("pheno", "out"):
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise UsageError(
            f"{option_name(name)} is {value!r}, but it must be the name of a file or a prefix."
        )
    return str(os.fspath(value))


def name_tuple(name: str, value: str | Sequence[str]) -> tuple[str, ...]:
    """Names, each once; a text is one name."""
    names = (value,) if isinstance(value, str) else tuple(value)
    seen: set[str] = set()
    for item in names:
        if not isinstance(item, str) or not item:
            raise UsageError(
                f"{option_name(name)} holds {item!r}, but every entry must be a column name."
            )
        if item in seen:
            raise UsageError(f"{option_name(name)} names {item!r} twice; give every column once.")
        seen.add(item)
    return names


def listed_choices(
    name: str, value: str | Sequence[str], choices: tuple[Choice, ...]
) -> tuple[Choice, ...]:
    """Several of the choices, each once; a text may hold some of them, between commas."""
    given = (value,) if isinstance(value, str) else value
    names = name_tuple(name, [part for text in given for part in text.split(",") if part])
    for part in names:
        check_choice(name, part, choices)
    return cast("tuple[Choice, ...]", names)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of the choices, and name the nearest."""
    if value in choices:
        return
    nearest = difflib.get_close_matches(str(value), choices, n=1)
    hint = f"; did you mean {nearest[0]}" if nearest else ""
    raise UsageError(
        f"{option_name(name)} is {value!r}, but it must be one of {', '.join(choices)}{hint}."
    )


def check_numbers(options: "GwasOptions") -> None:
    """Refuse numbers out of their ranges, and bring the others to one type."""
    _check_real(options, "hit_threshold", "above 0 and below 1", lambda x: 0 < x < 1)
    _check_real(options, "z_tolerance", "above 0 and at most 0.1", lambda x: 0 < x <= 0.1)
    _check_real(options, "memory", "above 0", lambda x: x > 0)
    _check_real(options, "kl_tolerance", "above 0", lambda x: x > 0)
    _check_real(options, "maf", "between 0 and 0.5", lambda x: 0 <= x <= 0.5)
    _check_real(options, "hwe", "between 0 and 1", lambda x: 0 <= x <= 1)
    _check_real(options, "mac", "of at least 0", lambda x: x >= 0)
    _check_real(options, "max_missing", "between 0 and 1", lambda x: 0 <= x <= 1)
    _check_real(options, "checkpoint_after", "of at least 0", lambda x: x >= 0)
    _check_integer(options, "rank", 0)
    _check_integer(options, "leaf_size", 1)
    _check_integer(options, "threads", 1)
    _check_integer(options, "seed", 0)


def _check_real(options: object, name: str, allowed: str, accept: Any) -> None:
    value = getattr(options, name)
    if value is None:
        return
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and accept(number)):
        raise UsageError(f"{option_name(name)} is {value!r}, but it must be a number {allowed}.")
    object.__setattr__(options, name, number)


def _check_integer(options: object, name: str, lowest: int) -> None:
    value = getattr(options, name)
    if value is None:
        return
    try:
        number = operator.index(value)
    except TypeError:
        number = lowest - 1
    if number < lowest or isinstance(value, bool):
        raise UsageError(
            f"{option_name(name)} is {value!r}, but it must be a whole number of at least {lowest}."
        )
    object.__setattr__(options, name, number)


check_real, check_integer = _check_real, _check_integer  # for the options of every command


def check_genotypes(options: "GwasOptions") -> None:
    """Refuse no genotypes, those of two files, and options of a format that they are not in."""
    given = [name for name in GENOTYPES if getattr(options, name) is not None]
    if not given:
        raise UsageError(
            f"No genotypes were named; name them by one of the options {', '.join(GENOTYPES)}."
        )
    if len(given) > 1:
        raise UsageError(f"Options {' and '.join(given)} both name genotypes; give one.")
    path, kind = options.genotypes
    has = {name: getattr(options, name) is not None for name in ("sample", "annotation")}
    check_companions(path, kind or kind_of(path), **has)


def check_matrix(options: "GwasOptions") -> None:
    """Refuse a given matrix with what cannot be had of it, and its samples without it."""
    names = ("grm", "pedigree", "grm_bfile", "grm_extract", "grm_prune")
    given = [name for name in names if getattr(options, name) is not None]
    matrices = [name for name in given if name in ("grm", "pedigree")]
    if matrices and len(given) > 1:
        first, second = (name.replace("_", "-") for name in given[:2])
        raise UsageError(f"Options {first} and {second} both say what the matrix is; give one.")
    is_set = options.grm is not None and is_pattern(options.grm)
    if matrices and options.loco and not is_set:
        raise UsageError(
            f"{option_name(given[0])} gives one matrix for all chromosomes, and LOCO needs one "
            "without each of them; turn LOCO off by --no-loco (loco=False in Python), or give a "
            "matrix for each chromosome (--grm results/cohort.chr@, made by nextlmm grm "
            "--per-chromosome)."
        )
    if is_set and options.grm_id is not None:
        raise UsageError(
            "Option grm-id lists the samples of one matrix, but option grm names one for each "
            "chromosome, each with a .grm.id file of its own; leave grm-id out."
        )
    if options.grm_prune is not None:
        parse_pruning(options.grm_prune)
    if options.grm_id is not None and options.grm is None:
        raise UsageError("Option grm-id lists the samples of a matrix; name that by option grm.")


def check_combinations(options: "GwasOptions") -> None:
    """Refuse options that contradict each other."""
    if options.mode == "hodlr" and options.per_variant_h2 == "always":
        raise UsageError(
            "Option per-variant-h2 'always' needs the exact matrix, because every variant has its "
            "own covariance; choose mode 'dense', or per-variant-h2 'hits'."
        )
    if options.per_variant_h2 == "always" and options.route not in ("auto", "dense"):
        raise UsageError(
            f"Option per-variant-h2 'always' needs the eigenvectors of a square matrix, but the "
            f"route is {options.route!r}; choose route 'dense', or per-variant-h2 'hits'."
        )
    if options.method == "he" and options.per_variant_h2 != "never":
        raise UsageError(
            f"Option per-variant-h2 {options.per_variant_h2!r} re-estimates the heritability by "
            "likelihood, but method 'he' estimates it by regression; choose method 'reml' or 'ml'."
        )
    if options.loco_h2 == "per-chromosome" and not options.loco:
        raise UsageError(
            "Option loco-h2 'per-chromosome' needs one matrix per chromosome, but LOCO is turned "
            "off and there is a single one; leave one of the two options out."
        )
    if options.order is not None and options.relatives is not None:
        raise UsageError(
            "Options order and relatives both say how the samples are to be arranged; give one."
        )
    _check_covariates(options)
    check_part(options.part)
    _check_cluster(options)
    chosen_chromosomes(options.chr)
    if os.path.basename(options.out) in ("", ".", ".."):
        raise UsageError(
            f"Option out is {options.out!r}, which is a folder; give a prefix for the files in it, "
            f"such as {os.path.join(options.out, 'gwas')}."
        )


def check_part(text: str | None) -> tuple[int, int] | None:
    """The number of a part and how many there are, from a text such as 3/20; None for no part.

    Raises
    ------
    UsageError
        If the text is not of that form.
    """
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text) if isinstance(text, str) else None
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of:
        raise UsageError(
            f"Option part is {text!r}, but it must be the number of a part and how many there are, "
            "from 1/20 to 20/20."
        )
    return number, of


def _check_cluster(options: "GwasOptions") -> None:
    """Refuse a cluster that is none, and what leaves it nothing to do."""
    if options.cluster is None:
        return
    if not isinstance(options.cluster, str):
        raise UsageError(f"Option cluster is {options.cluster!r}, but it must be a text.")
    parse_cluster(options.cluster)
    if options.part is not None:
        raise UsageError(
            "Option part makes a run one of many that know nothing of each other, and option "
            "cluster one that many workers share; leave one of the two out."
        )
    square = {
        "mode 'dense'": options.mode == "dense",
        "route 'dense'": options.route == "dense",
        "per-variant-h2 'always'": options.per_variant_h2 == "always",
        "grm": options.grm is not None,
        "pedigree": options.pedigree is not None,
    }
    for name, is_given in square.items():
        if is_given:
            raise UsageError(
                f"Option cluster has workers multiply the genotypes, but option {name} asks for a "
                "square matrix, which one process works with; leave one of the two out."
            )


def _check_covariates(options: "GwasOptions") -> None:
    """Refuse covariates that are chosen without a file of them, or in two ways."""
    formula = options.covar_formula
    if not isinstance(formula, str | None):
        raise UsageError(
            f"Option covar-formula is {formula!r}, but it must be a text such as 'age + sex'."
        )
    named = [name for name in ("covar_name", "cat_covar") if getattr(options, name)]
    for name in [*named, *(() if formula is None else ("covar_formula",))]:
        if options.covar is None:
            raise UsageError(
                f"{option_name(name)} chooses columns of a covariate file, but there is none; name "
                "the file by the option covar."
            )
    if named and formula is not None:
        raise UsageError(
            f"Options covar-formula and {named[0].replace('_', '-')} both choose covariates; write "
            "all of them in the formula, categories of numbers as C(name)."
        )
