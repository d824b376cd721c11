"""Packages that read one format each, which are installed only where that format is wanted."""

from importlib import import_module
from typing import Any

from nextlmm.errors import UsageError


def reader_package(module: str, *, extra: str, of: str) -> Any:
    """The package ``module``, which reads files ``of`` a format and comes with an extra.

    Raises
    ------
    UsageError
        If it is not installed; the sentence names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"Reading {of} needs the package {module}, which is not installed ({error}); install "
            f"it with: pip install 'nextlmm[{extra}]'"
        ) from error
