"""Relationship matrices: which samples share how much of their genome.

K = Z Z' / M over the variants' standardised dosages Z, then centred over the analysed samples and
scaled to mean diagonal 1, so that h2 = sigma_g2 / (sigma_g2 + sigma_e2) is a share of variance::

    grm.py     sums of Z Z' over variants, streamed from any genotype source
    loco.py    the same with one chromosome left out

made elsewhere::

    grm_files.py    matrices of other programs, told by their names
    grm_squares.py  those that are written out in full
    grm_entries.py  those that are lists of entries
    grm_pairs.py    tables of pairs and their kinship
    numerator.py    the relationship matrix of a pedigree

and, where an n x n array is too much::

    operator.py  products with either matrix, straight from the genotypes
    columns.py   the columns of F in K = F F', block by block
    traces.py    what each variant adds to the trace, from the variant summary alone
    blocks.py    its diagonal blocks in tree order, for the hierarchical factor
    ordering.py  components, relatives and the tree, from genotypes or given by the user
"""
