"""Covariance matrices of the form Sigma(w) = w K + (1 - w) I and their square roots.

K is symmetric positive semidefinite with mean diagonal 1, the weight w lies in [0, 1).  Every
factor is a square root Sigma = W W', so that whitening, W^-1 x, turns any problem with covariance
Sigma into one with covariance I.  Nothing in this package knows what K is about::

    covariance.py   what a covariance and its factor can do
    dense.py        K as an array, W the Cholesky factor            (the specification)
    spectral.py     K as eigenvalues and eigenvectors, W for every w at once
    tridiagonal.py  K as a tridiagonal matrix, for likelihoods at many w
    tree.py         a permutation of the indices and a binary tree of ranges
    ordering.py     the tree that makes off-diagonal blocks low-rank
    subspace.py     dominant eigenvectors of an operator
    hodlr.py        W as leaf Cholesky factors and low-rank corrections up the tree
    hodlr_build.py  that factor within a divergence budget
    hierarchy.py    the same without nesting, for every w from one set of columns
    hodlr_levels.py those columns from products with diagonal blocks, level by level
    divergence.py   how far a factor is from the exact matrix, measured
    pencil.py       the same from products with random vectors
    pcg.py          linear systems and inverse forms by conjugate gradients, in lock-step
    lanczos.py      spectral measures of vectors, with a bracket
    threads.py      where one BLAS thread beats several
"""
