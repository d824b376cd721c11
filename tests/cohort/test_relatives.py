"""Lists, pedigrees and pairs of relatives.

The numbers of these files come back as they were written, so no comparison needs a tolerance.
"""

import contextlib
import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextlmm.cohort.pedigree import Pedigree
from nextlmm.cohort.relatives import (
    KinshipList,
    order_of,
    read_order,
    read_relatives,
)
from nextlmm.errors import AlignmentError, FormatError, InputError
from nextlmm.genotype.plink_tables import read_fam
from nextlmm.relatedness.ordering import groups_of_pairs, groups_of_pedigree

from .examples import samples, table


def write(tmp_path, content, name="r.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(tmp_path, content, name="r.txt"):
    return read_relatives(write(tmp_path, content, name))


def parents_by_name(found, ids):
    """{sample: (father, mother)}, by name if genotyped, "?" for a parent who is not."""
    name_of = {name: ids[at] for at, name in enumerate(found.sample)}
    assert len(name_of) == len(ids)

    def called(name):
        return None if name is None else name_of.get(name, "?")

    rows = zip(ids, found.father, found.mother, strict=True)
    return {name: (called(father), called(mother)) for name, father, mother in rows}


def pairs_by_name(found, ids):
    rows = zip(found.first, found.second, found.relationship.tolist(), strict=True)
    return [(ids[i], ids[j], relationship) for i, j, relationship in rows]


# An order.


@given(order=st.permutations(range(7)), n_listed=st.integers(1, 7))
def test_order_of__listed_in_their_order_and_the_rest_in_its_own(order, n_listed):
    listed = order[:n_listed]
    found = order_of(samples([f"I{i}" for i in range(7)]), table([f"I{i}" for i in [*listed, 99]]))
    assert found.order.tolist() == [*listed, *sorted(set(range(7)) - set(listed))]
    assert found.n_unlisted == 7 - n_listed


def test_read_order__families_where_needed(tmp_path):
    listed = read_order(write(tmp_path, "B 1\r\nA 2\r\nA 1\r\n"))
    found = order_of(samples(["1", "1", "2"], ["A", "B", "A"]), listed)
    assert found.order.tolist() == [1, 2, 0]
    found = order_of(samples(["2", "3", "1"], ["F", "F", "A"]), listed)
    assert found.order.tolist() == [2, 0, 1]
    assert found.n_unlisted == 2


def test_order_of__a_sample_listed_twice(tmp_path):
    listed = read_order(write(tmp_path, "IID\na\nb\n\na\n"))
    with pytest.raises(AlignmentError, match=r"r\.txt: sample 'a' has two rows, on lines 2 and 5"):
        order_of(samples(["a", "b"]), listed)
    with pytest.raises(AlignmentError, match="none of the 3 samples"):
        order_of(samples(["x"]), listed)


# Pedigrees.

PEDIGREE = "FID IID father mother sex\nF1 a 0 0 1\nF1 b 0 0 2\nF1 c a b 1\nF2 d a z 2\n"
PEDIGREES = {
    "spaces": PEDIGREE,
    "padded": PEDIGREE.replace(" ", "   "),
    "tabs": PEDIGREE.replace(" ", "\t"),
    "commas": PEDIGREE.replace(" ", ","),
    "semicolons": PEDIGREE.replace(" ", ";"),
    "crlf": PEDIGREE.replace("\n", "\r\n"),
    "mark": "\ufeff" + PEDIGREE,
    "hash": "#" + PEDIGREE,
    "gzip": gzip.compress(PEDIGREE.encode()),
    "duplicated rows": PEDIGREE + "F1 a 0 0 1\nF1 c a b 1\n",
    "empty cells": PEDIGREE.replace(" 0 0 ", " , ,").replace(" ", ",").replace(",,,", ",,"),
    "empty tabs": PEDIGREE.replace(" 0 0 ", "\t\t\t").replace(" ", "\t"),
    "points": PEDIGREE.replace("0 0", ". NA"),
    "psam": PEDIGREE.replace("FID", "#FID").replace("father mother", "PAT MAT"),
    "long names": PEDIGREE.replace("father mother", "Paternal_ID Maternal_ID"),
    "animals": "animal,sire,dam\na,0,0\nb,0,0\nc,a,b\nd,a,z\n",
    "no rows of parents": "id dad mom\nc a b\nd a z\n",
    "another order": "mum sex dad IID\nz 2 a d\n0 1 0 a\nb 1 a c\n",
}


@pytest.mark.parametrize("dialect", PEDIGREES)
def test_read_relatives__pedigrees(tmp_path, dialect):
    pedigree = read(tmp_path, PEDIGREES[dialect])
    assert isinstance(pedigree, Pedigree)
    ids = ["x", "d", "c", "b", "a"]
    found = pedigree.parents(samples(ids))
    assert parents_by_name(found, ids) == {
        "x": (None, None),
        "d": ("a", "?"),
        "c": ("a", "b"),
        "b": (None, None),
        "a": (None, None),
    }
    assert found.n_unlisted == 1
    assert found.warnings == ()


def test_read_relatives__one_parent(tmp_path):
    found = read(tmp_path, "id,dam\na,m\nb,m\nc,\n").parents(samples(["a", "b", "c"]))
    assert found.father == (None, None, None)
    assert found.mother[0] == found.mother[1] is not None
    assert found.mother[2] is None


@pytest.mark.parametrize("name", ["g.fam", "g.FAM", "g.fam.gz"])
def test_read_relatives__fam_without_header(tmp_path, name):
    content = b"F1 a 0 0 1 -9\nF1 b a 0 2 -9\n"
    content = gzip.compress(content) if name.endswith("gz") else content
    ids = ["b", "a"]
    found = read(tmp_path, content, name).parents(samples(ids, ["F1", "F1"]))
    assert parents_by_name(found, ids) == {"b": ("a", None), "a": (None, None)}
    with pytest.raises(FormatError, match="is no header of a pedigree"):
        read(tmp_path, content, "g.txt")
    named = read(tmp_path, "FID IID PAT MAT\nF1 b a 0\n", "h.fam").parents(samples(ids))
    assert parents_by_name(named, ids) == {"b": ("a", None), "a": (None, None)}


def test_parents__a_parent_of_any_family_while_sample_ids_are_unique(tmp_path):
    pedigree = read(tmp_path, "FID IID sire dam\nP1 c s m\nP2 d s n\nP3 s 0 0\n")
    found = pedigree.parents(samples(["c", "d", "s"], ["P1", "P2", "P3"]))
    assert found.father == (found.sample[2], found.sample[2], None)
    assert found.mother[0] != found.mother[1]
    assert found.warnings == ()


def test_parents__of_the_family_where_sample_ids_are_shared(tmp_path):
    pedigree = read(tmp_path, "FID IID pat mat\nA 1 9 0\nA 2 9 1\nB 1 9 0\nB 2 9 1\n")
    found = pedigree.parents(samples(["1", "2", "1", "2"], ["B", "B", "A", "A"]))
    assert found.mother == (None, found.sample[0], None, found.sample[2])
    assert found.father[0] == found.father[1] != found.father[2] == found.father[3]
    assert len({*found.father, *found.sample}) == 6


def test_parents__shared_sample_ids_without_families(tmp_path):
    pedigree = read(tmp_path, "IID pat mat\n1 0 0\n2 1 0\n")
    with pytest.raises(AlignmentError, match="no family IDs to tell them apart"):
        pedigree.parents(samples(["1", "1"], ["A", "B"]))


@st.composite
def pedigrees(draw):
    """Parents (n,) of the individuals 0, 1, ...: earlier ones, -1 if not known."""
    n = draw(st.integers(1, 12))
    return [
        (draw(st.integers(-1, i - 1)), draw(st.integers(-1, i - 1)), draw(st.booleans()))
        for i in range(n)
    ]


@given(individuals=pedigrees(), order=st.randoms(use_true_random=False))
def test_parents__every_pedigree_comes_back(individuals, order):
    names = [f"I{i}" for i in range(len(individuals))] + ["0"]  # -1 is the last
    rows = [f"{names[i]} {names[f]} {names[m]}" for i, (f, m, _) in enumerate(individuals)]
    order.shuffle(rows)
    ids = [f"I{i}" for i, (_, _, is_genotyped) in enumerate(individuals) if is_genotyped]
    with tempfile.TemporaryDirectory() as folder:
        pedigree = read(Path(folder), "IID father mother\n" + "\n".join(rows))
    if not ids:
        with pytest.raises(AlignmentError, match="none of the"):
            pedigree.parents(samples(["other"]))
        return
    found = pedigree.parents(samples(ids))

    def expected(parent):
        if parent == -1:
            return None
        return f"I{parent}" if individuals[parent][2] else "?"

    assert parents_by_name(found, ids) == {
        f"I{i}": (expected(f), expected(m)) for i, (f, m, is_on) in enumerate(individuals) if is_on
    }
    # Two samples have the same identifier of a parent if and only if it is the same one.
    actual = [individuals[int(name[1:])][0] for name in ids]
    assert len(set(found.father)) == len(set(actual))
    assert len({*zip(found.father, actual, strict=True)}) == len(set(actual))


# Pairs.

KING = "FID1\tID1\tFID2\tID2\tN_SNP\tHetHet\tIBS0\tKinship\n"
KINSHIPS = {
    "king .kin0": KING + "F\ta\tF\tb\t9\t0.1\t0.0\t0.25\nF\tb\tG\tc\t9\t0.1\t0.0\t-0.125\n",
    "king .kin": "FID ID1 ID2 N_SNP Z0 Phi HetHet IBS0 Kinship Error\n"
    "F a b 9 0.0 0.1 0.1 0.0 0.25 0\nF b c 9 0.0 0.1 0.1 0.0 -0.125 0\n",
    "plink 2": "#FID1\tIID1\tFID2\tIID2\tNSNP\tHETHET\tIBS0\tKINSHIP\n"
    "F\ta\tF\tb\t9\t0.1\t0\t0.25\nF\tb\tG\tc\t9\t0.1\t0\t-1.25e-1\n",
    "plink 2, no families": "#IID1\tIID2\tNSNP\tHETHET\tIBS0\tKINSHIP\n"
    "a\tb\t9\t0.1\t0\t0.25\nb\tc\t9\t0.1\t0\t-0.125\n",
    "plink .genome": " FID1  IID1 FID2  IID2 RT    EZ      Z0  PI_HAT PHE\n"
    "    F     a    F     b UN    NA  1.0000  0.5000  -1\n"
    "    F     b    G     c UN    NA  1.0000  -0.25  -1\n",
    "commas": "ID1,ID2,kinship\r\na,b,0.25\r\nb,c,-.125\r\n",
    "kinship before pi_hat": "ID1 ID2 PI_HAT KINSHIP\na b 0.9 0.25\nb c 0.9 -0.125\n",
    "self pairs": "ID1 ID2 Kinship\na a 0.5\na b 0.25\nb b 0.5\nb c -0.125\nx x 0.5\n",
    "other samples": "ID1 ID2 Kinship\na b 0.25\nx a 0.1\nc y 0.1\nx y 0.1\nb c -0.125\n",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dialect", KINSHIPS)
def test_read_relatives__pairs(tmp_path, dialect, packed):
    content = KINSHIPS[dialect].encode()
    kinship = read(tmp_path, gzip.compress(content) if packed else content)
    assert isinstance(kinship, KinshipList)
    ids = ["c", "u", "b", "a"]
    found = kinship.pairs(samples(ids))
    assert pairs_by_name(found, ids) == [("a", "b", 0.5), ("b", "c", -0.25)]
    assert found.n_unlisted == 1
    assert found.warnings == ()


def test_read_relatives__pairs_without_kinship_are_parent_and_child(tmp_path):
    found = read(tmp_path, "IID1 IID2\na b\nb a\na b\n").pairs(samples(["a", "b"]))
    assert found.first.tolist() == [0, 1, 0]
    assert found.second.tolist() == [1, 0, 1]
    assert found.relationship.tolist() == [0.5, 0.5, 0.5]


def test_pairs__families_tell_shared_sample_ids_apart(tmp_path):
    content = "FID1 ID1 FID2 ID2 Kinship\nA 1 B 1 0.25\nB 1 A 2 0.125\n"
    found = read(tmp_path, content).pairs(samples(["2", "1", "1"], ["A", "A", "B"]))
    assert found.first.tolist() == [1, 2]
    assert found.second.tolist() == [2, 0]
    with pytest.raises(AlignmentError, match=r"number 1 and 2 of g\.fam share the sample"):
        read(tmp_path, "ID1 ID2\n1 2\n").pairs(samples(["1", "1"], ["A", "B"]))


def test_pairs__none_but_of_samples_that_are_there(tmp_path):
    found = read(tmp_path, "ID1 ID2\na x\n").pairs(samples(["a", "b"]))
    assert len(found.first) == len(found.second) == len(found.relationship) == 0
    with pytest.raises(AlignmentError, match=r"none of the 2 samples of .*r\.txt \('a', 'x'\)"):
        read(tmp_path, "ID1 ID2\na x\n").pairs(samples(["b"]))


PAIRS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.floats(-1, 1)), min_size=1, max_size=20
)


