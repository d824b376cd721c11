"""Building a hierarchical factor, bottom-up, with ranks bought against a divergence budget.

At a node with rows s, whitened block T and what its children dropped included, the divergence

    KL(N(0, Sigma) || N(0, W W')) = (tr(W^-1 Sigma W^-T) - s - logdet Sigma + logdet W W') / 2

falls by exactly (g - 1 - log g) / 2 for every column of P with core g, so the columns are the
eigenvectors of T where g - 1 - log g is largest, and what a rank achieves is known, not
estimated.  A node that would need more columns than a dense factor costs becomes a dense leaf:
a matrix that does not compress at the tolerance asked for ends as one exact Cholesky factor.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nextlmm.errors import NumericalError, UsageError
from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray
from nextlmm.linalg.dense import CholeskyFactor, cholesky_in_place
from nextlmm.linalg.hierarchy import divergence_of
from nextlmm.linalg.hodlr import (
    DiagonalFactor,
    HodlrFactor,
    MergedFactor,
    whiten_pair,
    whiten_pair_transposed,
)
from nextlmm.linalg.subspace import dominant_eigenvectors
from nextlmm.linalg.threads import few_threads
from nextlmm.linalg.tree import ClusterTree, Node

_FIRST_COLUMNS = 8
_DENSE_SHARE = 8
"""A node of s rows with more than s/8 columns applies no faster than a dense triangle."""


@dataclass(frozen=True)
class Budget:
    """What a factor may cost or must achieve.

    ``kl`` is the largest divergence in nats, None for no target; ``rank`` the most columns of P,
    which is the largest rank of an off-diagonal block, None for no cap.  With both, the cap wins
    and the divergence reached is what the certificate says.

    Raises
    ------
    UsageError
        If neither is given, or a value is out of range.
    """

    kl: float | None = None
    rank: int | None = None

    def __post_init__(self) -> None:
        if self.kl is None and self.rank is None:
            raise UsageError("a hierarchical factor needs a KL tolerance or a rank; got neither")
        if self.kl is not None and not self.kl > 0.0:
            raise UsageError(f"the KL tolerance must be above 0; got {self.kl:g}")
        if self.rank is not None and self.rank < 0:
            raise UsageError(f"the rank must be 0 or more; got {self.rank}")


@dataclass(frozen=True, eq=False)
class HodlrCovariance(Covariance):
    """K in tree order together with the hierarchical structure found for one weight.

    ``factor`` keeps the tree and the bases P, so that it is a smooth function of the weight, and
    computes leaves and cores anew from the exact K.  The matrix that this stands for is
    ``(built.matmul - (1 - weight) I) / weight`` at the weight of the build.
    """

    exact: FloatArray
    weight: float
    built: HodlrFactor

    @property
    def n(self) -> int:
        """Number of rows of K."""
        return len(self.exact)

    def matmul(self, x: FloatArray) -> FloatArray:
        """Hierarchical approximation of K times x.

        Raises
        ------
        NumericalError
            If the matrix was built at weight 0, where Sigma says nothing of K.
        """
        self._check_weight()
        return (self.built.matmul(x) - (1.0 - self.weight) * x) / self.weight

    def diagonal(self) -> FloatArray:
        """Diagonal of the approximation of K."""
        self._check_weight()
        return (self.built.diagonal() - (1.0 - self.weight)) / self.weight

    def to_dense(self) -> FloatArray:
        """The approximation of K as an array."""
        return self.matmul(np.eye(self.n))

    def _check_weight(self) -> None:
        if self.weight <= 0.0:
            raise NumericalError(
                "a hierarchical matrix built at weight 0 says nothing of K; expected a weight "
                "above 0; build it at another one"
            )

    def factor(self, weight: float) -> HodlrFactor:
        """Factor for another weight with the tree and bases of this build.

        Cost: O(n^2 r) for columns r, against O(n^3) for a new Cholesky factor.
        """
        if weight == self.weight:
            return self.built
        with few_threads(self.n):
            return _recore(_Blocks(self.exact, weight), self.built, 0)


def hodlr_covariance(
    k: FloatArray, tree: ClusterTree | Node, budget: Budget, *, weight: float, seed: int = 0
) -> HodlrCovariance:
    """Hierarchical structure of ``k`` (n, n), given in tree order, for Sigma at ``weight``.

    Raises
    ------
    NotPositiveDefiniteError
        If Sigma itself is not positive definite; the approximation cannot lose definiteness.

    Cost: with a rank r, O(n^2 r) products and O(n leaf^2); with a KL tolerance, a Cholesky factor
    of each node that is tried, at most about 4/3 of that of the whole matrix, and the same storage.
    """
    root = tree.root if isinstance(tree, ClusterTree) else tree
    with few_threads(len(k)):
        built = _Builder(_Blocks(k, weight), budget, root, seed).build(root, 0)
    return HodlrCovariance(k, weight, built.factor)


def tree_of(factor: CovarianceFactor, start: int = 0) -> Node:
    """The tree of a factor: that of the build, less the nodes that became dense leaves."""
    if not isinstance(factor, MergedFactor):
        return Node(start, start + factor.n)
    middle = start + factor.left.n
    return Node(start, start + factor.n, tree_of(factor.left, start), tree_of(factor.right, middle))


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Diagonal blocks of Sigma = weight K + (1 - weight) I without forming it."""

    k: FloatArray
    weight: float

    def array(self, start: int, stop: int) -> FloatArray:
        block = np.multiply(self.k[start:stop, start:stop], self.weight, order="F")
        block.flat[:: stop - start + 1] += 1.0 - self.weight
        return block

    def matmul(self, start: int, stop: int, x: FloatArray) -> FloatArray:
        product = self.k[start:stop, start:stop] @ x
        product *= self.weight
        product += (1.0 - self.weight) * x
        return product


