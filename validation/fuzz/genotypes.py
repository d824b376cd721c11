"""Fuzzed readers of genotypes."""

import gzip
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tests.genotype import formats
from tests.genotype.examples import random_calls, write_bed

from nextlmm.genotype.source import GenotypeSource, open_genotypes
from validation.fuzz.mutate import Files
from validation.fuzz.reader import Reader, RefusedError, UnknownError, files_of

N, M = 13, 9
HELD_BYTES = 2**26
_COPIES = {0: 2.0, 1: float("nan"), 2: 1.0, 3: 0.0}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NO_DOSAGE = frozenset({"NA", "na", "nan", "NaN", "."})


def contents(source: GenotypeSource) -> dict[str, Any]:
    """All that a source says."""
    samples, variants = source.samples, source.variants
    return {
        "family": samples.family_id.tolist(),
        "sample": samples.sample_id.tolist(),
        "chromosome": variants.chromosome.tolist(),
        "variant": variants.variant_id.tolist(),
        "position": variants.position_bp.tolist(),
        "effect": variants.effect_allele.tolist(),
        "other": variants.other_allele.tolist(),
        "dosage": source.dosages(np.arange(len(variants))).T,
    }


def _opened(name: str, **options: Any) -> Callable[[Path], dict[str, Any]]:
    def read(folder: Path) -> dict[str, Any]:
        named = {key: folder / value for key, value in options.items() if key != "kind"}
        kind = options.get("kind")
        return contents(open_genotypes(folder / name, kind=kind, held_bytes=HELD_BYTES, **named))

    return read


def _calls(seed: int = 1, n: int = N) -> np.ndarray:
    return random_calls(np.random.default_rng(seed), n, M)


def _dosages(seed: int = 2) -> np.ndarray:
    values = np.round(np.random.default_rng(seed).uniform(0, 2, (N, M)), 3)
    values[3, 4] = np.nan
    return values


def _collect(folder: Path, writers: Sequence[Callable[[Path], object]]) -> Iterator[Files]:
    """What each writer leaves in an empty folder."""
    for write in writers:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write(folder)
        yield files_of(folder)


# PLINK 1


def _bed_seeds(folder: Path) -> list[Files]:
    plain, wide = _collect(
        folder, [lambda f: write_bed(f, _calls()), lambda f: write_bed(f, _calls(3, 8))]
    )
    by_sample = dict(plain)
    codes = {0.0: 3, 1.0: 2, 2.0: 0}
    body = bytearray()
    for row in _calls():
        row_codes = [codes.get(value, 1) for value in row.tolist()]
        row_codes += [0] * (-len(row_codes) % 4)
        body += bytes(
            sum(code << 2 * k for k, code in enumerate(row_codes[at : at + 4]))
            for at in range(0, len(row_codes), 4)
        )
    by_sample["g.bed"] = b"\x6c\x1b\x00" + bytes(body)
    old = {**plain, "g.bed": b"\x01" + plain["g.bed"][3:]}
    bare = {**plain, "g.bed": bytes(body)}
    return [plain, wide, by_sample, old, bare]


def lines_of(content: bytes) -> list[str]:
    """The lines of a plain text that may not be read in two ways."""
    if content[:2] in (b"\x1f\x8b", b"BZ", b"\x28\xb5"):
        raise UnknownError
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError("not UTF-8") from error
    if "\0" in text:
        raise RefusedError("a zero byte")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def rows_of(content: bytes, counts: Sequence[int] | None = None) -> list[list[str]]:
    """The words of each line that has some, as many as on the first."""
    rows = [line.split() for line in lines_of(content) if line.split()]
    if not rows:
        raise RefusedError("no line")
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise RefusedError("lines of different lengths")
    if counts is not None and not lengths <= set(counts):
        raise RefusedError("another number of columns")
    return rows


def whole_number(text: str) -> int:
    """An integer of 64 bits in plain digits."""
    if not _INTEGER.fullmatch(text) or len(text) > 20 or abs(int(text)) >= 2**63:
        raise RefusedError("no position")
    return int(text)


