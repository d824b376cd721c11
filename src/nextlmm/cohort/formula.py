"""A formula of covariates as a user types it, read and made safe: ``age + age^2 + sex:age``.

The words of a formula are column names, functions of a short list, numbers and operators, and
nothing else.  Columns get names of our own (``v0``, ``v1``, ...) before the formula library sees
the formula, so that nothing of what was typed is ever run as a program.
"""

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nextlmm.errors import UsageError
from nextlmm.genotype.digits import excerpt
from nextlmm.genotype.packages import needed_package

FUNCTIONS = ("log", "log2", "log10", "sqrt", "exp", "abs")
"""Functions of one number."""

BASES = ("scale", "center", "poly", "bs", "ns")
"""Transformations that depend on all analysed samples."""

EXTRA, LIBRARY, PURPOSE = "formula", "formulaic", "A formula of covariates"
CATEGORY, IDENTITY = "C", "I"
_ALLOWED = (*FUNCTIONS, *BASES, CATEGORY, IDENTITY)
_CONSTANTS = ("True", "False")
_LARGEST_POWER, _LARGEST_ARGUMENT = 20, 100
_MOST_TERMS = 10_000

_WORD = re.compile(
    r"\s*(?:`(?P<quoted>[^`]+)`"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?P<name>[^\W\d][\w.]*)"
    r"|(?P<operator>\*\*|[-+*/:^(),=]))"
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class CovariateFormula:
    """What a formula says, with columns by number.

    Attributes
    ----------
    text : the formula as it was typed.
    columns : names of the columns in it; the k-th stands as ``v<k>`` in ``terms``.
    is_category : for each of them whether it is named as ``C(column)``, a category.
    terms : the factors of each term, without the intercept, which is always there too.
    """

    text: str
    columns: tuple[str, ...]
    is_category: tuple[bool, ...]
    terms: tuple[tuple[str, ...], ...]

    def shown(self, expression: str) -> str:
        """An expression of ``v<k>`` with the names of the columns instead, as a user writes it."""
        named = re.sub(r"\bv(\d+)\b", lambda found: self.label(int(found[1])), expression)
        return re.sub(r"\bI\(([^() ]+|`[^`]+`) \*\* (\d+)\)", r"\1^\2", named)

    def label(self, k: int) -> str:
        """The name of column k, in backquotes where it could be read as something else."""
        name = self.columns[k]
        return name if re.fullmatch(r"[^\W\d][\w.]*", name) else f"`{name}`"


def parse_formula(text: str) -> CovariateFormula:
    """Read a formula.

    ``+`` joins terms, ``a:b`` is an interaction, ``a*b`` is ``a + b + a:b``, ``-`` takes a term
    out; ``age^2`` and ``age**2`` are the square of a number; ``C(site)`` makes categories of
    numbers, ``I(...)`` computes with columns.  Names that are not words stand in backquotes.

    Raises
    ------
    UsageError
        If the formula cannot be read, holds something that is not on the list, or has no
        intercept; or if the package that reads formulas is not installed.
    """
    library = needed_package(LIBRARY, extra=EXTRA, purpose=PURPOSE)
    words = list(_words(text.strip().removeprefix("~")))
    columns: dict[tuple[str, bool], int] = {}
    rewritten = _with_powers(_with_columns(text, words, columns), text)
    _check_size(rewritten, text)
    terms = _parsed(library, rewritten, text, columns)
    names = tuple(name for name, _ in columns)
    return CovariateFormula(text, names, tuple(is_category for _, is_category in columns), terms)


def _words(text: str) -> Iterator[tuple[str, str]]:
    """The words of a formula, each with its kind."""
    at = 0
    while text[at:].strip():
        found = _WORD.match(text, at)
        if found is None or found.lastgroup is None:
            raise UsageError(
                f"The formula '{text}' holds '{text[at:].split()[0]}', which is neither a column, "
                f"a number, an operator (+ - * / : ^) nor one of the functions {_listed()}; write "
                "names that are not words in backquotes, as in `body mass`."
            )
        at = found.end()
        yield found.lastgroup, found[found.lastgroup]


