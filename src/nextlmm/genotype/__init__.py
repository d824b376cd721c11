"""Genotypes: who was genotyped, at which variants, and the dosages, block by block.

A genotype matrix has one row per sample and one column per variant.  Its entries are dosages: the
number of copies of the variant's effect allele, 0 to 2, NaN where no genotype was called.  It is
never held as a whole; a source hands out the columns asked for::

    textfile.py      the lines of a text file, whatever wrote it
    tables.py        SampleTable and VariantTable, the two axes
    source.py        what every source can do, and open_genotypes
    bed.py           PLINK 1 .bed/.bim/.fam
    pgen.py          PLINK 2 .pgen/.pvar/.psam
    bgen.py          BGEN
    vcf.py           VCF and BCF
    vcf_zarr.py      VCF-Zarr
    held.py          genotypes that were read as a whole
    packed.py        genotypes of two bits: decoded, standardised, counted, packed anew
    packed_file.py   the same in a file, read when asked for
    bed_writer.py    the same, written
    array.py         an array in memory as a source
    compiled.py      functions compiled for the processor at hand
    words.py         words of packed genotypes turned about
    lookup.py        products with them by table look-up
    tile.py          some variants packed for them
    squares.py       quadratic forms by them
    summary.py       allele frequency, missingness and variance of every variant
    equilibrium.py   the exact test of Hardy-Weinberg equilibrium
    filters.py       which variants to use, and why the others are not
    standardize.py   centring, scaling and imputing a block
    partition.py     blocks of variants that never cross a chromosome
"""
