"""The mixed model in extended precision: the truth that certificates are held against.

The formulas are those of ``nextlmm.testing.reference``, and a test compares the two; numbers are of
NumPy's ``longdouble``, which has 64 bits of mantissa or more on most processors, so that what is
left of a difference is the program's own.  Everything is O(n^3) and meant for some hundred samples.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, optimize, special

from nextlmm.assoc.statistics import neg_log10_f_sf

WIDE = np.longdouble
LOG_RATIO = 5.0 * float(np.log(10.0))  # sigma_g2 / sigma_e2 between 1e-5 and 1e5
OK, MONOMORPHIC, ALL_MISSING, COLLINEAR = "ok", "monomorphic", "all_missing", "collinear"
COLLINEAR_SHARE = 1e-10  # of a variant's variance that is left where it counts as collinear
EXACT_FIT = WIDE(1e-20)
"""Share of y'Py that a variant leaves at least, by the rule of ``nextlmm.assoc.scan``."""
SMALLEST_P = 1e-280


def cholesky(a: np.ndarray) -> np.ndarray:
    """The lower triangle of a positive definite matrix (n, n)."""
    lower = np.tril(a.astype(WIDE))
    for j in range(len(lower)):
        lower[j:, j] -= lower[j:, :j] @ lower[j, :j]
        lower[j:, j] /= np.sqrt(lower[j, j])
    return lower


def solve_lower(lower: np.ndarray, b: np.ndarray) -> np.ndarray:
    """L^-1 b for b of shape (n, k)."""
    x = b.astype(WIDE)
    for j in range(len(x)):
        x[j] = (x[j] - lower[j, :j] @ x[:j]) / lower[j, j]
    return x


def orthonormal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gram-Schmidt, twice: orthonormal columns of the span of x (n, k), and the lengths left."""
    basis, lengths = x.astype(WIDE), np.zeros(x.shape[1], dtype=WIDE)
    for j in range(x.shape[1]):
        for _ in range(2):
            basis[:, j] -= basis[:, :j] @ (basis[:, :j].T @ basis[:, j])
        lengths[j] = np.sqrt(basis[:, j] @ basis[:, j])
        basis[:, j] /= lengths[j]
    return basis, lengths


def without(basis: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What is left of the columns of x outside an orthonormal basis."""
    for _ in range(2):
        x = x - basis @ (basis.T @ x)
    return x


@dataclass(frozen=True, eq=False)
class Forms:
    """Quadratic forms at one h2 of m variants and the trait; numbers of extended precision.

    xpx, xpy, ypy_with : (m,), the last is y'Py with the variant among the covariates.
    ypy, logdet_sigma, logdet_design : of the trait, Sigma, and Q' Sigma^-1 Q.
    """

    xpx: np.ndarray
    xpy: np.ndarray
    ypy_with: np.ndarray
    ypy: np.longdouble
    logdet_sigma: np.longdouble
    logdet_design: np.longdouble


