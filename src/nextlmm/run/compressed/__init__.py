"""The compressed model without a square matrix: hierarchical factors and what they are worth.

matrix.py       the hierarchy of K, and of K without each chromosome, from the genotypes
find.py         h2, scan and certificate in order
scan.py         the tests with one factor for each left-out chromosome
certificate.py  divergence, scores and denominators against the exact model, from products
"""
