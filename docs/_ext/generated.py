"""Pages that are made of the code: a comment ``<!-- generated: NAME -->`` is replaced.

What is made is the text of a page before it is parsed, so that it has headings, anchors and links
like any other, and cannot say anything that the code does not.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import codes
import layers
import options
import tables

_PLACE = re.compile(r"^<!-- generated: ([a-z -]+) -->$", re.MULTILINE)

MAKERS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "options": options.every_command,
        "aliases": options.other_names,
        "instead": options.nothing_here,
        "columns": tables.result_columns,
        "exports": tables.exports,
        "files": tables.run_files,
        "written": options.what_commands_write,
        "errors": codes.errors,
        "exit statuses": codes.exit_statuses,
        "statuses": codes.statuses,
        "layers": layers.picture,
        "packages": layers.packages,
        "imports": layers.matrix,
    }
)


def _replace(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = _PLACE.sub(lambda found: MAKERS[found[1]](), source[0])


def _outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """The pages that code may have changed, which is not among the files that Sphinx watches."""
    return [page for page in env.found_docs if _PLACE.search(env.doc2path(page).read_text("utf-8"))]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what replaces the comments."""
    app.connect("source-read", _replace)
    app.connect("env-get-outdated", _outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
