import hashlib
import io
import json
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from nextlmm.errors import MissingFileError
from nextlmm.output import provenance
from nextlmm.output.document import write_document
from nextlmm.output.provenance import describe_run, hash_inputs, hashing


def test_hash_inputs(tmp_path: Path) -> None:
    path = tmp_path / "a.bed"
    content = bytes(range(256)) * 5000
    path.write_bytes(content)
    entry = hash_inputs({"bed": str(path)})["bed"]
    assert entry == {
        "path": str(path),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_hashing__is_ready_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    with hashing({"bim": str(path)}) as hashes:
        assert hashes.result() == hash_inputs({"bim": str(path)})


def test_hashing__an_error_is_raised_when_asked_for(tmp_path: Path) -> None:
    with hashing({"bed": str(tmp_path / "nothing")}) as hashes, pytest.raises(MissingFileError):
        hashes.result()


def test_hashing__is_stopped_by_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(paths: object, *, stop: threading.Event) -> bool:
        return stop.wait(60.0)

    monkeypatch.setattr(provenance, "hash_inputs", endless)
    with pytest.raises(KeyboardInterrupt), hashing({}) as hashes:
        raise KeyboardInterrupt
    assert hashes.future.result(0.0)


def test_hash_inputs__stops_when_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        hash_inputs({"bim": str(tmp_path / "a")}, stop=stop)


def test_hash_inputs__missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"The bed file .*nothing cannot be read"):
        hash_inputs({"bed": str(tmp_path / "nothing")})


def test_describe_run__is_json_and_says_what_ran_where() -> None:
    header = describe_run(command="nextlmm gwas", options={"seed": 1}, inputs={}, threads=2)
    handle = io.BytesIO()
    write_document(header, handle)
    assert json.loads(handle.getvalue()) == header
    assert set(header["versions"]) >= {"python", "numpy", "scipy", "polars"}
    assert header["machine"]["threads"] == 2
    assert header["columns"]["beta"].startswith("effect of one copy of the effect allele")


def test_write_document__refuses_numbers_that_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_document({"h2": float("nan")}, io.BytesIO())


def test_write_document__bytes_that_are_not_utf8_survive() -> None:
    handle = io.BytesIO()
    write_document({"path": "größe-\udcff.bed"}, handle)
    assert handle.getvalue().decode("utf-8")
    assert json.loads(handle.getvalue()) == {"path": "größe-\udcff.bed"}


def test_describe_run__the_package_is_among_the_versions() -> None:
    header = describe_run(command="nextlmm gwas", options={}, inputs={}, threads=1)
    assert header["versions"]["nextlmm"] == header["nextlmm"]["version"]


def test_describe_run__of_a_run_without_tests_explains_no_columns() -> None:
    given: dict[str, Any] = {"command": "nextlmm pca", "options": {}, "inputs": {}, "threads": 1}
    header = describe_run(**given, has_results=False)
    assert set(describe_run(**given)) - set(header) == {"columns"}