@dataclass(frozen=True, eq=False)
class Textbook:
    """A cohort as a textbook has it.

    dosage : (kept, m) copies of the effect allele of all kept samples, NaN where missing.
    analysed : (n,) rows of those that have a trait and covariates.
    y, c : (n,) and (n, c) of these, with the intercept.
    chromosome : (m,) names.
    is_standardized : whether variants weigh alike in K.
    """

    dosage: np.ndarray
    analysed: np.ndarray
    y: np.ndarray
    c: np.ndarray
    chromosome: np.ndarray
    is_standardized: bool = True
    _kept: dict = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def df(self) -> int:
        """Degrees of freedom with the covariates and a variant in the model."""
        return self.n - self.c.shape[1] - 1

    def relationships(self, left_out: str | None = None) -> np.ndarray:
        """K, (n, n), without a chromosome; centred, mean diagonal 1."""
        if left_out not in self._kept:
            self._kept[left_out] = self._relationships(left_out)
        return self._kept[left_out]

    def _relationships(self, left_out: str | None) -> np.ndarray:
        x = self.dosage[:, self.chromosome != left_out].astype(WIDE)
        z, varies = _centred(x)
        z = z[:, varies]
        if self.is_standardized:
            z = z / np.sqrt(np.sum(z**2, axis=0) / len(z))
        z = z[self.analysed]
        z = z - z.mean(axis=0)
        k = z @ z.T
        return k * (self.n / np.trace(k))

    def variants(self) -> tuple[np.ndarray, np.ndarray]:
        """Variants outside the covariates, (n, m), and their status; 0 where it is not "ok"."""
        if "variants" not in self._kept:
            x = self.dosage[self.analysed].astype(WIDE)
            z, varies = _centred(x)
            status = np.where(varies, OK, MONOMORPHIC).astype(object)
            status[np.isnan(x).all(axis=0)] = ALL_MISSING
            left = without(self.basis(), z)
            share = np.sum(left**2, axis=0) / np.maximum(np.sum(z**2, axis=0), WIDE(1e-300))
            status[(status == OK) & (share <= COLLINEAR_SHARE)] = COLLINEAR
            left[:, status != OK] = 0.0
            self._kept["variants"] = left, status
        return self._kept["variants"]

    def basis(self) -> np.ndarray:
        """An orthonormal basis of the covariates, (n, c)."""
        return orthonormal(self.c)[0]

    def forms(
        self,
        k: np.ndarray,
        h2: float,
        at: np.ndarray | None = None,
        extra: np.ndarray | None = None,
    ) -> Forms:
        """All forms with Sigma(h2) of K, of the variants ``at``; ``extra`` covariates (n, e)."""
        h2 = WIDE(h2)
        sigma = h2 * k
        sigma.flat[:: self.n + 1] += 1 - h2
        lower = cholesky(sigma)
        covariates = self.basis()
        if extra is not None:
            covariates = np.column_stack((covariates, without(covariates, extra)))
        x = self.variants()[0]
        x = x if at is None else x[:, at]
        columns = covariates.shape[1]
        centred = without(self.basis(), (self.y - self.y.mean())[:, None])
        whitened = solve_lower(lower, np.column_stack((covariates, centred, x)))
        basis, lengths = orthonormal(whitened[:, :columns])
        rest = without(basis, whitened[:, columns:])
        y, x = rest[:, 0], rest[:, 1:]
        xpx, xpy = np.sum(x**2, axis=0), y @ x
        effect = np.divide(xpy, xpx, out=np.zeros_like(xpy), where=xpx > 0.0)
        with_x = np.sum((y[:, None] - effect * x) ** 2, axis=0)
        with_x = np.maximum(with_x, EXACT_FIT * (y @ y))
        logdet = 2 * np.sum(np.log(np.diag(lower)))
        return Forms(xpx, xpy, with_x, y @ y, logdet, 2 * np.sum(np.log(lengths)))

    def neg_log_10_p(self, test: str, forms: Forms) -> np.ndarray:
        """-log10 p of the variants of ``forms``, (m,), all at its h2."""
        return neg_log_10_p(test, self.statistic(test, forms), self.df)

    def statistic(self, test: str, forms: Forms) -> np.ndarray:
        """F of Wald's and the score test, or the likelihood ratio."""
        explained = forms.xpy**2 / forms.xpx
        if test == "lrt":
            return np.asarray(self.n * np.log(forms.ypy / forms.ypy_with), dtype=float)
        if test == "score":
            return np.asarray(self.n * explained / forms.ypy, dtype=float)
        return np.asarray(self.df * explained / forms.ypy_with, dtype=float)

    def log_likelihood(
        self, k: np.ndarray, h2: float, *, reml: bool, at: int | None = None
    ) -> float:
        """Log-likelihood at ``h2``, of the model with variant ``at`` if there is one."""
        x = None if at is None else self.variants()[0][:, [at]]
        forms = self.forms(k, h2, np.empty(0, dtype=int), x)
        return float(_log_likelihood(forms, self.n, self.c.shape[1] + (at is not None), reml=reml))

    def best_h2(self, k: np.ndarray, *, reml: bool, at: int | None = None) -> float:
        """Where the log-likelihood is highest, by the eigenvalues of K in double precision."""
        curve = _Curve.of(self, k, at, reml=reml)
        grid = np.linspace(-LOG_RATIO, LOG_RATIO, 301)
        values = curve(grid)
        best = int(np.argmax(values))
        ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        found = optimize.minimize_scalar(
            lambda t: -curve(np.array([t]))[0],
            bounds=ends,
            method="bounded",
            options={"xatol": 1e-9},
        )
        t = found.x if -found.fun > values[best] else grid[best]
        return float(special.expit(t))


