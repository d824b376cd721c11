"""Small files of every format, written by other libraries or by definition."""

import gzip
from pathlib import Path

import bgen
import numpy as np
import pgenlib
import zarr

from .examples import sample_table, variant_table


def write_pgen(folder: Path, dosages, name="p", *, header="#FID\tIID", multiallelic=None):
    """Dosages (n, m) of the alternative allele; all biallelic unless ``multiallelic`` says more.

    ``multiallelic`` are alternative alleles of each record and int32 allele codes (records, 2 n).
    """
    n, m = dosages.shape
    samples = sample_table(n)
    prefix = Path(folder) / name
    alternatives = ["A"] * m
    most = 2
    if multiallelic is not None:
        alternatives, codes = multiallelic
        sizes = np.array([len(text.split(",")) + 1 for text in alternatives])
        most = int(sizes.max())
    writer = pgenlib.PgenWriter(
        bytes(prefix.with_suffix(".pgen")),
        n,
        variant_ct=len(alternatives),
        nonref_flags=False,
        allele_ct_limit=most,
        dosage_present=multiallelic is None,
    )
    for j in range(len(alternatives)):
        if multiallelic is not None:
            writer.append_alleles(np.ascontiguousarray(codes[j], np.int32), allele_ct=int(sizes[j]))
        else:
            values = np.nan_to_num(dosages[:, j], nan=-9.0).astype(np.float32)
            writer.append_dosages(np.ascontiguousarray(values))
    writer.close()
    lines = ["##comment", "#CHROM\tPOS\tID\tREF\tALT"]
    lines += [
        f"{1 + j // 3}\t{10 * j}\tv{j}\tG\t{alternative}"
        for j, alternative in enumerate(alternatives)
    ]
    prefix.with_suffix(".pvar").write_text("\n".join(lines) + "\n")
    has_family = header.startswith("#FID")
    rows = [
        f"{family}\t{name}" if has_family else name
        for family, name in zip(samples.family_id, samples.sample_id, strict=True)
    ]
    prefix.with_suffix(".psam").write_text("\n".join([header, *rows]) + "\n")
    return prefix


def write_bgen(folder: Path, dosages, name="b", *, embedded=True, compression="zstd", layout=2):
    """Dosages (n, m): probabilities of the two nearest genotypes."""
    n, m = dosages.shape
    path = Path(folder) / f"{name}.bgen"
    ids = list(sample_table(n).sample_id) if embedded else []
    with bgen.BgenWriter(
        str(path), n, samples=ids, compression=compression, layout=layout
    ) as writer:
        for j in range(m):
            writer.add_variant(
                f"id{j}",
                f"v{j}",
                str(1 + j // 3),
                10 * j,
                ["G", "A"],
                probabilities(dosages[:, j]),
                bit_depth=16,
            )
    return path


def probabilities(dosage):
    """Of no, one and two copies, (n, 3), NaN where missing."""
    lower = np.minimum(np.floor(np.nan_to_num(dosage)), 1).astype(int)
    rest = dosage - lower
    result = np.zeros((len(dosage), 3))
    rows = np.arange(len(dosage))
    result[rows, lower] = 1.0 - rest
    result[rows, lower + 1] = rest
    result[np.isnan(dosage)] = np.nan
    return result


VCF_HEADER = """##fileformat=VCFv4.3
##contig=<ID=1>
##contig=<ID=2>
##contig=<ID=3>
##contig=<ID=4>
##contig=<ID=5>
##contig=<ID=6>
##contig=<ID=7>
##contig=<ID=8>
"""
COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
FORMATS = {
    "GT": '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n',
    "DS": '##FORMAT=<ID=DS,Number=A,Type=Float,Description="Dosage">\n',
    "GP": '##FORMAT=<ID=GP,Number=G,Type=Float,Description="Probabilities">\n',
}


def write_vcf(folder: Path, records, n, name="v.vcf", *, fields=("GT",)):
    """Records as (chromosome, position, id, ref, alt, format, [a text for each sample])."""
    path = Path(folder) / name
    ids = sample_table(n).sample_id
    text = VCF_HEADER + "".join(FORMATS[field] for field in fields)
    text += "\t".join([*COLUMNS[: 9 if n else 8], *ids]) + "\n"
    for chromosome, position, name_of, ref, alt, form, values in records:
        columns = [chromosome, str(position), name_of, ref, alt, ".", ".", ".", form, *values]
        text += "\t".join(columns) + "\n"
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def call_records(dosages):
    """Records of the calls (n, m)."""
    texts = {0.0: "0/0", 1.0: "0/1", 2.0: "1|1"}
    return _records(dosages, "GT", lambda value: texts.get(value, "./."))


def dosage_records(dosages):
    """Records of DS alone."""
    return _records(dosages, "DS", lambda value: "." if np.isnan(value) else f"{value:.6f}")


def _records(dosages, form, text_of):
    return [
        (str(1 + j // 3), max(10 * j, 1), f"v{j}", "G", "A", form, [text_of(d) for d in column])
        for j, column in enumerate(dosages.T.tolist())
    ]


def write_zarr(folder: Path, calls, name="z", *, alleles=None, dosages=None, without=None):
    """Calls (m, n, 2) as a VCF-Zarr store, in chunks of five variants."""
    m, n, _ = calls.shape
    path = Path(folder) / f"{name}.vcz"
    alleles = np.array([["G", "A"]] * m if alleles is None else alleles)
    variants = variant_table(m)
    chromosomes = list(dict.fromkeys(variants.chromosome))
    arrays = {
        "sample_id": np.array(sample_table(n).sample_id.tolist()),
        "contig_id": np.array(chromosomes),
        "variant_contig": np.array([chromosomes.index(c) for c in variants.chromosome], np.int8),
        "variant_position": variants.position_bp.astype(np.int32),
        "variant_id": np.array(variants.variant_id.tolist()),
        "variant_allele": alleles,
        "call_genotype": calls.astype(np.int8),
    }
    if dosages is not None:
        arrays["call_DS"] = dosages
    store = zarr.open_group(str(path), mode="w", zarr_format=2)
    for key, values in arrays.items():
        if key != without:
            chunks = (min(5, len(values)), *values.shape[1:])
            if values.dtype.kind == "U":
                store.create_array(key, data=values.astype(values.dtype), chunks=chunks)
            else:
                store.create_array(key, data=values, chunks=chunks)
    return path
