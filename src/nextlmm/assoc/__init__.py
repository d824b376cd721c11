"""Association of one variant at a time with a trait, given a mixed model.

The model is y = C a + x b + e with cov(e) = sigma2 Sigma(h2), Sigma(h2) = h2 K + (1 - h2) I.  After
whitening with Sigma = W W' and projecting the covariates C out, everything is ordinary regression::

    x -> W^-1 x - projection = x*      y -> y*
    beta = x*'y* / x*'x*       se^2 = (y*'y* - beta x*'y*) / (n - c - 1) / x*'x*

    statistics.py    tail probabilities as -log10 p, without ever forming p
    scan.py          all variants at one shared h2, for any covariance factor
    per_variant.py   each variant at its own h2, for a covariance known by its eigenvectors
    summary.py       what a whole scan says: the genomic inflation factor
"""
