"""The checkpoint of a run: a private folder OUT.checkpoint of stage values, each in a file.

It is there from the first value on that took long to make until the run ends well, so that a quick
run has none.  All of its files belong to one command on the same inputs with the same libraries on
one kind of processor, because only there does every value come out the same to the last bit.
Several processes may share it: whatever two of them write under one name is the same.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nextlmm.errors import FormatError, OutputError, UsageError
from nextlmm.output.provenance import Hashes, InputFacts
from nextlmm.output.stored import PRIVATE, packed, unpacked, write_atomically
from nextlmm.run.identity import (
    Facts,
    changed,
    check_stamps,
    first_difference,
    run_facts,
    stamps_of,
)
from nextlmm.run.kept import Part
from nextlmm.run.options import GwasOptions

_MANIFEST = "run"
_SUFFIX = ".value"
_PART = "part"
_BYTES_PER_SECOND = 2e6
"""A hundredth of what a disk takes, checksum included: no value costs more than 1 % of its time."""
_WRITE_EVERY = 2.0
"""Blocks are written so many times as seldom as what is made at once."""


class Checkpoint:
    """Values of one run in a folder; a `nextlmm.run.kept.Store`.

    Parameters
    ----------
    folder : OUT.checkpoint.
    describe : returns what makes the run what it is, as JSON values; called where it matters.
    content : what the folder is to say of the run: its options, its inputs, and when it was begun.
    after_s : seconds from which a stage is kept; 0 keeps every one.
    hashes : the SHA-256 of the inputs, perhaps to come.
    is_needed : whether a value that cannot be written stops the run.
    """

    def __init__(
        self,
        folder: Path,
        describe: Callable[[], Facts],
        content: Facts,
        *,
        after_s: float,
        hashes: Hashes | None = None,
        is_needed: bool = False,
    ) -> None:
        self.folder = folder
        self._describe, self._content = describe, dict(content)
        self._after_s, self._hashes, self._is_needed = after_s, hashes, is_needed
        self._again = "once more" if is_needed else "with --resume"
        self._restored: set[str] = set()
        self._trouble: str | None = None
        self._is_begun = self._has_hashes = False

    def __repr__(self) -> str:
        return f"<checkpoint {self.folder}>"

    @cached_property
    def facts(self) -> Facts:
        """All that can change a number, by what a sentence calls it."""
        return self._describe()

    @cached_property
    def _run(self) -> str:
        """A digest of the facts, which is in every file."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()

    def load(self, name: str, kinds: Sequence[type]) -> Any:
        """The value of that name, None if there is none.

        Raises
        ------
        FormatError
            If its file is damaged, or belongs to another run.
        """
        return self._read(self._path(name), kinds)

    def load_all(self, start: str, kinds: Sequence[type]) -> list[Any]:
        """All values whose names begin so, in the order of their names.

        Raises
        ------
        FormatError
            If a file is damaged, or belongs to another run.
        """
        found = (self._read(path, kinds) for path in sorted(self.folder.glob(f"{start}*{_SUFFIX}")))
        return [value for value in found if value is not None]

    def _read(self, path: Path, kinds: Sequence[type]) -> Any:
        try:
            run, value = unpacked(path, kinds)
        except FileNotFoundError:
            return None
        if run != self._run:
            raise FormatError(
                f"{path} belongs to another run than the checkpoint that it is in; delete it, so "
                "that what it held is computed again."
            )
        self._restored.add(path.name)
        return value

    def is_worth(self, seconds: float, value: object) -> bool:
        """Whether it took long to make, and writing it does not."""
        if self._after_s == 0.0:
            return True
        return seconds >= self._after_s and _n_bytes(value) <= _BYTES_PER_SECOND * seconds

    def is_due(self, seconds: float) -> bool:
        """Whether it is time to write blocks again."""
        return seconds >= _WRITE_EVERY * self._after_s

    def save(self, name: str, value: object, kinds: Sequence[type]) -> None:
        """Keep a value. Where the disk does not take it the run goes on without keeping any more.

        Raises
        ------
        OutputError
            If it cannot be written and the run is of no use without it.
        """
        if self._trouble is not None:
            return
        try:
            self._begin()
            write_atomically(self._path(name), packed((self._run, value), kinds))
        except OSError as error:
            reason = error.strerror or str(error)
            if self._is_needed:
                raise OutputError(
                    f"{self._path(name)} cannot be written ({reason}), and the other parts need "
                    "it; free some space or check the permissions, and start this part again."
                ) from error
            self._trouble = reason

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    def _begin(self) -> None:
        """Have the folder say whose it is before anything else is in it, and the hashes once known.

        Another process may have begun it, whose word stands.
        """
        is_known = self._hashes is not None and self._hashes.is_known
        if self._is_begun and (self._has_hashes or not is_known):
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        there = None if self._is_begun else read_manifest(self.folder)
        if there is not None:
            self._content = there
        inputs = self._content["inputs"]
        self._has_hashes = all(stamp["sha256"] is not None for stamp in inputs.values())
        is_news = there is None and not self._is_begun
        if self._hashes is not None and is_known and not self._has_hashes:
            for role, fact in self._hashes.result().items():
                inputs[role]["sha256"] = fact["sha256"]
            self._has_hashes = is_news = True
        if is_news:
            manifest = {**self._content, "facts": dict(self.facts)}
            write_atomically(self._path(_MANIFEST), packed((self._run, manifest), ()))
        self._is_begun = True

    def describe(self) -> dict[str, Any]:
        """What came back, and what went wrong, for the document of the run; nothing if neither."""
        told: dict[str, Any] = {}
        if self._restored:
            files = Counter(name.partition(".")[0].replace("-", " ") for name in self._restored)
            told["resumed"] = dict(sorted(files.items()))
        if self._trouble is not None:
            told["trouble"] = self._trouble
        return {"checkpoint": {"folder": str(self.folder), **told}} if told else {}

    def check_inputs(self, hashed: InputFacts) -> None:
        """Refuse to go on if an input is not what it was when the checkpoint was begun.

        Raises
        ------
        FormatError
            If its content has changed.
        """
        manifest = read_manifest(self.folder)
        known = {} if manifest is None else manifest["inputs"]
        for role, fact in hashed.items():
            before = known.get(role, {}).get("sha256")
            if before is not None and before != fact["sha256"]:
                raise FormatError(changed(role, fact["path"], self.folder))

    def finish_part(self, part: Part, facts: Mapping[str, Any]) -> None:
        """Note that a part has met all of its variants."""
        self.save(f"{_PART}-{part.number}-of-{part.of}", dict(facts), ())

    def note_on(self, error: BaseException) -> None:
        """Have an error say how the run is continued."""
        if self._is_begun or self._restored:
            error.add_note(
                f"What was finished is in {self.folder}: the same command {self._again} goes on "
                "from there."
            )

    def remove(self) -> None:
        """Delete the files of the checkpoint, and the folder if nothing else is in it."""
        remove_checkpoint(self.folder)


