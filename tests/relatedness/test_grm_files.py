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
LOWER, BELOW = np.tril_indices(N), np.tril_indices(N, -1)
BINARY = (".grm.bin", ".rel.bin")


@pytest.fixture
def k(rng):
    z = rng.normal(size=(N, 20))
    return z @ z.T / 20


def square_text(k, separator="\t"):
    return "".join(separator.join(map(repr, row)) + "\n" for row in k.tolist())


def triangle_text(k):
    return "".join("\t".join(map(repr, k[i, : i + 1].tolist())) + "\n" for i in range(N))


def below_text(k):
    return "".join("\t".join(map(repr, k[i, :i].tolist())) + "\n" for i in range(1, N))


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
    "king": (".king", ".king.id", lambda k: square_text(k / 2.0).encode()),
    "king triangle": (".king", ".king.id", lambda k: below_text(k / 2.0).encode()),
    "king bin": (".king.bin", ".king.id", lambda k: (k / 2.0).astype("<f8").tobytes()),
    "king bin triangle": (".king.bin", ".king.id", lambda k: (k / 2.0)[BELOW].tobytes()),
    "king bin4 triangle": (
        ".king.bin",
        ".king.id",
        lambda k: (k / 2.0)[BELOW].astype("<f4").tobytes(),
    ),
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
    single = kind in ("gcta", "plink2 bin4 triangle", "king bin4 triangle")
    if kind.startswith("king"):  # which does not know inbreeding
        np.fill_diagonal(k, 1.0)
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
    with pytest.raises(FormatError, match=r"of shape .1,. and type object"):
        read_relationships(tmp_path / "k.npy", tmp_path / "who.txt")


def test_sparse_matrices_have_zeros_elsewhere(tmp_path):
    (tmp_path / "m.grm.id").write_text("".join(f"F{i}\ts{i}\n" for i in range(N)))
    entries = [*((i, i, 1.0) for i in range(N)), (3, 1, 0.25)]
    (tmp_path / "m.grm.sp").write_text("".join(f"{i}\t{j}\t{v}\n" for i, j, v in entries))
    expected = np.eye(N)
    expected[3, 1] = expected[1, 3] = 0.25
    found = read_relationships(tmp_path / "m")
    np.testing.assert_array_equal(found.among(np.arange(N)), expected)
    some = np.array([3, 0, 1])
    np.testing.assert_array_equal(found.among(some), expected[np.ix_(some, some)])
    (tmp_path / "m.grm.sp").write_text("0\t7\t1.0\n")
    with pytest.raises(FormatError, match=r"line 1: 0 7 1; expected two positions"):
        read_relationships(tmp_path / "m")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [(3, 1, 0.25), (1, 3, 0.5)],
            r"two values to one .* 0\.25 on line 8 and 0\.5 on line 9",
        ),
        ([(3, 1, np.nan)], r"line 8: 3 1 nan; expected two positions"),
    ],
)
def test_sparse_matrices_that_are_none(tmp_path, entries, message):
    (tmp_path / "m.grm.id").write_text("".join(f"F{i}\ts{i}\n" for i in range(N)))
    entries = [*((i, i, 1.0) for i in range(N)), *entries]
    (tmp_path / "m.grm.sp").write_text("".join(f"{i}\t{j}\t{v}\n" for i, j, v in entries))
    with pytest.raises(FormatError, match=message):
        read_relationships(tmp_path / "m")


def test_sparse_matrices_relate_everyone_to_itself(tmp_path):
    (tmp_path / "m.grm.id").write_text("".join(f"F{i}\ts{i}\n" for i in range(N)))
    (tmp_path / "m.grm.sp").write_text("".join(f"{i}\t{i}\t1\n" for i in range(N) if i != 4))
    with pytest.raises(FormatError, match="no entry that relates the sample on row 5 of"):
        read_relationships(tmp_path / "m")


