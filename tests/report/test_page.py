import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nextlmm.report.page import page_payloads, write_page
from nextlmm.report.payload import places_for, trait_payload

TableFactory = Callable[..., pl.DataFrame]
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\u2028"


class Outline(HTMLParser):
    """Elements that are open, what was never closed, and every address."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.tags = list[str](), list[str]()
        self.addresses, self.handlers, self.identifiers = (list[str]() for _ in range(3))
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "data", "srcset", "style"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
            if name == "id":
                self.identifiers.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def portrait() -> dict[str, Any]:
    return {
        "distributions": [
            {"name": "height", "edges": [1.0, 2.0, 3.0], "counts": [3, 4], "mean": 2.0, "sd": 0.5},
            {"name": "sex", "values": ["1", "2"], "counts": [3, 4]},
        ],
        "profile": [[0.3, -1703.0], [0.5, -1700.3], [0.52, -1700.2], [0.7, -1703.0]],
        "structure": {
            "n": 4,
            "blocks": [[0, 2, 4, 3]],
            "cells": [[1.0, 0.1], [0.1, 1.0]],
            "top": 0.5,
            "components": [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]],
            "shares": [0.2, 0.1],
        },
        "clumping": {"r2": 0.1, "is_complete": True},
        "leads": [
            {
                "chromosome": "2",
                "base_pair_location": 50_001,
                "effect_allele": "A",
                "other_allele": "G",
                "beta": 0.1,
                "standard_error": 0.2,
                "effect_allele_frequency": 0.3,
                "neg_log_10_p_value": 12.0,
                "variant_id": "v50",
                "n": 100,
                "locus": 1,
                "genome_wide_significant": True,
                "clump_variants": 1,
                "clump_start": 50_001,
                "clump_end": 50_001,
            }
        ],
        "regions": [
            {
                "variant_id": "v50",
                "chromosome": "2",
                "start": 1,
                "end": 550_001,
                "variants": 3,
                "lead_row": 50,
                "rows": [49, 50, 51],
                "r2": [0.3, 1.0, 0.05],
            }
        ],
    }


@pytest.fixture
def whole(document: dict[str, Any]) -> dict[str, Any]:
    document["traits"]["height"]["portrait"] = portrait()
    return document


def page(document: dict[str, Any], frame: pl.DataFrame) -> str:
    handle = io.BytesIO()
    tables = dict.fromkeys(document["traits"], frame)
    write_page(document, page_payloads(tables, document["traits"]), handle)
    return handle.getvalue().decode()


def payload_of(text: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def array(packed: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), "<" + packed["type"])


def test_page__is_well_formed_and_has_every_part(
    whole: dict[str, Any], make_table: TableFactory
) -> None:
    text = page(whole, make_table(100))
    outline = Outline(text)
    assert outline.open == []
    assert len(set(outline.identifiers)) == len(outline.identifiers)
    for words in (
        *("No warnings", "Manhattan plot", "QQ plot", "Heritability", "Independent lead variants"),
        *("Around v50", "From the files to the tests", "Trait height", "Covariate sex"),
        *("Principal components", "Relationships", "How close to the exact model"),
        *("Methods paragraph", "BibTeX", "Command", "Versions", "SHA-256", "Time", "ab" * 32),
        *("nextlmm gwas --bfile cohort", "@article{pu2025near", "Every option"),
    ):
        assert words in text


def test_page__without_a_portrait(document: dict[str, Any], make_table: TableFactory) -> None:
    text = page(document, make_table(100))
    assert Outline(text).open == []
    assert "snp01_170" in text  # from the list of loci
    assert "Relationships" not in text


def test_page__warnings_come_first(whole: dict[str, Any], make_table: TableFactory) -> None:
    whole["traits"]["height"]["warnings"] = ["three samples look alike"]
    text = page(whole, make_table(100))
    assert "1 warning" in text
    assert text.index("Three samples look alike.") < text.index("Manhattan plot")


def test_page__escapes_every_name(whole: dict[str, Any], make_table: TableFactory) -> None:
    facts = whole["traits"].pop("height")
    facts["covariates"] = ["intercept", HOSTILE]
    facts["covariate_effects"] = [{"covariate": HOSTILE, "beta": 1.0, "standard_error": 1.0}]
    facts["warnings"] = [HOSTILE]
    facts["files"] = {HOSTILE: HOSTILE}
    facts["samples"]["excluded"] = {HOSTILE: 2}
    facts["portrait"]["leads"][0] |= {"variant_id": HOSTILE, "effect_allele": HOSTILE}
    facts["portrait"]["regions"][0] |= {"variant_id": HOSTILE, "chromosome": HOSTILE}
    for entry in facts["portrait"]["distributions"]:
        entry["name"] = HOSTILE
    whole["traits"] = {HOSTILE: facts, "other": facts}
    whole["command"] = f"nextlmm gwas --out '{HOSTILE}'"
    whole["options"]["out"] = HOSTILE
    whole["inputs"]["bed"]["path"] = HOSTILE
    frame = make_table(100, (HOSTILE,)).with_columns(
        variant_id=pl.lit(HOSTILE), effect_allele=pl.lit(HOSTILE)
    )
    text = page(whole, frame)
    outline = Outline(text)
    assert outline.open == []
    assert "img" not in outline.tags
    assert outline.handlers == []
    assert outline.tags.count("script") == 2
    data = payload_of(text)[0]
    assert data["name"] == HOSTILE
    assert set(data["chromosomes"]) == {HOSTILE}
    assert all(HOSTILE.startswith(name.removesuffix("...")) for name in data["id"])
    inside = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert inside
    assert not set("<>&\u2028\u2029") & set(inside[1])


def test_page__needs_nothing_from_elsewhere(
    whole: dict[str, Any], make_table: TableFactory
) -> None:
    text = page(whole, make_table(100))
    outline = Outline(text)
    assert all(each.startswith("data:image/png") for each in outline.addresses)
    assert "link" not in outline.tags
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", text)


def test_page__allows_its_own_script_and_style_alone(
    whole: dict[str, Any], make_table: TableFactory
) -> None:
    text = page(whole, make_table(100))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert "unsafe" not in policy[1]
    for kind in ("script", "style"):
        content = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{kind}-src &#x27;sha256-{digest}&#x27;" in policy[1]


def test_page__same_document_same_bytes(whole: dict[str, Any], make_table: TableFactory) -> None:
    assert page(whole, make_table(100)) == page(json.loads(json.dumps(whole)), make_table(100))


def test_page__of_several_traits_has_a_choice(
    whole: dict[str, Any], make_table: TableFactory
) -> None:
    same = {**whole["traits"]["height"]}
    same["portrait"] = {**portrait(), "structure": {"same_as": "height"}}
    whole["traits"]["weight"] = same
    text = page(whole, make_table(100))
    assert text.count("data-show=") >= 2
    assert "As for height, whose samples are the same." in text


def test_page__where_nothing_could_be_tested(
    document: dict[str, Any], make_table: TableFactory
) -> None:
    document["traits"]["height"]["top_hits"] = []
    frame = make_table(10).with_columns(neg_log_10_p_value=pl.lit(None, pl.Float64))
    text = page(document, frame)
    assert "No variant could be tested." in text
    assert Outline(text).open == []


def test_page__a_path_that_is_not_utf_8(whole: dict[str, Any], make_table: TableFactory) -> None:
    whole["inputs"]["bed"]["path"] = "caf\udce9.bed"
    assert "caf\\udce9.bed" in page(whole, make_table(100))


def test_payload__is_the_table(whole: dict[str, Any], make_table: TableFactory) -> None:
    frame = make_table(300)
    found = payload_of(page(whole, frame))[0]
    assert found["tested"] == 300
    assert found["chromosomes"] == ["1", "2", "X"]
    assert found["id"] == frame["variant_id"].to_list()
    np.testing.assert_array_equal(array(found["place"]), frame["base_pair_location"])
    for packed, name in (("p", "neg_log_10_p_value"), ("beta", "beta"), ("se", "standard_error")):
        np.testing.assert_allclose(array(found[packed]), frame[name], rtol=1e-6)
    pairs = [found["alleles"]["pairs"][code] for code in array(found["alleles"]["code"])]
    assert set(pairs) == {"A / G"}
    region = found["regions"][0]
    assert region["lead"] == 1
    np.testing.assert_allclose(array(region["r2"]), [0.3, 1.0, 0.05], rtol=1e-6)


def test_payload__stays_small(document: dict[str, Any], make_table: TableFactory) -> None:
    frame = make_table(200_000)
    found = trait_payload(frame, document["traits"]["height"], places_for(1))
    assert found is not None
    assert len(found["id"]) <= 42_000
    assert len(json.dumps(found)) < 3e6
    many = trait_payload(frame, document["traits"]["height"], places_for(100))
    assert many is not None
    assert len(many["id"]) <= 4_000


def test_payload__positions_beyond_four_bytes(
    document: dict[str, Any], make_table: TableFactory
) -> None:
    frame = make_table(100).with_columns(pl.col("base_pair_location") + 2**33)
    found = trait_payload(frame, document["traits"]["height"], 1000)
    assert found is not None
    np.testing.assert_array_equal(array(found["place"]), frame["base_pair_location"])


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_script__is_javascript(tmp_path: Path) -> None:
    script = Path(page_source("page.js"))
    done = subprocess.run(
        ["node", "--check", str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def page_source(name: str) -> str:
    from importlib import resources  # noqa: PLC0415

    return str(resources.files("nextlmm.report").joinpath(name))


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_page__is_drawn_by_a_browser_without_a_complaint(
    whole: dict[str, Any], make_table: TableFactory, tmp_path: Path
) -> None:
    whole["traits"]["weight"] = whole["traits"]["height"]
    path = tmp_path / "page.html"
    path.write_text(page(whole, make_table(500)), encoding="utf-8")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [BROWSER, *options, profile, "--virtual-time-budget=5000", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr
    for kind in ("manhattan", "qq", "region", "components"):
        place = done.stdout[done.stdout.index(f'data-plot="{kind}"') :][:100_000]
        assert 'class="dots' in place