def _with_columns(
    text: str, words: list[tuple[str, str]], columns: dict[tuple[str, bool], int]
) -> list[str]:
    """The words with ``v<k>`` for each column; ``columns`` is told of them."""

    def variable(at: int, is_category: bool) -> str:
        return f"v{columns.setdefault((words[at][1], is_category), len(columns))}"

    result: list[str] = []
    at = 0
    while at < len(words):
        kind, word = words[at]
        following = words[at + 1][1] if at + 1 < len(words) else ""
        if kind == "quoted" or (kind == "name" and following not in ("(", "=")):
            is_constant = word in _CONSTANTS and kind == "name"
            result.append(word if is_constant else variable(at, False))
        elif kind == "name" and following == "(" and word not in _ALLOWED:
            raise UsageError(
                f"The formula '{text}' uses the function {word}, which is not allowed; those that "
                f"are: {_listed()}."
            )
        elif (kind, word) == ("name", CATEGORY) and following == "(":
            inner = words[at + 2 : at + 4]
            if [k for k, _ in inner] not in (["name", "operator"], ["quoted", "operator"]) or (
                inner[1][1] != ")"
            ):
                raise UsageError(
                    f"The formula '{text}' has C() with something else than the name of one column "
                    "in it; write C(site), whose categories are compared with the most frequent "
                    "one."
                )
            result.append(variable(at + 2, True))
            at += 3
        else:
            result.append("**" if word == "^" else word)
        at += 1
    return result


def _with_powers(words: list[str], text: str) -> list[str]:
    """The words with ``I(x**2)`` where a power of a number stands outside of a function."""
    result: list[str] = []
    opened: list[int] = []  # where the functions and brackets begin that are not closed
    begin, is_call = 0, False  # of the last operand
    at = 0
    while at < len(words):
        word = words[at]
        if word == "(":
            is_function = bool(result) and result[-1] in _ALLOWED
            opened.append(len(result) - 1 if is_function else len(result))
        elif word == ")" and opened:
            begin = opened.pop()
            is_call = result[begin] in _ALLOWED
        elif word == "**" and not any(result[start] in _ALLOWED for start in opened):
            power = words[at + 1] if at + 1 < len(words) else ""
            is_operand = bool(result) and (is_variable(result[-1]) or is_call)
            if not is_operand or not power.isdecimal() or not 1 <= int(power) <= _LARGEST_POWER:
                raise UsageError(
                    f"The formula '{text}' has a power that is not that of a number; write age^2 "
                    f"with a whole exponent of at most {_LARGEST_POWER}, I(age^0.5) for another, "
                    "I((a + b)^2) for the square of a sum, and a*b for columns with their "
                    "interaction."
                )
            result[begin:] = ["I(", *result[begin:], "**", power, ")"]
            at += 2
            is_call = False
            continue
        else:
            begin, is_call = len(result), False
        result.append(word)
        at += 1
    return result


def _check_size(words: list[str], text: str) -> None:
    """Refuse a formula of more terms than any model has: twenty columns with * between are 2^20."""
    try:
        # The sign of an interaction is none of Python's; one of the same rank stands for it.
        tree = ast.parse(" ".join("@" if word == ":" else word for word in words), mode="eval")
        count = _most_terms(tree.body)
    except SyntaxError:
        return  # the library says what is wrong
    except (RecursionError, MemoryError, ValueError):
        count = math.inf
    if count > _MOST_TERMS:
        raise UsageError(
            f"The formula '{excerpt(text)}' has more than {_MOST_TERMS:,} terms; write the "
            "interactions that are wanted, as in a + b + a:b."
        )


def _most_terms(node: ast.expr) -> float:
    """At most how many terms an expression stands for."""
    if not isinstance(node, ast.BinOp):
        return 1
    left, right = _most_terms(node.left), _most_terms(node.right)
    if isinstance(node.op, ast.Mult):
        return left + right + left * right
    return left * right if isinstance(node.op, ast.MatMult) else left + right