def saige(folder, k, symmetry="symmetric", *, field="real"):
    """A matrix as SAIGE writes it; return its path."""
    which = np.argwhere(np.tril(k) if symmetry == "symmetric" else k)
    lines = [f"{i + 1} {j + 1} {k[i, j].item()!r}\n" for i, j in which]
    head = f"%%MatrixMarket matrix coordinate {field} {symmetry}\n{N} {N} {len(lines)}\n"
    path = folder / "a.sparseGRM.mtx"
    path.write_text(head + "".join(lines))
    ids = "".join(f"s{i}\n" for i in range(N))
    (folder / "a.sparseGRM.mtx.sampleIDs.txt").write_text(ids)
    return path


@pytest.mark.parametrize("symmetry", ["symmetric", "general"])
def test_saige(tmp_path, k, symmetry):
    k[np.abs(k) < 0.2] = 0.0
    path = saige(tmp_path, k, symmetry)
    for name in (path, tmp_path / "a.sparseGRM"):
        found = read_relationships(name)
        np.testing.assert_allclose(found.among(np.arange(N)), k, rtol=1e-15)
        assert found.samples.sample_id.tolist() == [f"s{i}" for i in range(N)]
        assert found.files["grm_id"] == f"{path}.sampleIDs.txt"


@pytest.mark.parametrize(
    ("write_it", "message"),
    [
        (lambda folder, k: saige(folder, np.tril(k), "general"), "is not symmetric: row"),
        (lambda folder, k: saige(folder, k, field="complex"), "cannot be read|is a complex matrix"),
        (lambda folder, k: saige(folder, k, field="pattern"), "is a pattern matrix of 7 rows"),
        (lambda folder, k: saige(folder, np.where(np.eye(N) > 0, np.nan, k)), "holds nan in row"),
    ],
)
def test_saige__matrices_that_are_none(tmp_path, k, write_it, message):
    path = write_it(tmp_path, k)
    with pytest.raises(FormatError, match=message):
        read_relationships(path)