def neg_log_10_p(test: str, statistic: np.ndarray, df: int) -> np.ndarray:
    """-log10 of the upper tails, (m,)."""
    statistic = np.asarray(statistic, dtype=float)
    if test == "lrt":
        return np.asarray(-(special.log_ndtr(-np.sqrt(statistic)) + np.log(2.0)) / np.log(10.0))
    p = special.fdtrc(1.0, df, statistic)
    # the tail beyond doubles is that of the package, which has a test with 60 digits of its own
    far = neg_log10_f_sf(np.where(p < SMALLEST_P, statistic, 1.0), df)
    return np.where(p < SMALLEST_P, far, -np.log10(np.maximum(p, SMALLEST_P)))


def _centred(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns less the means of what is there, 0 where missing, and which of them vary."""
    called = ~np.isnan(x)
    count = called.sum(axis=0)
    mean = np.where(called, x, 0).sum(axis=0) / np.maximum(count, 1)
    low = np.where(called, x, np.inf).min(axis=0)
    high = np.where(called, x, -np.inf).max(axis=0)
    return np.where(called, x - mean, WIDE(0)), (count > 0) & (high > low)


def _log_likelihood(forms: Forms, n: int, columns: int, *, reml: bool) -> np.longdouble:
    df = n - columns if reml else n
    value = df * np.log(2 * WIDE(np.pi) * forms.ypy / df) + df + forms.logdet_sigma
    return -(value + (forms.logdet_design if reml else 0)) / 2


@dataclass(frozen=True, eq=False)
class _Curve:
    """A profile log-likelihood as a function of t = log(h2 / (1 - h2)), up to a constant.

    inside, square : eigenvalues of K outside the covariates, and the trait's squares there.
    logdet_values : eigenvalues whose terms make the log-determinant.
    """

    inside: np.ndarray
    square: np.ndarray
    logdet_values: np.ndarray
    df: int

    @classmethod
    def of(cls, book: Textbook, k: np.ndarray, at: int | None, *, reml: bool) -> "_Curve":
        c = book.basis().astype(float)
        if at is not None:
            c = np.column_stack((c, book.variants()[0][:, at].astype(float)))
        outside = linalg.qr(c)[0][:, c.shape[1] :]
        k = k.astype(float)
        values, vectors = linalg.eigh(outside.T @ k @ outside)
        y = (book.y - book.y.mean()).astype(float)
        square = (vectors.T @ (outside.T @ y)) ** 2
        if reml:
            return cls(values, square, values, len(values))
        return cls(values, square, linalg.eigvalsh(k), book.n)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        h = special.expit(t)[:, None]
        rest = special.expit(-t)[:, None]
        ypy = np.sum(self.square / (h * self.inside + rest), axis=1)
        logdet = np.sum(np.log(h * np.maximum(self.logdet_values, 0.0) + rest), axis=1)
        return np.asarray(-(self.df * np.log(ypy) + logdet) / 2.0)