@dataclass(frozen=True, eq=False)
class _Built:
    """A factor of one node and the trace of W^-1 Sigma W^-T over its rows."""

    factor: HodlrFactor
    trace: float


@dataclass(frozen=True, eq=False)
class _Builder:
    blocks: _Blocks
    budget: Budget
    root: Node
    seed: int

    def build(self, node: Node, depth: int) -> _Built:
        if node.children is None:
            return self._leaf(self.blocks.array(node.start, node.stop))
        left, right = (self.build(child, depth + 1) for child in node.children)
        if self.budget.kl is None:
            return self._merge(node, left, right, self.budget.rank or 0)
        return self._merge_within(node, left, right, self._allowance(node, depth))

    def _leaf(self, sigma: FloatArray) -> _Built:
        return _Built(CholeskyFactor(cholesky_in_place(sigma)), float(len(sigma)))

    def _allowance(self, node: Node, depth: int) -> float:
        """Divergence that this node, children included, may have: an equal share per level."""
        levels = _height(self.root)
        share = (levels - depth) / levels * node.size / self.root.size
        return float(self.budget.kl or 0.0) * share

    def _merge_within(self, node: Node, left: _Built, right: _Built, allowed: float) -> _Built:
        dense = self._leaf(self.blocks.array(node.start, node.stop))
        children = left.factor.logdet + right.factor.logdet
        kl = (left.trace + right.trace - node.size - dense.factor.logdet + children) / 2.0
        excess = kl - allowed
        if excess <= 0.0:
            return self._merge(node, left, right, 0)
        capped = self.budget.rank is not None
        most = min(node.size, self.budget.rank) if self.budget.rank is not None else None
        found = self._buy(node, left, right, excess, most or node.size // _DENSE_SHARE)
        if found is not None:
            return found
        return self._merge(node, left, right, most or 0) if capped else dense

    def _buy(
        self, node: Node, left: _Built, right: _Built, excess: float, most: int
    ) -> _Built | None:
        """The fewest columns that save ``excess`` nats, or None if ``most`` are not enough."""
        columns = _FIRST_COLUMNS
        while columns <= 2 * most:
            columns = min(columns, most)
            core, basis = self._eigenvectors(node, left, right, columns)
            saved = np.cumsum(divergence_of(core) / 2.0)
            if saved[-1] >= excess:
                enough = int(np.searchsorted(saved, excess)) + 1
                return _merged(left, right, basis[:, :enough], core[:enough])
            # What each column saves falls from one to the next; half of the last is what those to
            # come can be expected to save on average.  To give up too early only costs storage.
            to_come = float(divergence_of(core[-1:])[0]) / 4.0 * (most - columns)
            if saved[-1] + to_come < excess or columns == most:
                return None
            columns *= 2
        return None

    def _merge(self, node: Node, left: _Built, right: _Built, columns: int) -> _Built:
        core, basis = self._eigenvectors(node, left, right, min(columns, node.size))
        return _merged(left, right, basis, core)

    def _eigenvectors(
        self, node: Node, left: _Built, right: _Built, columns: int
    ) -> tuple[FloatArray, FloatArray]:
        if columns == 0:
            return np.empty(0), np.empty((node.size, 0))
        return dominant_eigenvectors(
            self._whitened_block(node, left.factor, right.factor),
            node.size,
            columns,
            worth=divergence_of,
            rng=np.random.default_rng([self.seed, node.start, node.stop, columns]),
        )

    def _whitened_block(
        self, node: Node, left: HodlrFactor, right: HodlrFactor
    ) -> Callable[[FloatArray], FloatArray]:
        def product(x: FloatArray) -> FloatArray:
            lifted = whiten_pair_transposed(left, right, x)
            return whiten_pair(left, right, self.blocks.matmul(node.start, node.stop, lifted))

        return product


def _merged(left: _Built, right: _Built, basis: FloatArray, core: FloatArray) -> _Built:
    factor = MergedFactor(left.factor, right.factor, np.asfortranarray(basis), core)
    return _Built(factor, left.trace + right.trace + float((1.0 - core).sum()))


def _recore(blocks: _Blocks, factor: HodlrFactor, start: int) -> HodlrFactor:
    """The same tree and bases with leaves and cores of ``blocks``."""
    stop = start + factor.n
    if isinstance(factor, CholeskyFactor):
        return CholeskyFactor(cholesky_in_place(blocks.array(start, stop)))
    if isinstance(factor, DiagonalFactor):
        return factor
    left = _recore(blocks, _hodlr(factor.left), start)
    right = _recore(blocks, _hodlr(factor.right), start + factor.left.n)
    lifted = whiten_pair_transposed(left, right, factor.basis)
    small = lifted.T @ blocks.matmul(start, stop, lifted)
    core, rotation = linalg.eigh((small + small.T) / 2.0, check_finite=False)
    return MergedFactor(left, right, factor.basis @ rotation, core)


def _hodlr(factor: CovarianceFactor) -> HodlrFactor:
    if isinstance(factor, CholeskyFactor | DiagonalFactor | MergedFactor):
        return factor
    raise TypeError(f"expected a hierarchical factor, got {type(factor).__name__}")


def _height(node: Node) -> int:
    return 0 if node.children is None else 1 + max(_height(child) for child in node.children)
