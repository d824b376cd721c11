"""K outside the covariates, and the Lanczos processes that traits of the same samples share.

Only one process is a trait's own, that of its residual.  Those of the covariates, of the dominant
components and of the random vectors are the same for all traits: each takes what it needs of them,
and more is added when one needs more.  What a trait takes does not depend on what others took.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg

from nextlmm.linalg.covariance import FloatArray, SymmetricOperator
from nextlmm.linalg.lanczos import IntArray, Lanczos, Operator
from nextlmm.lmm.design import Design
from nextlmm.lmm.krylov import CenteredTrait, centre_trait

COMPONENT_IS_NEW = 1e-3  # share of a component that covariates and others leave
BATCH = 16  # columns that a product takes as long for as for one
_AHEAD = 3  # steps that random vectors take where there is room, and how many of them may do so
_MOST_AHEAD = 128


@dataclass(eq=False)
class Ground:
    """The range of Q, what is known of K there, and processes in it; see `make_ground`.

    design : the covariates.
    operator : x -> Q K x, for x in the range of Q, in the precision of the processes.
    k_basis : Qc'K Qc, (c, c).
    coupled : columns of Qc that K couples with the range of Q.
    coupling : their processes, (r,), whose vectors are kept.
    components, of_components : U, (n, k), orthonormal, and their processes.
    trace : of Q K Q.
    seed : of the random vectors.
    traits : (n, t), all that may come.
    n_products : columns multiplied on the way here.
    """

    design: Design
    operator: Operator
    k_basis: FloatArray
    coupled: IntArray
    coupling: IntArray
    components: FloatArray
    of_components: IntArray
    trace: float
    seed: int
    traits: FloatArray
    process: Lanczos
    n_products: int
    _of_trait: dict[int, int] = field(default_factory=dict)
    _of_probe: list[int] = field(default_factory=list)

    def __repr__(self) -> str:
        return (
            f"<ground of {self.traits.shape[1]} traits with {self.components.shape[1]} components "
            f"and {len(self._of_probe)} random vectors>"
        )

    @property
    def dimension(self) -> int:
        """Of the range of Q."""
        return self.design.n - self.design.n_covariates

    def of_trait(self, y: FloatArray, trait: CenteredTrait) -> int:
        """The process of a trait, y as it is and without its covariates."""
        known = np.flatnonzero((self.traits == y[:, None]).all(axis=0))
        if not known.size:
            return int(self.process.append(trait.residual[:, None], keep=True)[0])
        number = int(known[0])
        if number not in self._of_trait:
            last = min(number + BATCH, self.traits.shape[1])
            some = [j for j in range(number, last) if j not in self._of_trait]
            start = [centre_trait(self.traits[:, j], self.design).residual for j in some]
            columns = self.process.append(np.column_stack(start), keep=True)
            self._of_trait.update(zip(some, columns.tolist(), strict=True))
        return self._of_trait[number]

    def forget(self, column: int) -> None:
        """Drop the vectors of a trait that is done."""
        self._of_trait = {i: j for i, j in self._of_trait.items() if j != column}
        self.process.forget(column)

    def of_probes(self, start: int, stop: int) -> IntArray:
        """The processes of some of the random vectors, signs projected off covariates and U."""
        new = [self._probe(number) for number in range(len(self._of_probe), stop)]
        if new:
            self._of_probe += self.process.append(np.column_stack(new)).tolist()
        return np.array(self._of_probe[start:stop], dtype=np.intp)

    def _probe(self, number: int) -> FloatArray:
        rng = np.random.default_rng([self.seed, number])
        signs = rng.integers(0, 2, size=self.design.n, dtype=np.int8)
        outside = self.design.project(np.where(signs, 1.0, -1.0))
        return np.asarray(outside - self.components @ (self.components.T @ outside))

    def ahead(self, columns: IntArray) -> IntArray:
        """These processes, and others that a product takes along for the same time.

        Those of other traits where that of one takes as many steps, and the first steps of random
        vectors that have not taken them.
        """
        steps, others = self.process.steps, np.array(list(self._of_trait.values()), dtype=np.intp)
        own = np.intersect1d(columns, others)
        columns = np.union1d(columns, others[np.isin(steps[others], steps[own])])
        room = -len(columns) % BATCH
        known = min(len(self._of_probe) + room, max(len(self._of_probe), _MOST_AHEAD))
        probes = np.setdiff1d(self.of_probes(0, known), columns)
        waiting = probes[self.process.steps[probes] < _AHEAD]
        return np.concatenate((columns, waiting[:room]))


def make_ground(
    design: Design,
    operator: SymmetricOperator,
    product: Operator,
    components: FloatArray,
    *,
    seed: int,
    traits: FloatArray,
    n_products: int = 0,
) -> Ground:
    """Products of K with the covariates' basis, and the components made orthonormal.

    ``product`` is K x in the precision of the processes; ``n_products`` were spent before.
    """
    image = operator.matmul(design.basis)
    outside = design.project(image)
    size = np.linalg.norm(outside, axis=0)
    coupled = np.flatnonzero(size > 1e-10 * np.maximum(np.linalg.norm(image, axis=0), 1.0))
    k_basis = design.basis.T @ image
    vectors, kept, _ = linalg.svd(design.project(components), full_matrices=False)
    own = np.ascontiguousarray(vectors[:, kept > COMPONENT_IS_NEW])

    def projected(x: FloatArray) -> FloatArray:
        return design.project(np.asarray(product(x), dtype=np.float64))

    dimension = design.n - design.n_covariates
    process = Lanczos(projected, np.empty((design.n, 0)), dimension=dimension)
    return Ground(
        design=design,
        operator=projected,
        k_basis=(k_basis + k_basis.T) / 2.0,
        coupled=coupled,
        coupling=process.append(outside[:, coupled], keep=True),
        components=own,
        of_components=process.append(own),
        trace=float(operator.diagonal().sum() - np.trace(k_basis)),
        seed=seed,
        traits=traits,
        process=process,
        n_products=n_products + design.n_covariates,
    )
