"""The exact model by products with the genotypes: certified answers without an n x n matrix.

plan.py        which route, and what it will cost
system.py      Sigma without a chromosome, as products on the space outside the covariates
arrange.py     samples in tree order, dominant components, the approximate factor
scores.py      x'Py of every variant from one solve per left-out chromosome
denominators.py x'Px predicted, audited, and exact where it could matter
scan.py        the tests and their certified bounds
certificate.py what was measured, as JSON values
"""