@contextmanager
def checkpoint_of(
    options: GwasOptions, threads: int, paths: Mapping[str, str], hashes: Hashes
) -> Iterator[Checkpoint]:
    """The checkpoint of a run, removed if the block ends well, unless the run is a part of many.

    Raises
    ------
    UsageError
        If there is one of another run that may not be replaced, or one of this run and nobody said
        whether to continue it.
    FormatError
        If what is there is damaged, or an input has changed.
    """
    stamps = stamps_of(paths)
    checkpoint = Checkpoint(
        folder_of(options.out),
        lambda: run_facts(options, threads, stamps),
        {
            "options": options.to_dict(),
            "inputs": stamps,
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        after_s=options.checkpoint_after,
        hashes=hashes,
        is_needed=options.part is not None,
    )
    _check_before(checkpoint, options, stamps)
    try:
        yield checkpoint
    except BaseException as error:
        checkpoint.note_on(error)
        raise
    if options.part is None:
        checkpoint.remove()


def finished_parts(folder: Path) -> list[Part]:
    """The parts that were finished, those of as many parts together."""
    found = []
    for path in folder.glob(f"{_PART}-*-of-*{_SUFFIX}"):
        _, number, _, of = path.name.removesuffix(_SUFFIX).split("-")
        found.append(Part(int(number), int(of)))
    return sorted(found, key=lambda part: (part.of, part.number))


def folder_of(out: str) -> Path:
    """The folder of the checkpoint of a run with that prefix."""
    return Path(f"{out}.checkpoint")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What a checkpoint says of its run; None if there is no checkpoint.

    Raises
    ------
    FormatError
        If it is damaged.
    UsageError
        If the folder is somebody's, and no checkpoint.
    """
    try:
        _, manifest = unpacked(folder / f"{_MANIFEST}{_SUFFIX}", ())
    except FileNotFoundError:
        pass
    except FormatError as error:
        raise FormatError(
            f"The checkpoint {folder} cannot be used, because its file {_MANIFEST}{_SUFFIX} is "
            "damaged or of another version of nextlmm; delete the folder to begin afresh."
        ) from error
    else:
        found: dict[str, Any] = manifest
        return found
    try:
        others = [name for name in os.listdir(folder) if not name.startswith(PRIVATE)]
    except (FileNotFoundError, NotADirectoryError):
        others = [folder.name] if os.path.lexists(folder) else []
    if others:
        raise UsageError(
            f"{folder} is where this run keeps what it has finished, but it is there and no "
            f"checkpoint ({others[0]} is in its place); rename it or choose another --out."
        )
    return None


def remove_checkpoint(folder: Path) -> None:
    """Delete the files of a checkpoint, whose it is last, and the folder if it is empty then."""
    with suppress(OSError):
        names = [name for name in os.listdir(folder) if name.endswith(_SUFFIX)]
        names += [name for name in os.listdir(folder) if name.startswith(PRIVATE)]
        for name in sorted(names, key=lambda name: name == f"{_MANIFEST}{_SUFFIX}"):
            with suppress(OSError):
                (folder / name).unlink()
        folder.rmdir()


def _check_before(checkpoint: Checkpoint, options: GwasOptions, stamps: Facts) -> None:
    """Decide what becomes of a checkpoint that is there."""
    folder = checkpoint.folder
    manifest = read_manifest(folder)
    if manifest is None:
        return
    goes_on = options.resume or options.part is not None
    difference = first_difference(manifest["facts"], checkpoint.facts)
    if difference is None and not goes_on:
        raise UsageError(
            f"{folder} holds what this very command had finished when it was stopped "
            f"(begun {manifest['begun']}); add --resume to go on from there, or delete the folder "
            "to begin afresh."
        )
    if difference is None:
        check_stamps(manifest["inputs"], stamps, folder)
        return
    if goes_on or any(folder.glob(f"{_PART}-*{_SUFFIX}")):
        raise UsageError(
            f"The checkpoint {folder} is of another run: {difference}; repeat that command as it "
            "was, delete the folder to begin afresh, or choose another --out."
        )
    checkpoint.remove()


def _n_bytes(value: object) -> int:
    """Bytes of the arrays of a value, about."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple | list):
        return sum(_n_bytes(item) for item in value)
    held = getattr(value, "__dict__", None)
    return 0 if held is None else sum(_n_bytes(each) for each in held.values())
