"""A table of results as GWAS-VCF, which OpenGWAS and its tools read.

Source: Lyon et al. 2021 and the specification of the format, versions 1.0, whose readers take the
sample size from SS or from the header, and 1.1, whose readers take it from NS.  The other allele
stands as REF, whether or not a reference sequence has it; effects are of ALT.
"""

from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from nextlmm.output.tabix import Layout
from nextlmm.output.table import table_text, write_lines

_FIELDS = (
    ("ES", "Float", "Effect size estimate relative to the alternative allele"),
    ("SE", "Float", "Standard error of effect size estimate"),
    ("LP", "Float", "-log10 p-value for effect estimate"),
    ("AF", "Float", "Alternative allele frequency in the association study"),
    ("SS", "Integer", "Sample size used to estimate genetic effect"),
    ("NS", "Integer", "Number of samples with a genotype used to test the association"),
)
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("\t\n\r ", "_"))


def write_gwas_vcf(
    table: pl.DataFrame,
    handle: BinaryIO,
    *,
    trait: str,
    samples: int,
    version: str,
    left_out: int,
    threads: int,
) -> Layout:
    """Write a table of the columns of a VCF file, compressed in blocks.

    Parameters
    ----------
    table : its lines; the last column is that of the trait.
    handle : where to.
    trait : name of the trait.
    samples : how many were analysed.
    version : of this program.
    left_out : tested variants that have no line, because an allele is no sequence.
    threads : for compression; no byte depends on them.

    Returns
    -------
    Where the lines are, for an index.
    """
    sample = trait.translate(_NOT_IN_NAMES)
    header = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(
            f'##FORMAT=<ID={name},Number=A,Type={kind},Description="{meaning}">'
            for name, kind, meaning in _FIELDS
        ),
        "##META=<ID=TotalVariants,Number=1,Type=Integer,"
        'Description="Total number of variants in input">',
        "##META=<ID=TotalControls,Number=1,Type=Integer,"
        'Description="Total number of controls in the association study">',
        '##META=<ID=StudyType,Number=1,Type=String,Description="Type of GWAS study">',
        f"##SAMPLE=<ID={sample},TotalVariants={table.height + left_out},"
        f"TotalControls={samples},StudyType=Continuous>",
        f"##nextlmm_version={version}",
        f"##nextlmm_variants_left_out={left_out}",
        *(f"##contig=<ID={name}>" for name in dict.fromkeys(table["#CHROM"].to_list())),
        "\t".join([*table.columns[:-1], sample]),
    ]

    def text() -> Iterator[bytes]:
        yield "".join(f"{line}\n" for line in header).encode()
        yield from table_text(table, ".", header=False)

    return write_lines(text(), handle, header_lines=len(header), threads=threads)