@given(pairs=PAIRS, analysed=st.sets(st.integers(0, 7), min_size=1))
def test_pairs__every_list_comes_back(pairs, analysed):
    rows = [f"I{i}\tI{j}\t{kinship!r}\n" for i, j, kinship in pairs]
    with tempfile.TemporaryDirectory() as folder:
        kinship = read(Path(folder), "ID1\tID2\tKinship\n" + "".join(rows))
    ids = [f"I{i}" for i in analysed]
    listed = {i for pair in pairs for i in pair[:2]}
    if not listed & analysed:
        with pytest.raises(AlignmentError, match="none of the"):
            kinship.pairs(samples(ids))
        return
    found = kinship.pairs(samples(ids))
    assert found.n_unlisted == len(analysed - listed)
    assert pairs_by_name(found, ids) == [
        (f"I{i}", f"I{j}", 2 * k) for i, j, k in pairs if {i, j} <= analysed and i != j
    ]


# What is refused.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("ID1 ID2 Kinship\n", "has a header line and nothing else"),
        ("IID father mother\n", "has a header line and nothing else"),
        ("FID IID y\nF a 1\n", "line 1: 'FID IID y' is no header of a pedigree or of pairs"),
        ("x " * 500 + "\n", r"line 1: '[x ]{60}\.\.\.' is no header"),
        ("\nIID father sire\na 0 0\n", r"line 2: the columns 2 \('father'\) and 3 \('sire'\) mean"),
        ("ID1 IID1 ID2\na a b\n", r"columns 1 \('ID1'\) and 2 \('IID1'\) mean the same"),
        ("FID1 ID1 ID2\nF a b\n", "line 1: only one of the columns FID1 and FID2 is there"),
        ("ID1 ID2 Kinship\na b\n", r"line 2: 2 cells \(a b\); expected 3"),
        ("ID1,ID2,Kinship\na,b,0.1\na,,0.1\n", "line 3: the row lacks an ID"),
        ("IID,father,mother\n,a,b\n", "line 2: the row lacks an ID"),
        ("FID,IID,father,mother\n,c,a,b\n", "line 2: the row lacks an ID"),
        ("ID1 ID2 Kinship\na b 0.1\na c high\n", "line 3: column 'Kinship' is 'high'; expected"),
        ("ID1 ID2 KINSHIP\na b nan\n", "line 2: column 'KINSHIP' is 'nan'; expected a finite"),
        ("ID1 ID2 KINSHIP\na b inf\n", "line 2: column 'KINSHIP' is 'inf'"),
        ("ID1 ID2 KINSHIP\na b 1e999\n", "line 2: column 'KINSHIP' is '1e999'"),
        ("ID1 ID2 PI_HAT\na b 0,5\n", "line 2: column 'PI_HAT' is '0,5'; .* decimal point"),
        ("ID1\tID2\tPI_HAT\na\tb\t\n", "line 2: column 'PI_HAT' is ''"),
        ("IID pat mat\nc a b\nd c c\nc a d\n", "'c' has two rows with different parents, on lines"),
        ("IID pat mat\nc a 0\nd c c\nc a d\n", "different parents, on lines 2 and 4; expected one"),
        ("IID pat mat\na 0 0\nc c 0\n", "line 3: sample 'c' is its own parent"),
    ],
)
def test_read_relatives__refused(tmp_path, content, message):
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path, content)
    assert "r.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_relatives__fam_with_too_few_columns(tmp_path):
    with pytest.raises(FormatError, match=r"g\.fam, line 1: 'F a 0 0' is no header .*5 or 6"):
        read(tmp_path, "F a 0 0\n", "g.fam")