def _parsed(
    library: Any, words: list[str], text: str, columns: dict[tuple[str, bool], int]
) -> tuple[tuple[str, ...], ...]:
    """The factors of each term but the intercept, every one of them checked."""
    try:
        parser = library.parser.DefaultFormulaParser(feature_flags=set())
        # A space before every word keeps two apart, and none before a bracket makes it a call's.
        formula = "".join(f" {word}" if word[0].isalnum() else word for word in words)
        terms = parser.get_terms(formula or "1", context={})
        parts = [[factor.expr for factor in term.factors] for term in terms]
    except Exception as error:  # the library raises several kinds
        names = {f"v{k}": name for (name, _), k in columns.items()}
        said = _COLOURS.sub("", str(error)).split("\n")[0].rstrip(".")
        said = said.replace("insuffient", "insufficient")
        said = re.sub(r"\bv\d+\b", lambda found: names.get(found[0], found[0]), said)
        raise UsageError(
            f"The formula '{text}' cannot be read ({said}); write it as in age + age^2 + sex:age + "
            "C(site)."
        ) from error
    if ["1"] not in parts:
        raise UsageError(
            f"The formula '{text}' leaves out the intercept, which every model here has; take the "
            "0 or -1 out of it."
        )
    others = [part for part in parts if part != ["1"]]
    if not others:
        raise UsageError(
            f"The formula '{text}' has no covariate; write one as in age + sex, or leave the "
            "formula out."
        )
    for part in others:
        for factor in part:
            _check(factor, text, columns)
    return tuple(tuple(part) for part in others)


def _check(factor: str, text: str, columns: dict[tuple[str, bool], int]) -> None:
    """Refuse a factor that is anything but arithmetic of columns."""
    if is_variable(factor):
        return
    try:
        tree = ast.parse(factor, mode="eval").body
    except SyntaxError:
        tree = None
    categories = {f"v{k}" for (_, is_category), k in columns.items() if is_category}
    if tree is None or isinstance(tree, ast.Constant) or not _is_arithmetic(tree, categories):
        shown = re.sub(r"\bv(\d+)\b", lambda found: list(columns)[int(found[1])][0], factor)
        raise UsageError(
            f"The formula '{text}' has '{shown}', which cannot be computed; expected numbers, "
            f"columns, + - * / and powers of at most {_LARGEST_POWER} within functions, and "
            "settings such as df=4 after the column: correct it."
        )


def _is_arithmetic(node: ast.expr, categories: set[str]) -> bool:
    """Whether an expression depends on a column, and is on the list in all its parts."""
    if isinstance(node, ast.Name):
        return is_variable(node.id) and node.id not in categories
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.UAdd | ast.USub) and _is_arithmetic(node.operand, categories)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            return _is_arithmetic(node.left, categories) and _is_power(node.right)
        sides = [side for side in (node.left, node.right) if not _is_number(side)]
        is_known = isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div)
        return is_known and bool(sides) and all(_is_arithmetic(side, categories) for side in sides)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        settings = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
        has_settings = node.func.id in BASES or not settings
        return (
            has_settings
            and all(keyword.arg is not None for keyword in node.keywords)
            and all(_is_number(value, _LARGEST_ARGUMENT) for value in settings)
            and _is_arithmetic(node.args[0], categories)
        )
    return False


def _is_number(node: ast.expr, largest: float | None = None) -> bool:
    """Whether an expression is a number as it stands, with or without a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        node = node.operand
    if not isinstance(node, ast.Constant) or not isinstance(node.value, int | float):
        return False
    return largest is None or abs(node.value) <= largest


def is_variable(word: str) -> bool:
    """Whether a word of a rewritten formula is a column."""
    return re.fullmatch(r"v\d+", word) is not None


def _is_power(node: ast.expr) -> bool:
    return _is_number(node, _LARGEST_POWER)


def _listed() -> str:
    return ", ".join(_ALLOWED)
