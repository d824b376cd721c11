"""Docstrings of the package as Sphinx reads them.

The package writes ``name : what it is`` for parameters and fields, without a type, which is in
the annotation, and ``Cost : ...`` for what is no parameter. Numpydoc takes the text for a type.
"""

import re

from sphinx.application import Sphinx

SECTIONS = ("Cost", "Source", "Accuracy")
_NAMED = re.compile(r"^([A-Za-z_]\w*(?:, \w+)*) ?: (\S.*)$")


def rewritten(lines: list[str]) -> list[str]:
    """The lines of a docstring, names and what they are on lines of their own."""
    result: list[str] = []
    for line in lines:
        found = _NAMED.match(line)
        if found is None:
            result.append(line)
        elif found[1] in SECTIONS:
            result += ["", found[1], "-" * len(found[1]), found[2]]
        else:
            result += [found[1], f"    {found[2]}"]
    return result


def _process(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    lines[:] = rewritten(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what rewrites docstrings, before numpydoc sections are read."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