CELLS = st.sampled_from(
    [
        *("FID", "IID", "ID1", "ID2", "#IID1", "Kinship", "father", "dam", "I1", "I2", "0", "NA"),
        *("0.25", "-1", "nan", "", '"', "é", "1,5"),
    ]
)
SEPARATORS = st.sampled_from([" ", "\t", ",", ";", "\n", "\r\n", "\n\n"])
HEADERS = st.sampled_from(["", "IID father mother\n", "ID1,ID2,Kinship\n", "FID\tIID\tsire\tdam\n"])
BODIES = st.lists(st.tuples(CELLS, SEPARATORS), max_size=30).map(
    lambda pieces: "".join(cell + separator for cell, separator in pieces)
)


@given(header=HEADERS, body=BODIES, name=st.sampled_from(["r.txt", "r.fam"]))
@example(header="FID IID sire dam\n", body="F I1 I2 0\nG I1 I2 0\n", name="r.txt")
def test_read_relatives__relatives_or_sentence(header, body, name):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), header + body, name)
        with contextlib.suppress(InputError):
            found = read_relatives(path)
            analysed = samples(["I1", "I2"])
            if isinstance(found, Pedigree):
                assert len(found.parents(analysed).father) == 2
            else:
                assert (found.pairs(analysed).first != found.pairs(analysed).second).all()