def _read_bed_simply(files: Files) -> dict[str, Any]:
    if not {"g.bed", "g.bim", "g.fam"} <= set(files):
        raise RefusedError("a file is missing")
    fam, bim = rows_of(files["g.fam"]), rows_of(files["g.bim"], (5, 6))
    if len(fam[0]) < 5:
        raise RefusedError("too few columns in the .fam file")
    n, m, bed = len(fam), len(bim), files["g.bed"]
    positions = [whole_number(row[-3]) for row in bim]
    if bed[:3] == b"\x6c\x1b\x01" and len(bed) == 3 + m * -(-n // 4):
        places = [(3 + j * -(-n // 4) + i // 4, i % 4) for j in range(m) for i in range(n)]
    elif bed[:3] == b"\x6c\x1b\x00" and len(bed) == 3 + n * -(-m // 4):
        places = [(3 + i * -(-m // 4) + j // 4, j % 4) for j in range(m) for i in range(n)]
    elif bed[:1] in (b"\0", b"\1") or len(bed) == n * -(-m // 4):
        raise UnknownError  # the layouts of the first versions
    else:
        raise RefusedError("no .bed file of this size")
    values = [_COPIES[bed[at] >> 2 * k & 3] for at, k in places]
    return {
        "family": [row[0] for row in fam],
        "sample": [row[1] for row in fam],
        "chromosome": [row[0] for row in bim],
        "variant": [row[1] for row in bim],
        "position": positions,
        "effect": [row[-2] for row in bim],
        "other": [row[-1] for row in bim],
        "dosage": [values[j * n : (j + 1) * n] for j in range(m)],
    }


# BIMBAM


def _bimbam_seeds(folder: Path) -> list[Files]:
    def text(dosages: np.ndarray, separator: str) -> bytes:
        lines = [
            separator.join([f"v{j}", "A", "G", *("NA" if d != d else f"{d:g}" for d in column)])
            for j, column in enumerate(dosages.T.tolist())
        ]
        return ("\n".join(lines) + "\n").encode()

    ids = "".join(f"F{i} I{i}\n" for i in range(N)).encode()
    places = "".join(f"v{j}, {10 * j + 1}, {1 + j // 3}\n" for j in range(M)).encode()
    plain = {"g.txt": text(_calls(), " "), "ids.txt": ids, "places.txt": places}
    return [
        plain,
        {**plain, "g.txt": text(_dosages(), ", "), "ids.txt": ids.replace(b" ", b"\t")},
        {**plain, "g.txt": gzip.compress(plain["g.txt"], mtime=0)},
        {**plain, "ids.txt": "".join(f"I{i}\n" for i in range(N)).encode()},
    ]


def _dosage(text: str) -> float:
    if text in _NO_DOSAGE:
        return float("nan")
    if not _NUMBER.fullmatch(text):
        raise RefusedError("no dosage")
    value = float(np.float32(float(text)))
    if not 0.0 <= value <= 2.0:
        raise RefusedError("a dosage out of range")
    return value


def _read_bimbam_simply(files: Files) -> dict[str, Any]:
    if not {"g.txt", "ids.txt", "places.txt"} <= set(files):
        raise RefusedError("a file is missing")
    ids = rows_of(files["ids.txt"])
    if ids[0][0].lstrip("#") in ("FID", "IID"):
        ids = ids[1:]
    if not ids:
        raise RefusedError("no sample")
    content = files["g.txt"].replace(b",", b" ")
    if b"\0" in content:
        raise UnknownError
    rows = rows_of(content, [3 + len(ids)])
    places: dict[str, tuple[str, int]] = {}
    for line in lines_of(files["places.txt"].replace(b",", b" ")):
        row = line.split()
        if row:
            if len(row) < 3:
                raise RefusedError("too few columns of positions")
            place = row[2], whole_number(row[1])
            if places.setdefault(row[0], place) != place:
                raise RefusedError("two places of one variant")
    at = [places.get(row[0], ("0", 0)) for row in rows]
    has_family = len(ids[0]) > 1
    return {
        "family": [row[0] if has_family else "0" for row in ids],
        "sample": [row[1] if has_family else row[0] for row in ids],
        "chromosome": [place[0] for place in at],
        "variant": [row[0] for row in rows],
        "position": [place[1] for place in at],
        "effect": [row[1] for row in rows],
        "other": [row[2] for row in rows],
        "dosage": [[_dosage(text) for text in row[3:]] for row in rows],
    }


# The formats that packages read


def _pgen_seeds(folder: Path) -> list[Files]:
    codes = np.random.default_rng(5).integers(0, 3, (4, 2 * N)).astype(np.int32)
    codes[[0, 2]] = np.minimum(codes[[0, 2]], 1)
    several = (["A", "A,T", "A", "C,T"], codes)
    rare = np.zeros((N, M))
    rare[2, ::2] = 1.0
    return list(
        _collect(
            folder,
            [
                lambda f: formats.write_pgen(f, _calls(), "g"),
                lambda f: formats.write_pgen(f, _dosages(), "g"),
                lambda f: formats.write_pgen(f, rare, "g", header="#IID"),
                lambda f: formats.write_pgen(f, np.empty((N, 4)), "g", multiallelic=several),
            ],
        )
    )


def _bgen_seeds(folder: Path) -> list[Files]:
    def with_list(where: Path) -> None:
        formats.write_bgen(where, _calls(), "g", embedded=False)
        rows = "".join(f"F{i} I{i} 0\n" for i in range(N))
        (where / "g.sample").write_text("ID_1 ID_2 missing\n0 0 0\n" + rows)

    return list(
        _collect(
            folder,
            [
                lambda f: formats.write_bgen(f, _calls(), "g"),
                lambda f: formats.write_bgen(f, _dosages(), "g", compression="zlib"),
                lambda f: formats.write_bgen(f, _dosages(), "g", compression=None),
                lambda f: formats.write_bgen(f, _calls(), "g", compression="zlib", layout=1),
                with_list,
            ],
        )
    )


def _vcf_texts(folder: Path) -> list[bytes]:
    records = [
        ("1", 10, "v0", "G", "A,T", "GT:DS", [f"0/{i % 3}:{i % 2}.5,0.25" for i in range(N)]),
        ("2", 20, ".", "G", "<DEL>", "GT:DS", ["./1:."] * N),
        ("3", 30, "v2", "GA", "A", "GT:DS", ["1:0.5"] * 5 + ["0|1:1"] * (N - 5)),
    ]
    probable = [
        ("1", 10, "p0", "G", "A", "GP", ["0.9,0.1,0"] * N),
        ("1", 11, "p1", "G", "A,C", "GP", ["0.5,0.1,0.1,0.1,0.1,0.1"] * N),
    ]
    written = _collect(
        folder,
        [
            lambda f: formats.write_vcf(f, formats.call_records(_calls()), N),
            lambda f: formats.write_vcf(f, records, N, fields=("GT", "DS")),
            lambda f: formats.write_vcf(f, probable, N, fields=("GP",)),
            lambda f: formats.write_vcf(f, formats.dosage_records(_dosages()), N, fields=("DS",)),
        ],
    )
    return [files["v.vcf"] for files in written]


def _vcf_seeds(folder: Path) -> list[Files]:
    texts = _vcf_texts(folder)
    return [{"g.vcf": text} for text in texts]


def _packed_vcf_seeds(folder: Path) -> list[Files]:
    return [{"g.vcf.gz": gzip.compress(text, mtime=0)} for text in _vcf_texts(folder)]


def _bcf_seeds(folder: Path) -> list[Files]:
    import pysam  # noqa: PLC0415

    found = []
    for number, text in enumerate(_vcf_texts(folder)):
        source, target = folder / f"{number}.vcf", folder / f"{number}.bcf"
        source.write_bytes(text)
        with (
            pysam.VariantFile(str(source)) as given,
            pysam.VariantFile(str(target), "wb", header=given.header) as made,
        ):
            for record in given:
                made.write(record)
        packed = target.read_bytes()
        found += [{"g.bcf": packed}, {"g.bcf": gzip.decompress(packed)}]
    return found


def _zarr_seeds(folder: Path) -> list[Files]:
    calls = _calls()
    pairs = np.stack([calls.T == 2, calls.T >= 1], axis=-1).astype(np.int8)
    pairs[0, 0] = -1
    several = np.array([["G", "A", "T"]] + [["G", "A", ""]] * (M - 1))
    return list(
        _collect(
            folder,
            [
                lambda f: formats.write_zarr(f, pairs, "g"),
                lambda f: formats.write_zarr(f, pairs, "g", alleles=several),
                lambda f: formats.write_zarr(
                    f, pairs, "g", dosages=_dosages().T[:, :, None].astype(np.float32)
                ),
            ],
        )
    )


_VCF_WORDS = (
    *(
        "GT",
        "DS",
        "GP",
        "0/5",
        "1|",
        "./.",
        "0/0/0/0",
        ".",
        "PASS",
        "##contig=<ID=9>",
        "<DEL>",
        "*",
    ),
    *('##FORMAT=<ID=DS,Number=1,Type=String,Description="x">', "Number=G", "Type=Integer"),
)
_ZARR_WORDS = ('"|O"', '"<U1"', '"<i8"', '"pickle"', '"blosc"', '"zlib"', "null", "[]", '"C"')

GENOTYPES = (
    Reader("bed", _bed_seeds, _opened("g"), _read_bed_simply),
    Reader(
        "bimbam",
        _bimbam_seeds,
        _opened("g.txt", kind="bimbam", sample="ids.txt", annotation="places.txt"),
        _read_bimbam_simply,
    ),
    Reader("pgen", _pgen_seeds, _opened("g.pgen"), tokens=("#CHROM", "POS", "REF", "ALT", "A,T")),
    Reader("bgen", _bgen_seeds, _opened("g.bgen"), tokens=("ID_1", "ID_2", "0 0 0")),
    Reader("vcf", _vcf_seeds, _opened("g.vcf"), tokens=_VCF_WORDS),
    Reader("vcf-gz", _packed_vcf_seeds, _opened("g.vcf.gz"), tokens=_VCF_WORDS),
    Reader("bcf", _bcf_seeds, _opened("g.bcf")),
    Reader("zarr", _zarr_seeds, _opened("g.vcz"), tokens=_ZARR_WORDS),
)
