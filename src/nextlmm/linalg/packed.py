"""A covariance matrix in half the space and half the precision, at the speed of full storage.

The lower triangle of an (n, n) matrix A is kept in LAPACK's rectangular full packed format: an
array of ceil(n/2) columns with n rows, or n + 1 if n is even.  With A cut into [A11 .; A21 A22] in
the middle, A11 and A21 lie below each other, and A22, turned over, fills the corner that the
triangle A11 leaves free.  All three are ordinary blocks for matrix products, so that n (n + 1) / 2
numbers are factored and solved as fast as n^2.  They are float32: 0.8 GB at n = 20,000.

Source: Gustavson, Wasniewski, Dongarra and Langou 2010 (the format; the layout here is TRANSR = N,
UPLO = L of LAPACK).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from nextlmm.errors import NotPositiveDefiniteError
from nextlmm.linalg.covariance import Covariance, CovarianceFactor, FloatArray

SingleArray = NDArray[np.float32]

_UNIT = 2.0**-24  # largest relative error of one rounding
_STRIP = 256  # columns of the triangle that are unpacked together
_BLOCK = 512  # columns that are converted to single precision and solved together
_SUMMED = 2**20  # numbers that are converted to double precision together


def single_precision_error(h2: float, largest_eigenvalue: float, n: int) -> float:
    """Largest relative error to expect in x'Px of many variants x from a packed factor.

    U (4 + 16 sqrt(l / n) h2 / (1 - h2)) with U = 2^-24 and l the largest eigenvalue of K, at most
    n.  The first term is what rounding does to x and to the solution.  The second is that of the
    entries of Sigma: an error E changes x'Px by x'PEPx, which for entries that are rounded one by
    one is about U h2 rms(K) |Px|^2, and |Px|^2 <= x'Px / (1 - h2), and rms(K)^2 <= l / n.

    An estimate, not a bound (that would be n U times the condition number).  The factors 4 and 16
    are chosen so that it was reached for none of 500 variants of real and simulated cohorts and
    matrices without full rank, h2 from 0.05 to 0.999; where there are many more variants than
    samples errors are some 2 to 500 times less.  At l = n / 10 it is 1e-5 at h2 = 0.969.
    """
    return _UNIT * (4.0 + 16.0 * float(np.sqrt(largest_eigenvalue / n)) * h2 / (1.0 - h2))


def packed_length(n: int) -> int:
    """How many numbers a triangle of n rows has."""
    return n * (n + 1) // 2


@dataclass(frozen=True, eq=False)
class PackedTriangle:
    """The lower triangle of an (n, n) matrix A in rectangular full packed format.

    n : number of rows.
    values : (n (n + 1) / 2,) float32, contiguous.
    """

    n: int
    values: SingleArray

    def __post_init__(self) -> None:
        if self.values.shape != (packed_length(self.n),) or self.values.dtype != np.float32:
            raise ValueError(
                f"a triangle of {self.n} rows has {packed_length(self.n)} float32 numbers, not "
                f"{self.values.shape} of {self.values.dtype}"
            )

    def __repr__(self) -> str:
        return f"<packed triangle of {self.n:,} rows>"

    @property
    def nbytes(self) -> int:
        """Bytes that the triangle occupies."""
        return self.values.nbytes

    def blocks(self) -> tuple[SingleArray, SingleArray, SingleArray]:
        """Views of A11 and A22, of which only the lower triangles are meant, and of A21."""
        first, is_odd = (self.n + 1) // 2, self.n % 2
        second, columns = self.n - first, self._columns()
        below = columns[1 - is_odd :]
        return below[:first], columns[:second, is_odd : is_odd + second].T, below[first:]

    def strips(self) -> Iterator[tuple[slice, SingleArray, SingleArray]]:
        """The triangle in strips of columns: their positions, the square, and what is below it.

        With columns ``at`` of A, the square (b, b) is a copy with zeros above the diagonal, and
        what is below it, (n - at.stop, b), a view.
        """
        first, is_odd = (self.n + 1) // 2, self.n % 2
        left = self._columns()[1 - is_odd :]
        for half, at in ((left, 0), (self.blocks()[1], first)):
            for start in range(0, half.shape[1], _STRIP):
                stop = min(start + _STRIP, half.shape[1])
                square = np.tril(half[start:stop, start:stop])
                yield slice(at + start, at + stop), square, half[stop:, start:stop]

    def diagonal(self) -> FloatArray:
        """Diagonal of A, (n,)."""
        return self.values[self._diagonal_positions()].astype(np.float64)

    def set_diagonal(self, diagonal: FloatArray) -> None:
        """Replace the diagonal of A, in place."""
        self.values[self._diagonal_positions()] = diagonal

    def subtract_from(self, other: "PackedTriangle") -> None:
        """Become ``other`` less this triangle, in place."""
        np.subtract(other.values, self.values, out=self.values)

    def squares(self) -> float:
        """Sum of the squares of the triangle, in double precision."""
        return _sum_of_squares(self.values)

    def to_dense(self) -> FloatArray:
        """The lower triangle as an (n, n) array; for tests and small matrices."""
        dense = np.zeros((self.n, self.n))
        for at, square, below in self.strips():
            dense[at, at] = square
            dense[at.stop :, at] = below
        return dense

    def _columns(self) -> SingleArray:
        return self.values.reshape((self.n + 1 - self.n % 2, -1), order="F")

    def _diagonal_positions(self) -> NDArray[np.intp]:
        is_odd, first = self.n % 2, (self.n + 1) // 2
        rows = self.n + 1 - is_odd
        i, j = np.arange(first), np.arange(self.n - first)
        return np.concatenate(((1 - is_odd) + i + rows * i, j + rows * (j + is_odd)))


def pack(a: FloatArray) -> PackedTriangle:
    """The lower triangle of ``a`` (n, n), rounded to single precision."""
    n = len(a)
    single = np.asfortranarray(a, dtype=np.float32)
    values, _ = lapack.strttf(single, uplo="L")
    return PackedTriangle(n, values[: packed_length(n)])


class PackedCovariance(Covariance):
    """K = scale * (the symmetric matrix of a packed triangle).

    The factor ``scale`` is applied wherever K is used, so that one sum of products serves as a
    matrix and as what another is subtracted from.
    """

    def __init__(self, triangle: PackedTriangle, scale: float = 1.0) -> None:
        self._n = triangle.n
        self._triangle: PackedTriangle | None = triangle
        self._scale = scale

    def __repr__(self) -> str:
        return f"<packed covariance of {self._n:,} samples>"

    @property
    def n(self) -> int:
        """Number of rows of K."""
        return self._n

    @property
    def nbytes(self) -> int:
        """Bytes that K occupies."""
        return self._own().nbytes

    def matmul(self, x: FloatArray) -> FloatArray:
        """K x, with products in single precision that are summed in double precision."""

        def product(block: SingleArray) -> FloatArray:
            total = np.zeros(block.shape, order="F")
            for at, square, below in self._own().strips():
                symmetric = square + np.tril(square, -1).T
                total[at] += symmetric @ block[at]
                total[at] += below.T @ block[at.stop :]
                total[at.stop :] += below @ block[at]
            return total

        result = _by_blocks(product, x)
        result *= self._scale
        return result

    def diagonal(self) -> FloatArray:
        """Diagonal of K."""
        return self._own().diagonal() * self._scale

    def to_dense(self) -> FloatArray:
        """K as an (n, n) array; for tests and small matrices."""
        lower = self._own().to_dense()
        return (lower + np.tril(lower, -1).T) * self._scale

    def factor(self, weight: float) -> "PackedFactor":
        """Cholesky factor of Sigma = weight K + (1 - weight) I.

        Raises
        ------
        NotPositiveDefiniteError
            If Sigma has no Cholesky factor in single precision.

        Cost: n^3/3 operations and one new packed triangle.
        """
        triangle = self._own()
        sigma = triangle.values * np.float32(weight * self._scale)
        return _factor_in_place(
            PackedTriangle(self._n, sigma), self.diagonal() * weight + (1.0 - weight)
        )

    def into_factor(self, weight: float) -> "PackedFactor":
        """The same in the storage of K, which is of no use afterwards; no new array."""
        triangle, diagonal = self._own(), self.diagonal()
        self._triangle = None
        np.multiply(triangle.values, np.float32(weight * self._scale), out=triangle.values)
        return _factor_in_place(triangle, diagonal * weight + (1.0 - weight))

    def _own(self) -> PackedTriangle:
        if self._triangle is None:
            raise ValueError("this covariance matrix has been turned into its factor")
        return self._triangle


class PackedFactor(CovarianceFactor):
    """Sigma = L L' with L a packed triangle in single precision.

    Columns are scaled by powers of two into the range of single precision, solved there, and
    returned in double precision.  The last bits of a solution (some 1e-7 of its size) depend on
    where its column stands in a block, because processors take columns by fours and twelves.
    """

    def __init__(self, lower: PackedTriangle) -> None:
        self._lower = lower
        self._logdet = 2.0 * float(np.log(lower.diagonal()).sum())

    def __repr__(self) -> str:
        return f"<packed Cholesky factor of {self.n:,} samples>"

    @property
    def n(self) -> int:
        """Number of rows of Sigma."""
        return self._lower.n

    @property
    def logdet(self) -> float:
        """Natural logarithm of the determinant of Sigma."""
        return self._logdet

    @property
    def nbytes(self) -> int:
        """Bytes that the factor occupies."""
        return self._lower.nbytes

    def whiten(self, x: FloatArray) -> FloatArray:
        """L^-1 x; n^2 operations for each column."""
        return self._solve(x, "N")

    def whiten_transposed(self, x: FloatArray) -> FloatArray:
        """L^-T x."""
        return self._solve(x, "T")

    def unwhiten(self, x: FloatArray) -> FloatArray:
        """L x."""

        def product(block: SingleArray) -> FloatArray:
            total = np.zeros(block.shape, order="F")
            for at, square, below in self._lower.strips():
                total[at] += square @ block[at]
                total[at.stop :] += below @ block[at]
            return total

        return _by_blocks(product, x)

    def unwhiten_transposed(self, x: FloatArray) -> FloatArray:
        """L' x."""

        def product(block: SingleArray) -> FloatArray:
            total = np.zeros(block.shape, order="F")
            for at, square, below in self._lower.strips():
                total[at] = square.T @ block[at]
                total[at] += below.T @ block[at.stop :]
            return total

        return _by_blocks(product, x)

    def diagonal(self) -> FloatArray:
        """Diagonal of Sigma."""
        total = np.zeros(self.n)
        for at, square, below in self._lower.strips():
            total[at] += np.square(square, dtype=np.float64).sum(axis=1)
            total[at.stop :] += np.square(below, dtype=np.float64).sum(axis=1)
        return total

    def inverse(self) -> SingleArray:
        """L^-1, of which only the lower triangle is meant, (n, n).

        Cost: n^3/3 operations, and n^2 numbers in single precision.
        """
        lower, _ = lapack.stfttr(self.n, self._lower.values, uplo="L")
        inverse, _ = lapack.strtri(lower, lower=1, overwrite_c=1)
        return np.asarray(inverse)

    def inverse_squares(self) -> float:
        """Sum of the squares of L^-1, which is the trace of Sigma^-1.

        L^-1 = [L11^-1 0; -L22^-1 L21 L11^-1 L22^-1].

        Cost: n^3/3 operations, and memory like that of the factor.
        """
        first, second, below = (np.array(block, order="F") for block in self._lower.blocks())
        total = 0.0
        if len(second):
            below = blas.strsm(1.0, first, below, side=1, lower=1, overwrite_b=1)
            below = blas.strsm(1.0, second, below, lower=1, overwrite_b=1)
            total += _sum_of_squares(below.reshape(-1, order="F"))
            del below
        for triangle in (first, second):
            if len(triangle):
                inverse, _ = lapack.strtri(triangle, lower=1, overwrite_c=1)
                total += sum(
                    float(np.square(inverse[j:, j], dtype=np.float64).sum())
                    for j in range(len(inverse))
                )
        return total

    def _solve(self, x: FloatArray, trans: str) -> FloatArray:
        values = self._lower.values

        def solution(block: SingleArray) -> SingleArray:
            return np.asarray(
                lapack.stfsm(1.0, values, block, uplo="L", trans=trans, overwrite_b=1)
            )

        return _by_blocks(solution, x)


