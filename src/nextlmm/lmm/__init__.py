"""The null model: a trait, covariates, and one covariance matrix of the samples.

    y ~ N(C a, sigma2 Sigma(h2)),   Sigma(h2) = h2 K + (1 - h2) I

C is (n, c), K has mean diagonal 1, so that h2 is the share of the variance that K explains,
sigma_g2 = h2 sigma2 and sigma_e2 = (1 - h2) sigma2.  Given h2 everything else has a closed form,
and fitting is a search along the line h2 in (0, 1)::

    design.py           covariates and an orthonormal basis of them
    likelihood.py       what one factor of Sigma(h2) says: residuals, likelihoods, effects
    profile.py          the maximum of a smooth function on a line, its curvature and interval
    null.py             fit_null: ML or REML estimate with its standard error
    haseman_elston.py   the estimate by moments, without any factor
    trace_curve.py      log determinants at every h2 by random vectors, with their error
    krylov.py           the likelihood at every h2 from Krylov spaces of K
    ground.py           K outside the covariates, and the processes that traits share
    krylov_run.py       the Lanczos processes behind it, until their brackets are narrow
    moments.py          the estimate by moments, its traces by random vectors
    stochastic.py       estimate_null_stochastic: all of it from products with K alone
"""
