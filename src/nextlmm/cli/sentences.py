"""What went wrong on the command line, in one sentence."""

import difflib
import errno
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import get_args

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from nextlmm.cli.habits import INSTEAD
from nextlmm.errors import NextlmmError
from nextlmm.report.wording import sentence

_KINDS = {float: "a number", int: "a whole number", bool: "true or false"}


def usage_sentence(
    error: CycloptsError,
    flags: Iterable[str],
    arguments: Sequence[str] = (),
    commands: Mapping[str, Collection[str]] | None = None,
) -> str:
    """Explain an error of the option parser.

    Parameters
    ----------
    error
        What the parser raised.
    flags
        Every flag that the command knows.
    arguments
        What was typed.
    commands
        Where no command was recognised, every command with its flags.
    """
    if commands:
        return _command_sentence(list(arguments), set(flags), commands)
    known = set(flags)
    unknown = _unknown_tokens(error, known)
    if unknown:
        # A required option that is "missing" was most likely misspelled: name the misspelling.
        return _no_option(unknown[0], known)
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        given = error.keyword or any(token.keyword for token in error.argument.tokens)
        name = error.keyword or error.argument.name
        return f"{name} needs a value." if given else f"{name} is required but was not given."
    if isinstance(error, CoercionError) and error.token is not None:
        return _conversion(error)
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return (
            f"{error.unused_tokens[0]!r} belongs to no option; "
            "every value follows the name of its option, as in --out results/height."
        )
    return " ".join(str(error).split())


def unknown_option(arguments: Iterable[str], flags: Iterable[str]) -> str | None:
    """The sentence for the first word that looks like an option and is none, None without one."""
    known = set(flags)
    names = [word.split("=")[0] for word in arguments if word.startswith("--")]
    unknown = [name for name in names if name not in known]
    return _no_option(unknown[0], known) if unknown else None


def _no_option(name: str, known: set[str]) -> str:
    if name in INSTEAD and "--pheno" in known:  # a command that analyses
        return f"There is no option {name}; {INSTEAD[name]}."
    nearest = difflib.get_close_matches(name, sorted(known), n=1)
    return f"There is no option {name}" + (f"; did you mean {nearest[0]}?" if nearest else ".")


def failure_sentence(error: BaseException, arguments: Collection[str] = ()) -> str:
    """Explain any other error; those of this package explain themselves.

    ``arguments`` are what was typed, whose words keep their letters.
    """
    if isinstance(error, NextlmmError):
        return sentence(str(error), arguments)
    if isinstance(error, MemoryError):
        return "The machine has too little memory for this analysis; use fewer samples."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        # Files have sentences of their own, so that what is full here is what the shell opened.
        return f"Standard output cannot be written ({error.strerror})."
    return (
        f"The program stopped at a problem that it did not foresee ({type(error).__name__}: "
        f"{error}); please repeat the command with --debug and report what it prints."
    )


def _command_sentence(
    arguments: Sequence[str], flags: Collection[str], commands: Mapping[str, Collection[str]]
) -> str:
    """What is wrong before any command was recognised."""
    word = next((text for text in arguments if text not in flags), "")
    if not word.startswith("-"):
        nearest = difflib.get_close_matches(word, list(commands), n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(commands)}."
        return f"There is no command {word!r}; {hint}"
    name = word.split("=")[0]
    owner = next((command for command, known in commands.items() if name in known), None)
    if owner is not None:
        return f"{name} is an option of a command; did you mean nextlmm {owner} {name}?"
    return _no_option(name, set(flags))


def _unknown_tokens(error: CycloptsError, known: set[str]) -> list[str]:
    tokens = list(error.unused_tokens or ())
    if isinstance(error, UnknownOptionError):
        tokens.insert(0, error.token.keyword or error.token.value)
    names = [token.split("=")[0] for token in tokens if token.startswith("-")]
    return [name for name in names if name not in known]


def _conversion(error: CoercionError) -> str:
    """A value of the wrong kind, or not among the choices."""
    token = error.token
    if token is None or error.argument is None:
        return " ".join(str(error).split())
    name = token.keyword or error.argument.name
    choices = list(error.argument.get_choices() or ())
    if choices:
        nearest = difflib.get_close_matches(token.value, choices, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else "."
        return f"{name} is {token.value!r}, but it must be one of {', '.join(choices)}{hint}"
    kind = next((text for cls, text in _KINDS.items() if _expects(error, cls)), "a different value")
    return f"{name} is {token.value!r}, but it must be {kind}."


def _expects(error: CoercionError, kind: type) -> bool:
    hint = error.argument.hint if error.argument is not None else None
    return kind in (error.target_type, hint) or kind in get_args(hint)
