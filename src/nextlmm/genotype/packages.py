"""Packages that serve one purpose each, which are installed only where that is wanted."""

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
    return needed_package(module, extra=extra, purpose=f"Reading {of}")


def needed_package(module: str, *, extra: str, purpose: str) -> Any:
    """The package ``module``, which serves a purpose and comes with an extra.

    Raises
    ------
    UsageError
        If it is not installed; the sentence names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{purpose} needs the package {module}, which is not installed ({error}); install "
            f"it with: pip install 'nextlmm[{extra}]'"
        ) from error
