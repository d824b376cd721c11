"""What makes a run the run that it is: all that can change a number, and the inputs."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llvmlite.binding

from nextlmm.errors import FormatError, MissingFileError
from nextlmm.output.provenance import describe_machine, hash_inputs, library_versions
from nextlmm.run.options import PATHS, GwasOptions

Facts = Mapping[str, Any]

_WITHOUT_NUMBERS = frozenset(
    {
        *("out_format", "plots", "plot_format", "report"),
        *("resume", "part", "checkpoint_after", "threads"),
        *PATHS,
    }
)
"""Options that change no number, or whose part in it is told otherwise."""


def run_facts(options: GwasOptions, threads: int, stamps: Facts) -> dict[str, Any]:
    """All that can change a number, as JSON values by what a sentence calls them.

    ``stamps`` are those of the inputs by role.
    """
    facts = {
        f"option {name.replace('_', '-')}": value
        for name, value in options.to_dict().items()
        if name not in _WITHOUT_NUMBERS
    }
    facts["option threads"] = threads
    facts |= {f"the version of {name}": each for name, each in library_versions().items()}
    facts["the kind of processor"] = llvmlite.binding.get_host_cpu_name()
    facts["the linear algebra"] = ", ".join(
        f"{each['library']} {each['version']} {each['architecture']}"
        for each in describe_machine(threads)["blas"]
    )
    facts |= {f"the size of the {role} file": stamp["bytes"] for role, stamp in stamps.items()}
    text: dict[str, Any] = json.loads(json.dumps(facts))
    return text


def first_difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """What two runs differ in, as a clause; None if nothing."""
    for name in [*here, *(name for name in there if name not in here)]:
        if name not in there:
            return f"it has no {name}, and this run has"
        if name not in here:
            return f"it has {name}, and this run has not"
        if there[name] != here[name]:
            return f"{name} is {_shown(there[name])} there and {_shown(here[name])} here"
    return None


def _shown(value: object) -> str:
    return "not given" if value in (None, []) else str(value)


def stamps_of(paths: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What tells a file that was written since, without reading it."""
    stamps = {}
    for role, path in paths.items():
        try:
            found = os.stat(path)
        except OSError as error:
            raise MissingFileError(
                f"The {role} file {path} cannot be read: {error.strerror}."
            ) from error
        stamps[role] = {
            "path": path,
            "bytes": found.st_size,
            "modified_ns": found.st_mtime_ns,
            "sha256": None,
        }
    return stamps


def check_stamps(known: Facts, stamps: Facts, folder: Path) -> None:
    """Refuse inputs that were written since, unless they are the same to the byte."""
    for role, now in stamps.items():
        before = known[role]
        if now["modified_ns"] == before["modified_ns"]:
            continue
        is_same = before["sha256"] is not None and (
            hash_inputs({role: now["path"]})[role]["sha256"] == before["sha256"]
        )
        if not is_same:
            raise FormatError(changed(role, now["path"], folder))


def changed(role: str, path: str, folder: Path) -> str:
    """The sentence for an input that is not what it was."""
    return (
        f"The {role} file {path} has changed since the checkpoint {folder} was begun; restore the "
        "file, or delete the folder to begin afresh."
    )