def _factor_in_place(sigma: PackedTriangle, diagonal: FloatArray) -> PackedFactor:
    """The factor of ``sigma`` with its diagonal replaced, in its storage."""
    sigma.set_diagonal(diagonal)
    values, info = lapack.spftrf(sigma.n, sigma.values, uplo="L", overwrite_a=1)
    if info != 0:
        raise NotPositiveDefiniteError(
            f"a covariance matrix of {sigma.n} rows is not positive definite in single precision: "
            f"its leading minor of order {info} is not positive; expected a relationship matrix "
            "without negative eigenvalues and a heritability below 1, and not so near to 1 that "
            "rounding decides; use double precision"
        )
    return PackedFactor(PackedTriangle(sigma.n, values))


def _by_blocks(function: Callable[[SingleArray], NDArray[Any]], x: FloatArray) -> FloatArray:
    """A linear function of columns in single precision, for x of shape (n,) or (n, k)."""
    columns = x.reshape(len(x), -1)
    result = np.empty(columns.shape, order="F")
    for start in range(0, columns.shape[1], _BLOCK):
        part = columns[:, start : start + _BLOCK]
        _, exponent = np.frexp(np.abs(part).max(axis=0, initial=0.0))
        exponent = np.clip(exponent, -1000, 1000)  # powers that double precision has
        single = np.empty(part.shape, np.float32, order="F")
        np.multiply(part, np.ldexp(1.0, -exponent), out=single, casting="same_kind")
        np.multiply(
            function(single), np.ldexp(1.0, exponent), out=result[:, start : start + _BLOCK]
        )
    return result.reshape(x.shape)


def _sum_of_squares(values: SingleArray) -> float:
    """In double precision, piece by piece."""
    total = 0.0
    for start in range(0, len(values), _SUMMED):
        piece = values[start : start + _SUMMED].astype(np.float64)
        total += float(piece @ piece)
    return total
