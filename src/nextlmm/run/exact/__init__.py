"""The exact model without a square matrix in double precision: certified answers at any size.

plan.py          which route, what it will cost, and why; route.py: for a problem on this machine
arrange.py       samples in tree order and a hierarchical factor: the routes by products
square.py        half a square matrix in single precision: the dense route for many samples
null.py          the null model, and what it needs of either
system.py        Sigma without a chromosome, as products on the space outside the covariates
scores.py        x'Py of every variant from one solve per left-out chromosome
forms.py         x'Px predicted for every variant, and solved for some
denominators.py  the prediction audited, corrected, and refined where it could matter
scan.py          the tests and their certified bounds; hits.py: hits at their own h2
find.py          all of it in order; certificate.py: what was measured, as JSON values
"""