# What they are read for.


def test_groups__of_a_pedigree_and_of_its_pairs(shared_data, tmp_path):
    folder = shared_data / "sim2k_50k"
    genotyped = read_fam(folder / "geno.fam")
    pedigree = read_relatives(folder / "pedigree.txt")
    found = pedigree.parents(genotyped)
    group = groups_of_pedigree(found.sample, found.father, found.mother, largest=len(genotyped))
    assert found.n_unlisted == 0
    # The same from pairs of parent and child, and from pairs of siblings of an absent parent.
    children: dict[str, list[int]] = {name: [at] for at, name in enumerate(found.sample)}
    for parents in (found.father, found.mother):
        for at, name in enumerate(parents):
            if name is not None:
                children.setdefault(name, []).append(at)
    edges = [(c[0], other) for c in children.values() for other in c[1:]]
    ids = genotyped.sample_id
    content = "ID1 ID2\n" + "".join(f"{ids[i]} {ids[j]}\n" for i, j in edges)
    pairs = read(tmp_path, content).pairs(genotyped)
    same = groups_of_pairs(
        len(genotyped), pairs.first, pairs.second, pairs.relationship, largest=len(genotyped)
    )
    assert group.max() > 0
    assert len({*zip(group, same, strict=True)}) == len(set(group)) == len(set(same))
    assert len(set(group)) < len(genotyped)
