import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from nextlmm.errors import OutputError
from nextlmm.output import publication as publication_module
from nextlmm.output.publication import Publication, check_writable

Writer = Callable[[BinaryIO], None]


def text(content: str) -> Writer:
    def write(handle: BinaryIO) -> None:
        handle.write(content.encode())

    return write


def failing(problem: BaseException) -> Writer:
    def write(handle: BinaryIO) -> None:
        handle.write(b"half")
        raise problem

    return write


def publish(files: dict[Path, Writer]) -> None:
    with Publication() as publication:
        for path, writer in files.items():
            publication.write(path, writer)


def test_files_appear_when_the_block_ends(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    with Publication() as publication:
        publication.write(first, text("one"))
        publication.write(second, text("two"))
        assert not first.exists()
        assert not second.exists()
    assert first.read_text() == "one"
    assert second.read_text() == "two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_an_earlier_result_is_replaced_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        publish({target: text("new"), tmp_path / "b.txt": failing(RuntimeError())})
    assert target.read_text() == "old"
    publish({target: text("new")})
    assert target.read_text() == "new"


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError])
def test_nothing_is_left_after_a_failure(tmp_path: Path, problem: type[BaseException]) -> None:
    with pytest.raises(problem):
        publish({tmp_path / "a.txt": text("one"), tmp_path / "b.txt": failing(problem())})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    full = OSError(28, "No space left on device")
    with pytest.raises(OutputError, match=r"a\.txt cannot be written \(No space left.*free some"):
        publish({tmp_path / "a.txt": failing(full)})
    assert list(tmp_path.iterdir()) == []


def test_the_usual_permissions_apply(tmp_path: Path) -> None:
    with Publication() as publication:
        publication.write(tmp_path / "a.txt", text("one"))
    (tmp_path / "b.txt").write_text("made by open()")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.txt", "b.txt")}
    assert len(modes) == 1


def test_an_unfinished_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    seen = []

    def write(handle: BinaryIO) -> None:
        seen.append(stat.S_IMODE(os.fstat(handle.fileno()).st_mode))

    with Publication() as publication:
        publication.write(tmp_path / "a.txt", write)
        seen += [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()]
    assert seen == [0o600, 0o600]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_mask_of_the_user_decides_who_reads_results(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        publish({tmp_path / "a.txt": text("one")})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o666 & ~mask


def test_the_longest_legal_name_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    check_writable([target])
    with Publication() as publication:
        publication.write(target, text("one"))
    assert target.read_text() == "one"


def test_check_writable__leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert list(tmp_path.iterdir()) == []


def test_check_writable__missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist; create it or choose another --out"):
        check_writable([tmp_path / "nowhere" / "a.txt"])


def test_check_writable__a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is not a folder"):
        check_writable([tmp_path / "file" / "a.txt"])


def test_check_writable__a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_writable([tmp_path / "a.txt"])


def test_check_writable__name_too_long(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="choose a shorter --out or trait name"):
        check_writable([tmp_path / ("x" * 256)])


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_check_writable__folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="check the permissions"):
        check_writable([tmp_path / "a.txt"])
    tmp_path.chmod(0o700)


def test_an_interrupted_process_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\n"
        "from nextlmm.output.publication import Publication\n"
        "with Publication() as publication:\n"
        "    publication.write(Path(sys.argv[1]), lambda handle: handle.write(b'x'))\n"
        "    print('staged', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a.txt")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"staged\n"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    assert list(tmp_path.iterdir()) == []


def fail_at(
    monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[], None], *, links: bool = True
) -> None:
    """Call ``action`` when the move of the file of that number (from 1) is asked for."""
    move = os.replace
    calls = []

    def replace(source: Path, target: Path) -> None:
        if not target.name.startswith(".nextlmm-") and source.suffix == ".part":
            calls.append(target)
            if len(calls) == number:
                action()
        move(source, target)

    monkeypatch.setattr(publication_module.os, "replace", replace)
    if not links:
        monkeypatch.setattr(publication_module.os, "link", refuse)


def refuse(*args: object, **keywords: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_failed_move_puts_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, links: bool
) -> None:
    (tmp_path / "a.txt").write_text("old a")
    (tmp_path / "c.txt").write_text("old c")
    before = contents(tmp_path)
    fail_at(monkeypatch, number, refuse, links=links)
    with pytest.raises(OutputError, match=r"cannot be written \(Operation not permitted\)"):
        publish({tmp_path / name: text("new") for name in ("a.txt", "b.txt", "c.txt")})
    assert contents(tmp_path) == before


def test_what_cannot_be_put_back_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("old a")
    fail_at(monkeypatch, 2, refuse)
    monkeypatch.setattr(publication_module, "_restore", lambda path, backup: False)
    with pytest.raises(OutputError, match=r"a\.txt as it was is in .*\.nextlmm-.*\.part"):
        publish({tmp_path / name: text("new") for name in ("a.txt", "b.txt")})
    assert "old a" in contents(tmp_path).values()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_moving_waits_for_the_last_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def handle(received: int, frame: object) -> None:
        raise KeyboardInterrupt(received)

    (tmp_path / "a.txt").write_text("old a")
    fail_at(monkeypatch, 2, lambda: os.kill(os.getpid(), number))
    previous = signal.signal(number, handle)
    try:
        with pytest.raises(KeyboardInterrupt):
            publish({tmp_path / name: text("new") for name in ("a.txt", "b.txt", "c.txt")})
        assert signal.getsignal(number) is handle
    finally:
        signal.signal(number, previous)
    assert contents(tmp_path) == dict.fromkeys(("a.txt", "b.txt", "c.txt"), "new")
