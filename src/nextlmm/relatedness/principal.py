"""Principal components of genotypes: the leading eigenvectors of K, which is never formed."""

import numpy as np

from nextlmm.errors import VariantError
from nextlmm.linalg.eigenpairs import Eigenpairs, leading_eigenpairs
from nextlmm.linalg.threads import one_thread
from nextlmm.relatedness.operator import RelationshipOperator


def principal_components(
    operator: RelationshipOperator,
    count: int,
    *,
    tolerance: float,
    seed: int = 0,
) -> Eigenpairs:
    """The ``count`` leading eigenpairs of K, each with a residual of at most ``tolerance``.

    The entry of a vector that is largest in absolute value is positive.  The same bytes on any
    number of threads.

    Parameters
    ----------
    operator : K, centred, with mean diagonal 1.
    count : components wanted.
    tolerance : largest |K v - lambda v| / lambda of any.
    seed : of the start of the search.

    Raises
    ------
    VariantError
        If the genotypes have fewer components.
    ConvergenceError
        If a component is not found to that accuracy.

    Cost: 10 to 100 passes over the genotypes, 4 n m operations for each of ``count + 8`` columns;
    they are more where eigenvalues lie closer together.
    """
    most = min(operator.n - 1, operator.n_variants)
    found = None
    if count <= most:
        rng = np.random.default_rng(seed)
        with one_thread():
            found = leading_eigenpairs(
                operator.matmul, operator.n, count, tolerance=tolerance, rng=rng
            )
        most = len(found.values)
    if found is None or most < count:
        raise VariantError(
            f"the genotypes of {operator.n:,} samples at {operator.n_variants:,} variants that "
            f"vary have at most {most:,} components, not {count:,}: ask for fewer (--count)"
        )
    largest = np.argmax(np.abs(found.vectors), axis=0)
    signs = np.sign(found.vectors[largest, np.arange(count)])
    return Eigenpairs(
        found.values, found.vectors * signs, found.residuals, found.next_value, found.n_passes
    )
