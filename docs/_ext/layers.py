"""The picture of the layers, drawn from the imports of the package and the contract about them."""

import inspect
import tomllib
from collections import Counter
from functools import cache
from html import escape
from importlib import import_module
from pathlib import Path

import grimp

from markdown import code, table

_ROOT = "nextlmm"
_WIDTH, _ROW, _BOX, _GAP = 720, 74, 38, 16
_SIDE = 150


def packages() -> str:
    """What each package is about, in the words of the package, and how large it is."""
    rows = [(code(name), _about(name), _modules()[name]) for layer in _layers() for name in layer]
    return table(("package", "what it is", "modules"), rows)


def matrix() -> str:
    """How many modules of a package (row) import another package (column)."""
    names = [name for layer in _layers() for name in layer]
    used = [name for name in names if any((other, name) in _imports() for other in names)]
    rows = [
        (code(name), *(_imports().get((name, other)) or "" for other in used)) for name in names
    ]
    return table(("imports", *map(code, used)), rows)


def picture() -> str:
    """The layers as SVG in the colours of the page; an arrow is an import that no other implies."""
    boxes = _boxes()
    height = _ROW * len(_layers())
    lines = [
        f'<svg class="layers" viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' aria-labelledby="layers-title" xmlns="http://www.w3.org/2000/svg">',
        '<title id="layers-title">Packages of nextlmm in layers; every arrow points down.</title>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>',
        *(_arrow(boxes[above], boxes[below]) for above, below in sorted(_essential())),
        *(_box(name, box) for name, box in boxes.items()),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


@cache
def _layers() -> tuple[tuple[str, ...], ...]:
    """The layers from the top, from the contract that the imports are checked against."""
    settings = tomllib.loads(
        (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )
    contract = settings["tool"]["importlinter"]["contracts"][0]
    return tuple(
        tuple(name.strip() for name in layer.replace(":", "|").split("|"))
        for layer in contract["layers"]
    )


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(_ROOT, cache_dir=None)


def _package(module: str) -> str:
    """The package, or the module, right below the root."""
    return module.split(".")[1] if "." in module else ""


@cache
def _modules() -> Counter[str]:
    return Counter(map(_package, _graph().modules))


@cache
def _imports() -> Counter[tuple[str, str]]:
    """How many modules of one package import another one directly."""
    known = {name for layer in _layers() for name in layer}
    pairs = {
        (module, _package(imported))
        for module in _graph().modules
        for imported in _graph().find_modules_directly_imported_by(module)
    }
    found = Counter((_package(module), imported) for module, imported in pairs)
    return Counter(
        {
            (one, other): number
            for (one, other), number in found.items()
            if one != other and {one, other} <= known
        }
    )


def _essential() -> set[tuple[str, str]]:
    """The imports between packages that no chain of others implies."""
    direct: dict[str, set[str]] = {}
    for one, other in _imports():
        direct.setdefault(one, set()).add(other)
    return {
        (one, other)
        for one, others in direct.items()
        for other in others
        if not any(other in _below(between, direct) for between in others - {other})
    }


def _below(name: str, direct: dict[str, set[str]]) -> set[str]:
    return {name} | {deep for other in direct.get(name, ()) for deep in _below(other, direct)}


def _about(name: str) -> str:
    text = inspect.getdoc(import_module(f"{_ROOT}.{name}")) or ""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".:") + "."


def _boxes() -> dict[str, tuple[float, float, float, int]]:
    """Left edge, top and width of the box of each package, and its layer."""
    boxes = {}
    for place, layer in enumerate(_layers()):
        width = min(190.0, (_WIDTH - 2 * _SIDE - _GAP * (len(layer) - 1)) / len(layer))
        left = (_WIDTH - len(layer) * width - (len(layer) - 1) * _GAP) / 2
        for name in layer:
            boxes[name] = (left, place * _ROW + 6.0, width, place)
            left += width + _GAP
    return boxes


def _box(name: str, box: tuple[float, float, float, int]) -> str:
    left, top, width, _ = box
    centre = left + width / 2
    count = _modules()[name]
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{_BOX}" rx="6"/>'
        f'<text x="{centre:g}" y="{top + 17:g}">{escape(name)}</text>'
        f'<text class="small" x="{centre:g}" y="{top + 31:g}">{count} '
        f"{'module' if count == 1 else 'modules'}</text>"
    )


def _arrow(above: tuple[float, float, float, int], below: tuple[float, float, float, int]) -> str:
    """Straight to the next layer, around the boxes between where there are any."""
    (x0, y0, w0, row0), (x1, y1, w1, row1) = above, below
    if row1 == row0 + 1:
        start, end = x0 + w0 / 2, x1 + w1 / 2
        return f'<path marker-end="url(#tip)" d="M{start:g} {y0 + _BOX:g} L{end:g} {y1 - 2:g}"/>'
    start_y, end_y = y0 + _BOX / 2, y1 + _BOX / 2
    centre = x1 + w1 / 2
    on_right = (row0 + row1) % 2 == 0 if abs(centre - _WIDTH / 2) < 1.0 else centre > _WIDTH / 2
    out = max(x0 + w0, x1 + w1) if on_right else min(x0, x1)
    out += (1 if on_right else -1) * min(_SIDE - 8.0, 24.0 + 16.0 * (row1 - row0))
    start = x0 + w0 if on_right else x0
    end = x1 + w1 + 2 if on_right else x1 - 2
    if not _is_outermost(below, on_right):  # from above, through the gap between the rows
        end, end_y = centre, y1 - 2.0
        return (
            f'<path marker-end="url(#tip)" d="M{start:g} {start_y:g} C{out:g} {start_y:g} '
            f'{out:g} {end_y - 16:g} {end:g} {end_y:g}"/>'
        )
    return (
        f'<path marker-end="url(#tip)" d="M{start:g} {start_y:g} C{out:g} {start_y:g} '
        f'{out:g} {end_y:g} {end:g} {end_y:g}"/>'
    )


def _is_outermost(box: tuple[float, float, float, int], on_right: bool) -> bool:
    """Whether no other box of its layer stands between a box and that side."""
    left, _, _, row = box
    others = [x for x, _, _, other in _boxes().values() if other == row and x != left]
    return all(x < left if on_right else x > left for x in others)
