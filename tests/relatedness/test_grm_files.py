"""Relationship matrices of every format, by definition, and what does not fit."""

import gzip
import re
import shutil
import subprocess

import numpy as np
import pytest

from nextlmm.errors import FormatError, MissingFileError, UsageError
from nextlmm.relatedness.grm_files import read_relationships

N = 7
LOWER = np.tril_indices(N)
BINARY = (".grm.bin", ".rel.bin")


@pytest.fixture
def k(rng):
    z = rng.normal(size=(N, 20))
    return z @ z.T / 20


def square_text(k, separator="\t"):
    return "".join(separator.join(map(repr, row)) + "\n" for row in k.tolist())


def triangle_text(k):
    return "".join("\t".join(map(repr, k[i, : i + 1].tolist())) + "\n" for i in range(N))


def gcta_text(k):
    lines = [f"{i + 1}\t{j + 1}\t100\t{k[i, j].item()!r}\n" for i, j in zip(*LOWER, strict=True)]
    return "".join(lines)


WRITERS = {
    "gcta": (".grm.bin", ".grm.id", lambda k: k[LOWER].astype("<f4").tobytes()),
    "gcta text": (".grm.gz", ".grm.id", lambda k: gzip.compress(gcta_text(k).encode())),
    "plink2 bin": (".rel.bin", ".rel.id", lambda k: k.astype("<f8").tobytes()),
    "plink2 bin4 triangle": (".rel.bin", ".rel.id", lambda k: k[LOWER].astype("<f4").tobytes()),
    "plink2 bin triangle": (".rel.bin", ".rel.id", lambda k: k[LOWER].astype("<f8").tobytes()),
    "plink2 text": (".rel", ".rel.id", lambda k: square_text(k).encode()),
    "plink2 triangle": (".rel", ".rel.id", lambda k: triangle_text(k).encode()),
    "gemma": (".cXX.txt", ".id", lambda k: square_text(k).encode()),
    "commas": (".txt", ".id", lambda k: square_text(k, ",").encode()),
}


def write(folder, k, kind, *, header="#FID\tIID\n"):
    """Write a matrix and its list of samples; return its path."""
    end, list_end, content = WRITERS[kind]
    (folder / f"m{end}").write_bytes(content(k))
    stem = f"m{end}".removesuffix(".txt") if end.endswith(".txt") else "m"
    ids = "".join(f"F{i}\ts{i}\n" for i in range(N))
    (folder / f"{stem}{list_end}").write_text(header + ids)
    return folder / f"m{end}"


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_is_read(tmp_path, k, kind):
    path = write(tmp_path, k, kind)
    found = read_relationships(path)
    single = "<f4" in kind or kind in ("gcta", "plink2 bin4 triangle")
    np.testing.assert_allclose(found.values, k, rtol=1e-6 if single else 1e-15, atol=1e-7)
    assert found.samples.sample_id.tolist() == [f"s{i}" for i in range(N)]
    assert found.files["grm"] == str(path)
    if kind != "gemma":
        prefix = read_relationships(tmp_path / "m")
        np.testing.assert_array_equal(prefix.values, found.values)


def test_numpy_arrays_and_lists_of_their_own(tmp_path, k):
    np.save(tmp_path / "k.npy", k)
    with pytest.raises(UsageError, match=r"there is no .*k\.id.* by the option grm-id"):
        read_relationships(tmp_path / "k.npy")
    (tmp_path / "who.txt").write_text("".join(f"s{i}\n" for i in range(N)))
    found = read_relationships(tmp_path / "k.npy", tmp_path / "who.txt")
    np.testing.assert_array_equal(found.values, k)
    np.save(tmp_path / "k.npy", k[:, :3])
    with pytest.raises(FormatError, match=r"shape \(7, 3\).*expected \(7, 7\)"):
        read_relationships(tmp_path / "k.npy", tmp_path / "who.txt")
    np.save(tmp_path / "k.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="cannot be read as a NumPy array"):
        read_relationships(tmp_path / "k.npy", tmp_path / "who.txt")


def test_sparse_matrices_have_zeros_elsewhere(tmp_path):
    (tmp_path / "m.grm.id").write_text("".join(f"F{i}\ts{i}\n" for i in range(N)))
    entries = [*((i, i, 1.0) for i in range(N)), (3, 1, 0.25)]
    (tmp_path / "m.grm.sp").write_text("".join(f"{i}\t{j}\t{v}\n" for i, j, v in entries))
    expected = np.eye(N)
    expected[3, 1] = expected[1, 3] = 0.25
    np.testing.assert_array_equal(read_relationships(tmp_path / "m").values, expected)
    (tmp_path / "m.grm.sp").write_text("0\t7\t1.0\n")
    with pytest.raises(FormatError, match=r"line 1: 0 7 1; expected two positions"):
        read_relationships(tmp_path / "m")


@pytest.mark.parametrize("kind", WRITERS)
def test_a_matrix_that_is_cut_short_is_refused(tmp_path, k, kind):
    path = write(tmp_path, k, kind)
    content = path.read_bytes()
    for length in (0, len(content) // 3, len(content) - 20):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError) as caught:
            read_relationships(path)
        text = str(caught.value)
        assert str(path) in text
        assert not re.search(r"\n|[a-z]\. [A-Z]|\.$", text)


def test_lists_that_do_not_fit(tmp_path, k):
    path = write(tmp_path, k, "gcta")
    with (tmp_path / "m.grm.id").open("a") as listed:
        listed.write("F7\ts7\n")
    with pytest.raises(FormatError, match=r"expected 144 for the lower triangle of the 8 samples"):
        read_relationships(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k: k + np.triu(np.ones((N, N)), 1), r"not symmetric: row 1, column 2 holds"),
        (lambda k: np.where(np.eye(N) > 0, np.nan, k), "holds nan in row 1, column 1"),
    ],
)
def test_matrices_that_are_none(tmp_path, k, change, message):
    path = write(tmp_path, change(k), "plink2 bin")
    with pytest.raises(FormatError, match=message):
        read_relationships(path)


def test_files_that_are_not_there_or_unknown(tmp_path):
    with pytest.raises(MissingFileError, match=r"m does not exist"):
        read_relationships(tmp_path / "m")
    (tmp_path / "m.csv").write_text("1\n")
    with pytest.raises(FormatError, match="no known format"):
        read_relationships(tmp_path / "m.csv")


@pytest.mark.parametrize("shape", ["square", "triangle"])
@pytest.mark.parametrize("kind", ["", "bin", "bin4"])
def test_what_plink2_writes(shared_data, tmp_path, shape, kind):
    program = shutil.which("plink2")
    if program is None:
        pytest.skip("needs plink2 on the PATH")
    words = [program, "--bfile", str(shared_data / "formats/base/geno"), "--out", "m"]
    words += ["--make-rel", shape, *([kind] if kind else [])]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    words = [program, "--bfile", str(shared_data / "formats/base/geno"), "--out", "g"]
    words += ["--make-grm-bin"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    found = read_relationships(tmp_path / "m")
    same = read_relationships(tmp_path / "g")
    assert found.samples.sample_id.tolist() == same.samples.sample_id.tolist()
    np.testing.assert_allclose(found.values, same.values, rtol=2e-5, atol=2e-6)
