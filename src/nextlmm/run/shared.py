"""Values that traits of the same samples have in common, made once for all of them."""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

Value = TypeVar("Value")


class Shared:
    """Values, none of which depends on a trait, each made when it is first asked for."""

    def __init__(self) -> None:
        self._values: dict[tuple[Hashable, ...], object] = {}

    def __repr__(self) -> str:
        return f"<shared: {', '.join(str(key[0]) for key in self._values) or 'nothing yet'}>"

    def known(self, key: tuple[Hashable, ...]) -> object | None:
        """The value of that key if it has been made, and None otherwise."""
        return self._values.get(key)

    def once(self, key: tuple[Hashable, ...], make: Callable[[], Value]) -> Value:
        """The value of that key, its name and all else that it depends on, made if need be."""
        if key not in self._values:
            self._values[key] = make()
        return cast("Value", self._values[key])