@pytest.mark.parametrize("change", [lambda t: t[: len(t) // 2], lambda t: "x" + t, lambda t: ""])
def test_saige__damaged(tmp_path, k, change):
    path = saige(tmp_path, k)
    path.write_text(change(path.read_text()))
    with pytest.raises(FormatError, match="cannot be read as a MatrixMarket file"):
        read_relationships(path)


def test_saige__of_other_samples(tmp_path, k):
    path = saige(tmp_path, k)
    (tmp_path / "who").write_text("a\nb\n")
    with pytest.raises(FormatError, match=r"of 7 rows and 7 columns; expected .* the 2 samples of"):
        read_relationships(path, tmp_path / "who")


PAIRS = [(1, 0, 0.25), (2, 0, -0.02), (4, 3, 0.125)]
OF_PAIRS = np.eye(5)
for _i, _j, _kinship in PAIRS:
    OF_PAIRS[_i, _j] = OF_PAIRS[_j, _i] = 2.0 * _kinship


def kin0(pairs, *, families=True, separator="\t"):
    """A table as PLINK 2 writes it."""
    names = "#FID1 IID1 FID2 IID2" if families else "#IID1 IID2"
    rows = [f"{names} NSNP HETHET IBS0 KINSHIP"]
    for i, j, kinship in pairs:
        people = f"F{i} s{i} F{j} s{j}" if families else f"s{i} s{j}"
        rows.append(f"{people} 100 0.1 0.1 {kinship}")
    return "".join(row.replace(" ", separator) + "\n" for row in rows)


@pytest.mark.parametrize("families", [True, False])
@pytest.mark.parametrize("separator", ["\t", " ", "  "])
def test_tables_of_pairs(tmp_path, families, separator):
    """Twice the kinship, 1 on the diagonal, 0 where no row names a pair."""
    (tmp_path / "m.kin0").write_text(kin0(PAIRS, families=families, separator=separator))
    found = read_relationships(tmp_path / "m")
    order = [found.samples.sample_id.tolist().index(f"s{i}") for i in range(5)]
    np.testing.assert_array_equal(found.among(np.array(order)), OF_PAIRS)
    assert (found.samples.family_id is None) != families


def test_tables_of_pairs__within_and_between_families(tmp_path):
    """What KING writes: both files belong together, whichever is named."""
    within = "FID ID1 ID2 N_SNP Z0 Phi HetHet IBS0 Kinship Error\nF0 s0 s1 9 0 .2 .1 .1 0.25 0\n"
    between = "FID1 ID1 FID2 ID2 N_SNP HetHet IBS0 Kinship\nF0 s0 F2 s2 9 .1 .1 -0.02\n"
    between += "F3 s3 F4 s4 9 .1 .1 0.125\n"
    (tmp_path / "m.kin").write_text(within.replace(" ", "\t"))
    (tmp_path / "m.kin0").write_text(between.replace(" ", "\t"))
    for name in ("m", "m.kin", "m.kin0"):
        found = read_relationships(tmp_path / name)
        order = [found.samples.sample_id.tolist().index(f"s{i}") for i in range(5)]
        np.testing.assert_array_equal(found.among(np.array(order)), OF_PAIRS)
        assert set(found.files) == {"grm", "grm_within"}


def test_tables_of_pairs__a_list_says_who_else_there_is(tmp_path):
    (tmp_path / "m.kin0").write_text(kin0(PAIRS))
    (tmp_path / "who").write_text("".join(f"F{i} s{i}\n" for i in (7, 4, 3, 1)))
    found = read_relationships(tmp_path / "m", tmp_path / "who")
    assert found.samples.sample_id.tolist() == ["s7", "s4", "s3", "s1"]
    expected = np.eye(4)
    expected[1, 2] = expected[2, 1] = 0.25
    np.testing.assert_array_equal(found.among(np.arange(4)), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            kin0([*PAIRS, (0, 1, 0.2)]),
            r"two values to one pair of samples, 0\.5 on line 2 and 0\.4",
        ),
        (kin0([*PAIRS, (2, 2, 0.5)]), "line 5: sample 's2' is paired with itself"),
        (kin0([*PAIRS, (2, 3, "nan")]), "line 5: the kinship of 's2' and 's3' is 'nan'"),
        (kin0([*PAIRS, (2, 3, "x")]), "line 5: the kinship of 's2' and 's3' is 'x'"),
        (kin0(PAIRS)[:-20], r"line 4: the kinship of 's4' and 's' is ''"),
        (kin0([]), "names no pair"),
        ("", "there is no column ID1"),
        (kin0(PAIRS).replace("KINSHIP", "PHI"), "line 1: there is no column KINSHIP among"),
        (kin0(PAIRS) + "a\tb\tc\td\t1\t2\t3\t0.1\t9\n", "cannot be read as a table of pairs"),
    ],
)
def test_tables_of_pairs__that_are_none(tmp_path, content, message):
    (tmp_path / "m.kin0").write_text(content)
    with pytest.raises(FormatError, match=message):
        read_relationships(tmp_path / "m.kin0")


def test_matrices_that_do_not_fit_in_memory(tmp_path, k):
    path = write(tmp_path, k, "gcta")
    read_relationships(path, held_bytes=8 * N * N)
    with pytest.raises(UsageError, match=r"of 7 samples takes .* GiB, but large arrays may take"):
        read_relationships(path, held_bytes=8 * N * N - 1)


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


@pytest.mark.parametrize("shape", ["square", "triangle"])
@pytest.mark.parametrize("kind", ["", "bin", "bin4"])
def test_what_plink2_writes_of_kinship(shared_data, tmp_path, shape, kind):
    program = shutil.which("plink2")
    if program is None:
        pytest.skip("needs plink2 on the PATH")
    for out, words in (("m", ["--make-king", shape, *([kind] if kind else [])]), ("t", [])):
        words = words or ["--make-king-table"]
        words = [program, "--bfile", str(shared_data / "formats/base/geno"), "--out", out, *words]
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    found, same = read_relationships(tmp_path / "m"), read_relationships(tmp_path / "t")
    names = found.samples.sample_id.tolist()
    order = np.array([names.index(name) for name in same.samples.sample_id])
    everyone = np.arange(len(order))
    np.testing.assert_allclose(
        found.among(order), same.among(everyone), rtol=2e-5 if kind != "" else 1e-15, atol=2e-6
    )
    assert found.among(order).diagonal().tolist() == [1.0] * 100
