"""How long work tells how far it is, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """A listener; one stage at a time, counted in any unit the caller chooses."""

    def start(self, label: str, total: int) -> None:
        """Begin a stage of ``total`` units."""

    def advance(self, amount: int = 1) -> None:
        """Report ``amount`` more units done."""

    def finish(self) -> None:
        """End the stage."""


class Silent:
    """The listener that does nothing."""

    def start(self, label: str, total: int) -> None:
        """Ignore the beginning of a stage."""

    def advance(self, amount: int = 1) -> None:
        """Ignore the advance."""

    def finish(self) -> None:
        """Ignore the end of a stage."""
