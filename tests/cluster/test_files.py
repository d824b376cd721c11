"""A file is known by its size and three parts of it."""

from nextlmm.cluster.files import FileMark


def test_the_same_file_is_known_and_another_is_not(tmp_path):
    path = tmp_path / "genotypes.bed"
    content = bytes(range(256)) * 1024
    path.write_bytes(content)
    mark = FileMark.of(str(path))
    assert mark.is_here()
    for at in (0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert not mark.is_here()
    path.write_bytes(content[:-1])
    assert not mark.is_here()
    path.unlink()
    assert not mark.is_here()
    assert not FileMark.of(str(path)).is_here()


def test_an_empty_file_has_a_mark(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    assert FileMark.of(str(path)).is_here()
