"""The people side of an analysis: whose trait is analysed, with which covariates.

Trait and covariate tables are text or Parquet files keyed by sample ID.  ``align`` brings them into
the order of the genotypes, by ID and never by position, and accounts for every sample that is left
out::

    table.py      a text table with family and sample IDs, values still as text
    values.py     its columns as numbers, every doubtful value refused or reported
    frame.py      the same from Parquet and from data frames
    columns.py    columns in the order of the genotypes
    categories.py, formula.py, formula_columns.py  what becomes of covariates
    match.py      which row of a table belongs to which genotyped sample
    design.py     the covariate matrix, checked for columns that cannot be told apart
    relatives.py  an order of the samples, a pedigree or pairs of relatives
    pedigree.py   who descends from whom
    people.py     the people whom such files name
    align.py      the Cohort: trait and covariates of the analysed samples
"""
