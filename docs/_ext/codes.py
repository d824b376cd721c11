"""Error codes, exit statuses and the statuses of variants, from where they are defined."""

import inspect
from collections.abc import Iterator

from markdown import code, codes, table
from nextlmm import errors as defined
from nextlmm.cli import main
from nextlmm.report.codes import EXPLANATIONS


def errors() -> str:
    """Every error code with its class, exit status, meaning and remedy."""
    return "\n".join(_error(kind) for kind in _classes())


def statuses() -> str:
    """Every status of a variant."""
    by_code = {kind.code for kind in _classes()}
    rows = [
        (code(name), found.title, found.meaning, found.remedy)
        for name, found in EXPLANATIONS.items()
        if name not in by_code
    ]
    return table(("status", "what it is", "meaning", "what to do"), rows)


def exit_statuses() -> str:
    """Every exit status of the program, from its entry point, with the codes that lead to it."""
    sentence = inspect.getdoc(main).split("Exit statuses:")[1].split(".")[0]
    rows = []
    for part in " ".join(sentence.split()).split(", "):
        status, meaning = part.split(" ", 1)
        leading = [kind.code for kind in _classes() if str(kind.exit_status) == status]
        rows.append((status, meaning, codes(leading)))
    return table(("exit status", "meaning", "error codes"), rows)


def _classes() -> Iterator[type[defined.NextlmmError]]:
    kinds = [
        kind
        for _, kind in inspect.getmembers(defined, inspect.isclass)
        if issubclass(kind, defined.NextlmmError)
    ]
    return iter(sorted(kinds, key=lambda kind: kind.code))


def _error(kind: type[defined.NextlmmError]) -> str:
    found = EXPLANATIONS[kind.code]
    return (
        f"## {kind.code}: {found.title}\n\n"
        f"`nextlmm.errors.{kind.__name__}`, exit status {kind.exit_status}. "
        f"{found.meaning}\n\n{found.remedy}\n"
    )
