"""How fast each genotype format is read, and what that is of a whole run.

    python benchmarks/formats.py --out benchmarks/results

Writes one simulated cohort in every format, as calls and, for three of them, as dosages, reads each
in this process, and runs `nextlmm gwas` on each in turns. Writes formats.jsonl and formats.md.
Needs the packages of the extra "formats".
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import bgen
import numpy as np
import pgenlib
import zarr
from numpy.typing import NDArray

from cohort import Cohort, simulate
from measure import measure
from nextlmm.genotype.bed import open_bed
from nextlmm.genotype.held import PackedSource
from nextlmm.genotype.kinds import Kind
from nextlmm.genotype.source import GenotypeSource, open_genotypes
from nextlmm.output.bgzf import bgzf_blocks
from nextlmm.output.provenance import describe_machine
from options import parser_of
from peers import nextlmm
from peers.contract import find, thread_environment

N_SAMPLES, N_VARIANTS, ROUNDS = 5_000, 50_000, 3
QUICK_SAMPLES, QUICK_VARIANTS = 150, 400
BLOCK = 500
NOISE = 0.2  # most that a dosage is off its call
HELD_BYTES = 64 * 2**30

Row = dict[str, Any]
Dosages = NDArray[np.float32]
Blocks = Iterator[tuple[int, Dosages]]


@dataclass(frozen=True)
class Format:
    """A way of storing genotypes: its name, its flag, and what writes it and returns its path."""

    name: str
    flag: str
    write: Callable[[Path, PackedSource, Blocks], Path]
    has_dosages: bool = False
    kind: Kind | None = None  # where the name does not tell it

    def arguments(self, path: Path) -> list[str]:
        """The arguments of a run that name the genotypes."""
        beside = _beside(path).items() if self.kind == "bimbam" else ()
        named = [text for name, file in beside for text in (f"--{name}", str(file))]
        return [self.flag, str(path), *named]

    def open(self, path: Path) -> GenotypeSource:
        beside = _beside(path) if self.kind == "bimbam" else {}
        return open_genotypes(path, kind=self.kind, held_bytes=HELD_BYTES, **beside)


def main() -> int:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cohort = simulate("mixture", folder, n=arguments.samples, m=arguments.variants)
        rows = list(_rows(cohort, folder, arguments))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (arguments.out / "formats.jsonl").write_text(lines, encoding="utf-8")
    text = "\n".join(_report(rows, arguments)) + "\n"
    (arguments.out / "formats.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--samples", type=int, default=N_SAMPLES)
    parser.add_argument("--variants", type=int, default=N_VARIANTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    names = [form.name for form in FORMATS]
    parser.add_argument("--formats", nargs="+", metavar="NAME", default=names, choices=names)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.samples, arguments.variants = QUICK_SAMPLES, QUICK_VARIANTS
        arguments.rounds = 1
    return arguments


def _rows(cohort: Cohort, folder: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    source = open_bed(cohort.bfile)
    chosen = [FORMATS[0]]  # which the others are compared with
    chosen += [form for form in FORMATS[1:] if form.name in arguments.formats]
    paths = {
        form: form.write(folder, source, _blocks(source, dosages=form.has_dosages))
        for form in chosen
    }
    wall: dict[Format, list[float]] = {form: [] for form in chosen}
    read: dict[Format, list[float]] = {form: [] for form in chosen}
    peak: dict[Format, int] = {}
    for number in range(arguments.rounds):
        for form, path in paths.items():
            begin = time.perf_counter()
            opened = form.open(path)
            if form.flag == "--bfile":  # which is read when asked for
                opened.dosages(np.arange(len(opened.variants)))
            read[form].append(time.perf_counter() - begin)
            del opened
            cost = _run(cohort, form, path, arguments.threads)
            wall[form].append(cost.wall_s)
            peak[form] = max(peak.get(form, 0), cost.peak_bytes)
            print(f"{form.name} | round {number + 1} | {cost.wall_s:.1f} s", flush=True)
    genotypes = len(source.samples) * len(source.variants)
    first = statistics.median(wall[FORMATS[0]])
    for form, path in paths.items():
        seconds, total = statistics.median(read[form]), statistics.median(wall[form])
        yield {
            "format": form.name,
            "bytes": _bytes_of(path),
            "read_s": seconds,
            "mgenotypes_per_s": 1e-6 * genotypes / seconds,
            "wall_s": total,
            "share_of_run": seconds / total,
            "over_bed": total / first,
            "peak_bytes": peak[form],
        }


def _blocks(source: PackedSource, *, dosages: bool) -> Blocks:
    """Blocks (b, n) of the cohort and their first variant, as calls or moved off them."""
    rng = np.random.default_rng(0)
    for start in range(0, len(source.variants), BLOCK):
        every = np.arange(start, min(start + BLOCK, len(source.variants)))
        block = np.ascontiguousarray(source.dosages(every).T)
        if dosages:
            shift = rng.uniform(-NOISE, NOISE, block.shape).astype(np.float32)
            block = np.clip(block + shift, 0.0, 2.0)
        yield start, block


def _run(cohort: Cohort, form: Format, path: Path, threads: int) -> Any:
    executable = find(nextlmm.EXECUTABLES) or nextlmm.EXECUTABLES[0]
    with TemporaryDirectory() as scratch:
        command = [executable, "gwas", *form.arguments(path), "--pheno", str(cohort.pheno)]
        command += ["--trait", cohort.traits[0], "--covar", str(cohort.covar), "--route", "hodlr"]
        command += ["--out", str(Path(scratch) / "result"), "--threads", str(threads)]
        return measure([*command, *nextlmm.PLAIN], environment=thread_environment(threads))


def _bytes_of(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    if path.suffix:
        return path.stat().st_size
    return Path(f"{path}.bed").stat().st_size


def _write_bed(folder: Path, source: PackedSource, blocks: Blocks) -> Path:
    del folder, blocks
    return Path(source.path).with_suffix("")


def _pgen(name: str) -> Callable[[Path, PackedSource, Blocks], Path]:
    def write(folder: Path, source: PackedSource, blocks: Blocks) -> Path:
        prefix, variants = folder / name, source.variants
        n, m = len(source.samples), len(variants)
        writer = pgenlib.PgenWriter(
            os.fsencode(f"{prefix}.pgen"), n, variant_ct=m, nonref_flags=False, dosage_present=True
        )
        for _, block in blocks:
            writer.append_dosages_batch(np.nan_to_num(block, nan=-9.0))
        writer.close()
        rows = zip(
            variants.chromosome,
            variants.position_bp,
            variants.variant_id,
            variants.other_allele,
            variants.effect_allele,
            strict=True,
        )
        lines = ["#CHROM\tPOS\tID\tREF\tALT", *("\t".join(map(str, row)) for row in rows)]
        Path(f"{prefix}.pvar").write_text("\n".join(lines) + "\n", encoding="utf-8")
        ids = ["#IID", *source.samples.sample_id]
        Path(f"{prefix}.psam").write_text("\n".join(ids) + "\n", encoding="utf-8")
        return Path(f"{prefix}.pgen")

    return write


def _bgen(name: str) -> Callable[[Path, PackedSource, Blocks], Path]:
    def write(folder: Path, source: PackedSource, blocks: Blocks) -> Path:
        path, variants = folder / f"{name}.bgen", source.variants
        ids = list(source.samples.sample_id)
        with bgen.BgenWriter(str(path), len(ids), samples=ids, compression="zstd") as writer:
            for start, block in blocks:
                for row, dosage in enumerate(block, start=start):
                    writer.add_variant(
                        variants.variant_id[row],
                        variants.variant_id[row],
                        variants.chromosome[row],
                        int(variants.position_bp[row]),
                        [variants.other_allele[row], variants.effect_allele[row]],
                        _probabilities(dosage),
                        bit_depth=8,
                    )
        return path

    return write


def _probabilities(dosage: Dosages) -> NDArray[np.float64]:
    """Of no, one and two copies, (n, 3), NaN where missing."""
    values = dosage.astype(np.float64)
    lower = np.minimum(np.floor(np.nan_to_num(values)), 1).astype(int)
    result = np.zeros((len(values), 3))
    rows = np.arange(len(values))
    result[rows, lower] = 1.0 - (values - lower)
    result[rows, lower + 1] = values - lower
    result[np.isnan(values)] = np.nan
    return result


def _write_vcf(folder: Path, source: PackedSource, blocks: Blocks) -> Path:
    path, variants = folder / "calls.vcf.gz", source.variants
    texts = np.array(["0/0", "0/1", "1/1", "./."], dtype=object)
    contigs = "".join(f"##contig=<ID={name}>\n" for name in dict.fromkeys(variants.chromosome))
    header = (
        f"##fileformat=VCFv4.3\n{contigs}"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
    )

    def lines() -> Iterator[bytes]:
        yield (header + "\t".join(source.samples.sample_id) + "\n").encode()
        for start, block in blocks:
            calls = texts[np.where(np.isnan(block), 3, np.nan_to_num(block)).astype(int)]
            for row, own in enumerate(calls.tolist(), start=start):
                fixed = [variants.chromosome[row], str(variants.position_bp[row])]
                fixed += [variants.variant_id[row], variants.other_allele[row]]
                fixed += [variants.effect_allele[row], ".", ".", ".", "GT"]
                yield ("\t".join(fixed + own) + "\n").encode()

    with path.open("wb") as handle:
        for block in bgzf_blocks(lines()):
            handle.write(block)
    return path


def _write_bimbam(folder: Path, source: PackedSource, blocks: Blocks) -> Path:
    path, variants = folder / "dosages.bimbam", source.variants
    # Three decimals, as programs of imputation write them; texts are looked up, which is quick.
    texts = np.array([*(f"{i / 1000:g}" for i in range(2001)), "NA"], dtype=object)
    with path.open("w", encoding="utf-8") as handle:
        for start, block in blocks:
            at = np.where(np.isnan(block), len(texts) - 1, np.rint(1000 * np.nan_to_num(block)))
            for row, own in enumerate(texts[at.astype(int)].tolist(), start=start):
                fixed = [variants.variant_id[row], variants.effect_allele[row]]
                handle.write(" ".join([*fixed, variants.other_allele[row], *own]) + "\n")
    places = zip(variants.variant_id, variants.position_bp, variants.chromosome, strict=True)
    lines = {
        "sample": source.samples.sample_id,
        "annotation": (f"{name} {position} {where}" for name, position, where in places),
    }
    for name, file in _beside(path).items():
        file.write_text("\n".join(lines[name]) + "\n", encoding="utf-8")
    return path


def _beside(path: Path) -> dict[str, Path]:
    """The lists of samples and variants beside a file that does not have them."""
    return {"sample": path.with_suffix(".samples"), "annotation": path.with_suffix(".variants")}


def _write_zarr(folder: Path, source: PackedSource, blocks: Blocks) -> Path:
    path, variants = folder / "calls.vcz", source.variants
    n, m = len(source.samples), len(variants)
    store = zarr.open_group(str(path), mode="w", zarr_format=2)
    names = list(dict.fromkeys(variants.chromosome))
    number = {name: at for at, name in enumerate(names)}
    pairs = zip(variants.other_allele, variants.effect_allele, strict=True)
    arrays = {
        "sample_id": np.array(source.samples.sample_id.tolist()),
        "contig_id": np.array(names),
        "variant_contig": np.array([number[name] for name in variants.chromosome], np.int16),
        "variant_position": variants.position_bp.astype(np.int32),
        "variant_id": np.array(variants.variant_id.tolist()),
        "variant_allele": np.array([list(pair) for pair in pairs]),
    }
    for name, values in arrays.items():
        store.create_array(name, data=values)
    calls = store.create_array(
        "call_genotype", shape=(m, n, 2), chunks=(BLOCK, n, 2), dtype=np.int8
    )
    for start, block in blocks:
        copies = np.nan_to_num(block)
        pair = np.stack([copies == 2, copies >= 1], axis=-1).astype(np.int8)
        pair[np.isnan(block)] = -1
        calls[start : start + len(block)] = pair
    return path


FORMATS = (
    Format("PLINK 1 .bed", "--bfile", _write_bed),
    Format("PLINK 2 .pgen", "--pfile", _pgen("calls")),
    Format("BGEN 1.3, 8 bit, zstd", "--bgen", _bgen("calls")),
    Format("VCF, bgzip (text)", "--vcf", _write_vcf),
    Format("VCF-Zarr", "--zarr", _write_zarr),
    Format("PLINK 2 .pgen, dosages", "--pfile", _pgen("dosages"), has_dosages=True),
    Format("BGEN 1.3, 8 bit, zstd, dosages", "--bgen", _bgen("dosages"), has_dosages=True),
    Format("BIMBAM, dosages (text)", "--bimbam", _write_bimbam, has_dosages=True, kind="bimbam"),
)


def _report(rows: list[Row], arguments: argparse.Namespace) -> Iterator[str]:
    machine = describe_machine(arguments.threads)
    yield "# Genotype formats"
    yield ""
    yield (
        f"{machine['processor']}, {arguments.threads} threads; {arguments.samples:,} samples, "
        f"{arguments.variants:,} variants; medians of {arguments.rounds} runs."
    )
    yield ""
    yield (
        "| format | size, MB | read, s | Mgenotypes/s | whole run, s | reading / run | "
        "run / run on .bed | peak, MiB |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        cells = [
            row["format"],
            f"{row['bytes'] / 1e6:.0f}",
            f"{row['read_s']:.2f}",
            f"{row['mgenotypes_per_s']:.0f}",
            f"{row['wall_s']:.1f}",
            f"{100 * row['share_of_run']:.0f} %",
            f"{row['over_bed']:.2f}",
            f"{row['peak_bytes'] / 2**20:.0f}",
        ]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
