"""One HTML file with everything about a run, which needs nothing but a browser.

It loads nothing: no font, script, style or image comes from elsewhere, and its content policy
forbids the browser to fetch any. Scripts and styles are allowed by their hashes alone, so that
nothing a name may hold can run. The same document and tables give the same bytes.
"""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any, BinaryIO

import polars as pl

from nextlmm.report.markup import Child, Markup, data_script, element, table
from nextlmm.report.methods import bibtex, methods_paragraph, references
from nextlmm.report.payload import places_for, trait_payload
from nextlmm.report.sections import card, trait_section, warning_heading, warning_items
from nextlmm.report.wording import duration, real, shortened, size
from nextlmm.work import SEPARATOR

Payloads = Mapping[str, dict[str, Any] | None]
"""What the plots of each trait are drawn from; None where no variant could be tested."""


def page_payloads(
    tables: Mapping[str, pl.DataFrame], traits: Mapping[str, Mapping[str, Any]]
) -> Payloads:
    """Choose what the plots show.

    Parameters
    ----------
    tables : the result table of each trait.
    traits : the entry of each trait in the result document.

    Cost: sorting the p-values of each table, twice.
    """
    places = places_for(len(tables))
    return {name: trait_payload(frame, traits[name], places) for name, frame in tables.items()}


def write_page(document: Mapping[str, Any], payloads: Payloads, handle: BinaryIO) -> None:
    """Write the page of a run.

    Parameters
    ----------
    document : the result document.
    payloads : what `page_payloads` returned for its traits.
    """
    # A path that is not UTF-8 holds lone surrogates, which no page can.
    handle.write(_page(document, payloads).encode(errors="backslashreplace"))


def _page(document: Mapping[str, Any], payloads: Payloads) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    names = list(document["traits"])
    shown = [{"name": name, **(payloads.get(name) or {})} for name in names]
    for entry, name in zip(shown, names, strict=True):
        portrait = document["traits"][name].get("portrait") or {}
        structure = portrait.get("structure") or {}
        if structure.get("components"):
            entry["components"] = structure["components"]
    title = ", ".join(names)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{shortened(title, 80)} - nextlmm"),
        element("style", style),
    )
    body = element(
        "body",
        _top(document, names),
        element(
            "main",
            _warnings(document),
            [
                trait_section(at, name, document, payloads.get(name))
                for at, name in enumerate(names)
            ],
            _run(document, names),
        ),
        data_script("data", shown),
        element("script", script),
    )
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en") + "\n"


def _asset(name: str) -> Markup:
    """A script or style of this package, as it stands between its tags."""
    return Markup(resources.files("nextlmm.report").joinpath(name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """Nothing but this very script and style, and images that the page holds itself."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _top(document: Mapping[str, Any], names: list[str]) -> Markup:
    several = len(names) > 1
    return element(
        "header",
        element("h1", "Association report"),
        element(
            "p",
            f"nextlmm {document['nextlmm']['version']}, {document['started']}, "
            f"{duration(document['seconds'])}",
            class_="note",
        ),
        element(
            "nav",
            [
                element("button", shortened(name, 40), type="button", data_show=at)
                for at, name in enumerate(names)
            ],
            aria_label="Traits",
            class_="traits",
        )
        if several
        else None,
        element(
            "noscript",
            element(
                "p",
                "The interactive plots need JavaScript; the images beside this file show the same.",
            ),
        ),
    )


def _warnings(document: Mapping[str, Any]) -> Markup:
    items = warning_items(document)
    return element(
        "section",
        element("h2", warning_heading(len(items))),
        element("ul", items) if items else None,
        class_="warnings" if items else "no-warnings",
    )


def _run(document: Mapping[str, Any], names: list[str]) -> Markup:
    return element(
        "section",
        element("h2", "This run"),
        _methods(document, names),
        _timings(document),
        _provenance(document),
        class_="run",
    )


def _methods(document: Mapping[str, Any], names: list[str]) -> list[Markup]:
    paragraphs = [methods_paragraph(name, document["traits"][name], document) for name in names]
    return [
        card(
            "Methods paragraph",
            [_copied(f"methods-{at}", "p", text) for at, text in enumerate(paragraphs)],
            wide=True,
            note="Ready to be pasted and edited.",
        ),
        card("BibTeX", _copied("bibtex", "pre", bibtex(references(document))), wide=True),
    ]


def _copied(identifier: str, kind: str, text: str) -> Markup:
    """A text with a button that copies it."""
    return element(
        "div",
        element(kind, text, id=identifier),
        element("button", "Copy", type="button", data_copy=identifier),
        class_="copied",
    )


def _timings(document: Mapping[str, Any]) -> Markup:
    works: dict[str, Mapping[str, Any]] = {"": document["work"]}
    works |= {name: facts["work"] for name, facts in document["traits"].items()}
    rows = [
        [
            shortened(name, 40),
            element("span", _stage_name(stage), class_="part" if SEPARATOR in stage else None),
            f"{work['seconds']:.2f}",
            _ratio(work["processor_seconds"], work["seconds"]),
        ]
        for name, entries in works.items()
        for stage, work in entries.items()
    ]
    peak = document["peak_memory_bytes"]
    memory = "" if peak is None else f", {size(peak)} of memory at most"
    return card(
        "Time",
        element("p", f"{duration(document['seconds'])} in all{memory}."),
        table(["trait", "stage", "seconds", "cores"], rows, numbers=(2, 3)),
    )


def _stage_name(stage: str) -> str:
    return stage.rpartition(SEPARATOR)[2]


def _ratio(amount: float, seconds: float) -> str:
    return real(amount / seconds, 2) if seconds and amount else ""


def _provenance(document: Mapping[str, Any]) -> list[Markup]:
    machine = document["machine"]
    memory = machine["memory_bytes"]
    hardware = [
        ["processor", str(machine["processor"])],
        ["cores", f"{machine['threads']} used of {machine['cores']}"],
        *([["memory", size(memory)]] if memory else ()),
        ["system", f"{machine['system']} {machine['release']}"],
        *(
            [pool["library"], f"{pool['version']}, {pool['threads']} threads"]
            for pool in machine["blas"]
        ),
    ]
    versions = [*document["versions"].items()]
    inputs = [_input(role, entry) for role, entry in document["inputs"].items()]
    options = [[name, _option(value)] for name, value in document["options"].items()]
    return [
        card("Command", _copied("command", "pre", document["command"]), wide=True),
        card("Versions", table(["program", "version"], versions)),
        card("Machine", table(["part", "value"], hardware)),
        card(
            "Inputs",
            table(["role", "file", "bytes", "SHA-256"], inputs, numbers=(2,)),
            wide=True,
        ),
        _files(document),
        element(
            "details",
            element("summary", "Every option"),
            table(["option", "value"], options),
            class_="card",
        ),
    ]


def _input(role: str, entry: Mapping[str, Any]) -> list[Child]:
    digest = element("code", entry["sha256"])
    return [role, element("code", entry["path"]), f"{entry['bytes']:,}", digest]


def _files(document: Mapping[str, Any]) -> Markup:
    rows: list[list[Child]] = [
        [shortened(name, 40), kind, element("code", path)]
        for name, facts in document["traits"].items()
        for kind, path in (facts.get("files") or {}).items()
    ]
    own = (document.get("files") or {}).items()
    rows += [["", kind, element("code", path)] for kind, path in own]
    return card("Files", table(["trait", "kind", "file"], rows), wide=True)


def _option(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not given" if value is None else str(value)
