"""What is to be solved: samples, trait, covariates, variants, and how they are related."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nextlmm.errors import UsageError
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.covariance import FloatArray
from nextlmm.progress import Progress
from nextlmm.relatedness.grm import RelationshipSum, Scaling, relationship_matrix
from nextlmm.relatedness.loco import LeftOut, leave_one_out


@dataclass(frozen=True, eq=False)
class Problem:
    """One trait on one set of samples and variants.

    Attributes
    ----------
    source : the genotypes.
    samples : (n,) positions of the analysed samples in the source, in the order of every array.
    y : (n,) trait.
    covariates : (n, c) with the intercept.
    variants : (m,) positions of the variants to test, ascending.
    mean_dosage : mean dosage of every variant of the source over the analysed samples.
    scaling : how dosages enter the relationship matrix.
    total : the sum over all variants in the relationship matrix, or a given matrix.
    loco : whether a variant is tested without its own chromosome in the relationship matrix.
    """

    source: GenotypeSource
    samples: IndexArray
    y: FloatArray
    covariates: FloatArray
    variants: IndexArray
    mean_dosage: FloatArray
    scaling: Scaling
    total: RelationshipSum
    loco: bool

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.y)

    def reordered(self, permutation: IndexArray) -> "Problem":
        """The same problem with its samples in another order; no result depends on it."""
        values = np.asfortranarray(self.total.values[np.ix_(permutation, permutation)])
        return replace(
            self,
            samples=self.samples[permutation],
            y=self.y[permutation],
            covariates=self.covariates[permutation],
            total=RelationshipSum(values, self.total.n_variants),
        )

    def whole(self) -> FloatArray:
        """K from all variants, a new (n, n) array."""
        return relationship_matrix(self.total)

    def leave_one_out(self, progress: Progress | None = None) -> Iterator[LeftOut]:
        """K without each chromosome in turn, and the variants on it."""
        return leave_one_out(
            self.source, self.variants, self.scaling, self.samples, self.total, progress=progress
        )


def check_samples(problem: Problem) -> None:
    """Raise UsageError where the arrays of a problem do not fit together."""
    n = len(problem.samples)
    shapes = {
        "trait": problem.y.shape,
        "covariates": problem.covariates.shape[:1],
        "relationship matrix": problem.total.values.shape,
    }
    expected = {"trait": (n,), "covariates": (n,), "relationship matrix": (n, n)}
    for name, shape in shapes.items():
        if shape != expected[name]:
            raise UsageError(
                f"the {name} has shape {shape}, but there are {n} samples; expected "
                f"{expected[name]}; pass all arrays for the same samples in the same order"
            )
