"""Every option of every command, from what the command line itself is made of."""

import inspect
from collections.abc import Iterator, Mapping

from cyclopts import App
from cyclopts.argument import Argument

from markdown import code, codes, table
from nextlmm.cli.app import build_app
from nextlmm.cli.habits import INSTEAD

_PLACES = "Parameters"


def every_command() -> str:
    """A section for each command: what it does, and a table of options for each group of them."""
    return "\n".join(_section(name, command) for name, command in _commands())


def what_commands_write() -> str:
    """What each command says that it writes."""
    rows = [
        (code(f"nextlmm {name}"), written.removeprefix("Writes "))
        for name, command in _commands()
        if (written := _said(command)[1])
    ]
    return table(("command", "what it writes"), rows)


def other_names() -> str:
    """The names that other programs give to an option, which are understood here."""
    app = build_app()
    named = [_names(argument) for argument in _arguments(app["gwas"])]
    rows = [(code(first), codes(others)) for first, *others in named if others]
    return table(("option", "also understood as"), rows)


def nothing_here() -> str:
    """The options of other programs that are none here, and what to type instead."""
    by_answer: dict[str, list[str]] = {}
    for option, answer in INSTEAD.items():
        by_answer.setdefault(answer, []).append(option)
    rows = [(codes(names), _typed(answer)) for answer, names in by_answer.items()]
    return table(("elsewhere", "here"), rows)


def _commands() -> Iterator[tuple[str, App]]:
    app = build_app()
    named = {name: app[name] for name in app if not name.startswith("-")}
    return iter(sorted(named.items(), key=lambda item: item[1].sort_key or 0))


def _section(name: str, command: App) -> str:
    said, written = _said(command)
    lines = [f"## nextlmm {name}\n", f"{said} {written}".strip() + "\n"]
    for group, arguments in _grouped(command).items():
        rows = [_row(argument) for argument in arguments]
        lines += [f"### {group}\n", table(("option", "value", "default", "meaning"), rows)]
    return "\n".join(lines)


def _said(command: App) -> tuple[str, str]:
    """What the help of a command says it does, and what it says it writes."""
    text = inspect.getdoc(command.default_command) or ""
    paragraphs = text.split(f"\n{_PLACES}\n")[0].strip().split("\n\n")
    joined = [" ".join(part.split()).replace("``", "`") for part in paragraphs]
    written = [part for part in joined if part.startswith("Writes ")]
    return " ".join(part for part in joined if part not in written), " ".join(written)


def _arguments(command: App) -> list[Argument]:
    return [
        argument
        for argument in command.assemble_argument_collection(parse_docstring=True)
        if argument.show and argument.parse and not argument.children
    ]


def _grouped(command: App) -> Mapping[str, list[Argument]]:
    """The options by the name of their group, in the order of the help."""
    found: dict[tuple[object, str], list[Argument]] = {}
    for argument in _arguments(command):
        group = argument.parameter.group[0]
        key = (getattr(group, "sort_key", None), getattr(group, "name", str(group)))
        found.setdefault(key, []).append(argument)
    order = sorted(found, key=lambda key: (not isinstance(key[0], int), key[0] or 0))
    return {key[1]: found[key] for key in order}


def _names(argument: Argument) -> list[str]:
    """The names that set an option, without those that unset it."""
    return [name for name in argument.names if name not in argument.negatives]


def _row(argument: Argument) -> tuple[str, str, str, str]:
    name, *others = [*_names(argument), *argument.negatives]
    also = f" ({codes(others)})" if others else ""
    help_text = " ".join((argument.parameter.help or "").split())
    return code(name) + also, _value(argument), _default(argument), help_text


def _value(argument: Argument) -> str:
    """What may stand after an option."""
    if argument.is_flag():
        return ""
    choices = argument.get_choices()
    if choices:
        return codes(choices)
    hint = str(getattr(argument.hint, "__name__", argument.hint))
    kinds = {"int": "whole number", "float": "number", "tuple": "names"}
    return next((word for kind, word in kinds.items() if hint.startswith(kind)), "text")


def _default(argument: Argument) -> str:
    if argument.required:
        return "required"
    if isinstance(argument.show_default, str):
        return code(argument.show_default)
    default = argument.field_info.default
    if default in (None, (), argument.field_info.empty):
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, float):
        return code(f"{default:g}")
    return codes(default) if isinstance(default, tuple) else code(default)


def _typed(answer: str) -> str:
    """An answer with its options in the type of a typewriter."""
    words = [
        code(word.rstrip(",:;")) + word[len(word.rstrip(",:;")) :] if word.startswith("-") else word
        for word in answer.split()
    ]
    return " ".join(words)
