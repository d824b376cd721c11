"""What a run claims of its own errors, held against the truth, claim by claim.

A claim is either certain, and then one case against it is a fault, or it comes with a probability,
and then the number of cases against it has to agree with that.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from nextlmm import Model, NextlmmError, associate
from nextlmm.run import dense, scan
from nextlmm.run.compressed import bounds
from nextlmm.run.compressed import find as compressed
from nextlmm.run.exact import find as exact
from nextlmm.run.exact import hits, null, plan

from .small_problems import Small
from .textbook import EXACT_FIT, OK, Textbook, neg_log_10_p, orthonormal, without

STATUS = "a variant has the status that its genotypes and covariates give it"
COMPLETE = "a variant that is tested has all numbers, and one that is not has none"
DENSE = "dense algebra gives the p-value of the textbook at the h2 of the row"
ENDS = "the p-value of the exact model is between the ends that are printed"
DISTANCE = "no p-value is further from the exact model's than is printed"
LIKELIHOOD = "the likelihood is highest at the h2 that is printed"
SCORE = "no score is further from the exact one than is printed"
TRAIT = "y'Py is as close as the ends of p-values take it to be"
SOLVED = "x'Px that was solved for is as close as is printed"
PREDICTED = "x'Px that was predicted is as close as is printed"
KL = "the divergence is the one that is printed"
LOGDET = "the log determinant is off by what is printed"
RATIO = "x'Px / x'P_H x is inside the range that is printed"
KL_INTERVAL = "the divergence is inside its 95 % interval"
MONTE_CARLO = "h2 is within 1.96 Monte-Carlo errors of the h2 of highest likelihood"

PROBABILITY = {PREDICTED: 1e-7, KL_INTERVAL: 0.05, MONTE_CARLO: 0.05}
"""Of a case against a claim that is not certain."""

ROUNDING = 1e-7
"""Relative and absolute room for rounding in what is printed; that of `assoc.bound`."""
SINGLE = 1e-7
"""The same where products are in single precision."""
FLAT = 1e-4
"""Log-likelihood that a search may miss of the maximum: h2 moves by 0.014 standard errors."""
MOST_OWN = 8
"""Variants with an h2 of their own that are looked at in each problem."""
SEARCH = 1e-4
"""Share of a standard error, or of h2 (1 - h2), to which a search finds a maximum."""


@dataclass
class Tally:
    """How often a claim was looked at, how often it was broken, and the first cases against it."""

    checked: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    cases: list[tuple[str, str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def note(self, claim: str, holds: np.ndarray | bool, what: str = "") -> None:
        """Count what holds; ``what`` describes a case against it."""
        holds = np.atleast_1d(np.asarray(holds))
        self.checked[claim] += holds.size
        against = int(np.count_nonzero(~holds))
        if against:
            self.broken[claim] += against
            first = int(np.flatnonzero(~holds)[0])
            self.cases.append((claim, f"{against} of {holds.size}, first {first}: {what}"))

    def add(self, other: "Tally") -> None:
        """Take up the counts of another."""
        self.checked += other.checked
        self.broken += other.broken
        self.refused += other.refused
        self.cases += other.cases


@dataclass
class _Seen:
    """What a run had in hand: factors and forms that it prints only bounds of."""

    lenses: list[Any] = field(default_factory=list)
    measured: list[Any] = field(default_factory=list)
    whole: list[Any] = field(default_factory=list)
    scanned: list[Any] = field(default_factory=list)
    probed: list[Any] = field(default_factory=list)
    bounded: list[Any] = field(default_factory=list)
    retested: list[Any] = field(default_factory=list)


@contextmanager
def _watched(small: Small) -> Iterator[_Seen]:
    """Sizes at which routes begin as the problem has them, and everything noted on the way."""
    seen = _Seen()

    def noting(kept: list[Any], function: Any) -> Any:
        def noted(*given: Any, **named: Any) -> Any:
            result = function(*given, **named)
            kept.append((given, result))
            return result

        return noted

    with ExitStack() as stack:

        def put(where: Any, name: str, value: Any) -> None:
            stack.enter_context(patch.object(where, name, value))

        if "square" in small.limits:
            put(plan, "LARGEST_DOUBLE", 0)
        if "measured" in small.limits:
            put(compressed, "SMALLEST", 0)
        if "spectrum" in small.limits:
            random = partial(null.estimate_null_stochastic, dense_below=0)
            put(null, "estimate_null_stochastic", random)
        put(exact, "tested_columns", noting(seen.lenses, exact.tested_columns))
        put(scan, "certify", noting(seen.measured, scan.certify))
        put(dense, "describe_certificate", noting(seen.whole, dense.describe_certificate))
        put(dense, "scan_variants", noting(seen.scanned, dense.scan_variants))
        for where in (scan, hits):
            put(where, "replaced", noting(seen.retested, where.replaced))
        put(compressed, "_exact_near", noting(seen.probed, compressed._exact_near))
        side = bounds.ExactModel
        put(side, "bound", noting(seen.bounded, side.bound))
        yield seen


def examine(small: Small) -> Tally:
    """Run a problem and look at every claim of its result."""
    tally = Tally()
    with _watched(small) as seen:
        try:
            result = associate(
                small.y,
                small.dosage,
                covariates=small.covariates,
                chromosome=small.chromosome.tolist(),
                model=Model(**small.model),
            )
        except NextlmmError as error:
            tally.refused[f"{type(error).__name__}: {str(error)[:60]}"] += 1
            return tally
    _Examination(small, _book(small), result, seen, tally).run()
    return tally


def _book(small: Small) -> Textbook:
    covariates = small.covariates if small.covariates is not None else np.empty((len(small.y), 0))
    analysed = np.flatnonzero(~(np.isnan(small.y) | np.isnan(covariates).any(axis=1)))
    c = np.column_stack((np.ones(len(analysed)), covariates[analysed]))
    centred = np.column_stack((c[:, :1], c[:, 1:] - c[:, 1:].mean(axis=0)))
    return Textbook(
        dosage=small.dosage.astype(np.float32).astype(float),  # as the program holds it
        analysed=analysed,
        y=small.y[analysed],
        c=centred,
        chromosome=small.chromosome,
        is_standardized=small.model["grm_weighting"] == "standardized",
    )


@dataclass
class _Examination:
    small: Small
    book: Textbook
    result: Any
    seen: _Seen
    tally: Tally

    def run(self) -> None:
        self._rows()
        self._heritability()
        if self.seen.lenses:
            self._solved()
        elif self.seen.bounded:
            self._estimated()
        elif any(found is not None for _, found in self.seen.measured):
            self._measured()
        else:
            self._ends(self.column("h2"))

    # what is common to all routes

    @property
    def model(self) -> dict[str, Any]:
        return self.small.model

    def column(self, name: str) -> np.ndarray:
        """A column of the table, NaN where it is empty or there is none."""
        if name not in self.result.table.columns:
            return np.full(len(self.small.chromosome), np.nan)
        return self.result.table[name].cast(float).fill_null(np.nan).to_numpy()

    def groups(self) -> list[tuple[str | None, np.ndarray]]:
        """The chromosome that is left out, and the variants that are tested without it."""
        every = np.arange(len(self.small.chromosome))
        if not self.model["loco"]:
            return [(None, every)]
        names = dict.fromkeys(self.small.chromosome.tolist())
        return [(name, every[self.small.chromosome == name]) for name in names]

    def left_out(self, variant: int) -> str | None:
        return str(self.small.chromosome[variant]) if self.model["loco"] else None

    def _rows(self) -> None:
        status = self.result.table["status"].to_numpy()
        expected = self.book.variants()[1]
        self.tally.note(STATUS, status == expected, f"{set(zip(status, expected, strict=True))}")
        ok = status == OK
        names = ["beta", "standard_error", "neg_log_10_p_value", "h2", "statistic"]
        if "neg_log_10_p_value_low" in self.result.table.columns:
            names += ["neg_log_10_p_value_low", "neg_log_10_p_value_high"]
        for name in names:
            self.tally.note(COMPLETE, np.isnan(self.column(name)) == ~ok, name)

    def _heritability(self) -> None:
        """Where the null model of the exact matrix is said to be, and where it is."""
        if self.model["method"] == "he":
            return
        null = self.result.null
        if self.model["mode"] == "hodlr":
            if self.seen.bounded or not self.seen.measured:
                return
            null = self.seen.whole[0][0][0].exact_null if self.seen.whole else null
        k = self.book.relationships()
        for reml, h2 in ((True, null.h2_reml), (False, null.h2_ml)):
            if reml != (self.model["method"] == "reml") and self.model["test"] == "wald":
                continue
            best = self.book.best_h2(k, reml=reml)
            if "spectrum" in self.small.limits and self.result.certificate.get("h2_probes"):
                self._monte_carlo(k, reml, h2, best)
                continue
            missed = self._missed(k, reml, h2, best)
            self.tally.note(
                LIKELIHOOD, missed <= FLAT, f"h2 {h2:.6g}, not {best:.6g}: {missed:.3g}"
            )

    def _missed(self, k: np.ndarray, reml: bool, h2: float, best: float, at: Any = None) -> float:
        likelihood = partial(self.book.log_likelihood, k, reml=reml, at=at)
        return likelihood(best) - likelihood(h2)

    def _monte_carlo(self, k: np.ndarray, reml: bool, h2: float, best: float) -> None:
        if reml != (self.model["method"] == "reml") or self.result.null.h2_boundary is not None:
            return
        error = 1.96 * self.result.certificate["h2_monte_carlo_error"]
        room = error + SEARCH * (self.result.null.h2_se or 0.0)
        self.tally.note(MONTE_CARLO, abs(h2 - best) <= room, f"h2 {h2:.6g}, {best:.6g} {error:.3g}")

    def own(self) -> np.ndarray:
        """Which rows have an h2 of their own."""
        if self.model.get("per_variant_h2", "never") == "always":
            return np.isfinite(self.column("h2"))
        own = np.zeros(len(self.small.chromosome), dtype=bool)
        for (columns, at, *_), _ in self.seen.retested:
            own[columns.variants[at]] = True
        return own & np.isfinite(self.column("h2"))

    def truth(self, h2: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """-log10 p of the exact model at the h2 of each row, (m,); NaN outside ``rows``."""
        log_p = np.full(len(h2), np.nan)
        for name, variants in self.groups():
            k = self.book.relationships(name)
            wanted = variants[rows[variants]]
            for value in np.unique(h2[wanted]):
                at = wanted[h2[wanted] == value]
                log_p[at] = self.book.neg_log_10_p(
                    self.model["test"], self.book.forms(k, float(value), at)
                )
        return log_p

    def _is_exact_fit(self, variant: int, h2: float) -> bool:
        """Whether the variant leaves nothing of the trait but rounding."""
        k, at = self.book.relationships(self.left_out(variant)), np.array([variant])
        forms = self.book.forms(k, h2, at)
        return bool(forms.ypy_with[0] <= 2.0 * EXACT_FIT * forms.ypy)

    def _own_truth(self, variant: int, h2: float) -> float:
        """The same of a variant with an h2 of its own."""
        k = self.book.relationships(self.left_out(variant))
        if self.model["test"] != "lrt":
            at = np.array([variant])
            return float(self.book.neg_log_10_p(self.model["test"], self.book.forms(k, h2, at))[0])
        null = self.book.log_likelihood(k, self.book.best_h2(k, reml=False), reml=False)
        gain = 2.0 * (self.book.log_likelihood(k, h2, reml=False, at=variant) - null)
        return float(neg_log_10_p("lrt", np.array([max(gain, 0.0)]), self.book.df)[0])

    def _ends(self, h2: np.ndarray, doubtful: np.ndarray | None = None) -> None:
        """The ends that are printed, with the exact model at ``h2`` (m,).

        ``doubtful`` rows rest on a prediction that was not right, and are counted there.
        """
        own, found = self.own(), self.column("neg_log_10_p_value")
        shared = np.isfinite(found) & ~own
        truth = self.truth(h2, shared)
        for variant in np.flatnonzero(own)[:MOST_OWN]:
            value = float(self.column("h2")[variant])
            if self._is_exact_fit(variant, value):
                continue  # which has no h2 of its own, and one p-value by the rule of all tests
            truth[variant] = self._own_truth(variant, value)
            self._own_likelihood(variant, value)
        rows = np.flatnonzero(np.isfinite(truth))
        if doubtful is not None:
            rows = rows[~doubtful[rows]]
        if not rows.size:
            return
        low, high = (self.column(f"neg_log_10_p_value_{end}")[rows] for end in ("low", "high"))
        truth, found = truth[rows], found[rows]
        if np.isnan(low).all():
            room = ROUNDING * (1.0 + truth)
            worst = int(np.argmax(np.abs(found - truth) - room))
            what = f"variant {rows[worst]}: {found[worst]!r}, truth {truth[worst]!r}"
            self.tally.note(DENSE, np.abs(found - truth) <= room, what)
            return
        beyond = np.maximum(low - truth, truth - high)
        worst = int(np.argmax(beyond))
        what = (
            f"variant {rows[worst]}{' own h2' if own[rows[worst]] else ''}: {low[worst]!r} to "
            f"{high[worst]!r}, truth {truth[worst]!r}, h2 {h2[rows[worst]]!r}"
        )
        self.tally.note(ENDS, beyond <= 0.0, what)
        largest = self.result.certificate.get("neg_log_10_p_error_max")
        if largest is not None:
            distance = np.abs(found - truth)[~own[rows]]
            self.tally.note(DISTANCE, distance <= largest + ROUNDING, f"{largest!r}")

    def _own_likelihood(self, variant: int, h2: float) -> None:
        if self.model["test"] == "score" or "spectrum" in self.small.limits:
            return
        k, reml = self.book.relationships(self.left_out(variant)), self.model["test"] == "wald"
        best = self.book.best_h2(k, reml=reml, at=variant)
        missed = self._missed(k, reml, h2, best, variant)
        self.tally.note(LIKELIHOOD, missed <= FLAT, f"variant {variant}: {h2:.6g}, {best:.6g}")

    # exact mode by products, or in single precision

    def _solved(self) -> None:
        doubtful = np.zeros(len(self.small.chromosome), dtype=bool)
        for (setting, wald, tested, _), _ in self.seen.lenses:
            for lens in (wald,) if tested is wald else (wald, tested):
                wrong = self._lens(setting, lens)
                if lens is tested:
                    doubtful |= wrong
        self._ends(self.column("h2"), doubtful)

    def _lens(self, setting: Any, lens: Any) -> np.ndarray:
        """Scores and denominators at one h2; which rows rest on a prediction that is wrong."""
        doubtful = np.zeros(len(self.small.chromosome), dtype=bool)
        variants, start = setting.variants, 0
        for group in setting.groups:
            part = slice(start, start + len(group.variants))
            start = part.stop
            good = lens.forms.status[part] == OK
            at = variants[part][good]
            if not at.size:
                continue
            name = self.left_out(int(at[0]))
            truth = self.book.forms(self.book.relationships(name), lens.h2, at)
            xpx, xpy = (np.asarray(v, float) for v in (truth.xpx, truth.xpy))
            ypy, error = float(truth.ypy), lens.score_error[part][good]
            off = np.abs(lens.forms.score[part][good] - xpy) / np.sqrt(xpx)
            what = f"h2 {lens.h2:.6g}, off {off.max():.3g}, said {error[0]:.3g}"
            self.tally.note(SCORE, off <= error + ROUNDING * np.sqrt(ypy), what)
            off_y = abs(float(lens.ypy[part][0]) - ypy)
            room = error[0] * np.sqrt(ypy) + ROUNDING * ypy
            self.tally.note(TRAIT, off_y <= room, f"off {off_y:.3g}, said {room:.3g}")
            doubtful[at[~self._denominators(lens.denominators, part, good, xpx, lens.h2)]] = True
        return doubtful

    def _denominators(
        self, found: Any, part: slice, good: np.ndarray, xpx: np.ndarray, h2: float
    ) -> np.ndarray:
        """Those of a group against the truth; whether none that was predicted is wrong, each."""
        bound, is_exact = found.bound[part][good], found.is_exact[part][good]
        ratio = np.abs(np.log(found.information[part][good] / xpx))
        inside = ratio <= np.log1p(bound) + ROUNDING
        for claim, own in ((SOLVED, is_exact), (PREDICTED, ~is_exact)):
            if own.any():
                worst = int(np.argmax(ratio[own] - np.log1p(bound[own])))
                what = f"h2 {h2:.6g}: {ratio[own][worst]:.3g}, said {bound[own][worst]:.3g}"
                self.tally.note(claim, inside[own], what)
        return np.asarray(inside | is_exact)

    # the compressed matrix, measured with the square one

    def _measured(self) -> None:
        h2 = np.full(len(self.small.chromosome), np.nan)
        for ((problem, model, fitted, scanned), certified), ((*_, variants, _), _) in zip(
            self.seen.measured, self.seen.scanned, strict=True
        ):
            exact_null = fitted.exact_null
            exact_h2 = model.h2_of_test(exact_null.h2, exact_null.h2_ml)
            h2[variants] = exact_h2
            name = self.left_out(int(variants[0]))
            found, order = certified.certificate, self._order(problem)
            factor, own = scanned.tested.factor, scanned.tested.trait.h2
            mu = self._spectrum(factor, name, own, order)
            self._divergence(mu, found.divergence.kl, found.divergence.logdet_error)
            mu = self._spectrum(factor, name, exact_h2, order)
            self._ratio(RATIO, mu, found.bound.ratio_low, found.bound.ratio_high)
            self._scores(factor, name, exact_h2, order, variants, found.bound.z_error)
        for (whole, *_), described in self.seen.whole:
            factor = whole.covariance.factor(whole.null.h2)
            order = self._order(self.seen.measured[0][0][0])
            mu = self._spectrum(factor, None, whole.null.h2, order)
            self._divergence(mu, described["kl"], described["log_determinant_error"])
        self._ends(h2)

    def _order(self, problem: Any) -> np.ndarray:
        """Rows of the textbook's arrays in the order of a problem's samples."""
        return np.searchsorted(self.book.analysed, problem.samples)

    def _spectrum(self, factor: Any, name: str | None, h2: float, order: np.ndarray) -> np.ndarray:
        """Eigenvalues of W^-1 Sigma W^-T, ascending."""
        sigma = np.longdouble(h2) * self.book.relationships(name)[np.ix_(order, order)]
        sigma.flat[:: self.book.n + 1] += 1 - np.longdouble(h2)
        inverse = factor.whiten(np.eye(self.book.n)).astype(np.longdouble)
        return np.linalg.eigvalsh((inverse @ sigma @ inverse.T).astype(float))

    def _divergence(self, mu: np.ndarray, kl: float, logdet_error: float) -> None:
        truth = float(np.sum(mu - 1.0 - np.log(mu))) / 2.0
        room = ROUNDING * (1.0 + truth)
        self.tally.note(KL, abs(kl - truth) <= room, f"{kl!r}, truth {truth!r}")
        truth = -float(np.sum(np.log(mu)))
        room = ROUNDING * (1.0 + abs(truth))
        self.tally.note(LOGDET, abs(logdet_error - truth) <= room, f"{logdet_error!r}, {truth!r}")

    def _ratio(self, claim: str, mu: np.ndarray, low: float, high: float) -> None:
        inside = low <= mu[0] * (1.0 + ROUNDING) and mu[-1] <= high * (1.0 + ROUNDING)
        self.tally.note(claim, inside, f"{low!r} to {high!r}, truth {mu[0]!r} to {mu[-1]!r}")

    def _scores(
        self,
        factor: Any,
        name: str | None,
        h2: float,
        order: np.ndarray,
        variants: np.ndarray,
        z_error: float,
    ) -> None:
        """Scores with the factor's P_H against the exact ones, in standard deviations."""
        good = variants[self.book.variants()[1][variants] == OK]
        if not good.size:
            return
        truth = self.book.forms(self.book.relationships(name), h2, good)
        columns = np.column_stack(
            (self.book.y - self.book.y.mean(), self.book.variants()[0][:, good])
        )
        inverse = factor.whiten(np.eye(self.book.n)).astype(np.longdouble)
        basis = orthonormal(inverse @ self.book.basis()[order])[0]
        rest = without(basis, inverse @ columns[order])
        score, size = rest[:, 0] @ rest[:, 1:], np.sqrt(np.sum(rest[:, 1:] ** 2, axis=0))
        sigma = np.sqrt(truth.ypy / self.book.df)
        off = np.asarray(np.abs(score - truth.xpy) / size / sigma, dtype=float)
        self.tally.note(
            SCORE, off <= z_error + ROUNDING, f"off {off.max():.6g}, said {z_error:.6g}"
        )

    # the compressed matrix, measured with products

    def _estimated(self) -> None:
        h2 = np.full(len(self.small.chromosome), np.nan)
        doubtful, start = np.zeros(len(h2), dtype=bool), 0
        (_, tested, *_), bounded = self.seen.bounded[0]
        for group in tested:
            variants = group.group.variants
            part, start = slice(start, start + len(variants)), start + len(variants)
            h2[variants] = group.h2
            good = group.forms.status == OK
            at = variants[good]
            if not at.size:
                continue
            truth = self.book.forms(
                self.book.relationships(self.left_out(int(at[0]))), group.h2, at
            )
            xpx, xpy = (np.asarray(v, float) for v in (truth.xpx, truth.xpy))
            right = self._denominators(bounded.denominators, part, good, xpx, group.h2)
            doubtful[at[~right]] = True
            sigma = np.sqrt(float(truth.ypy) / self.book.df)
            off = (np.abs(group.forms.score[good] - xpy) / np.sqrt(xpx) / sigma)[right]
            what = f"off {off.max(initial=0.0):.6g}, said {bounded.z_error:.6g}"
            self.tally.note(SCORE, off <= bounded.z_error + ROUNDING, what)
        (ordered, matrix, _, _, whole), (probed, _) = self.seen.probed[0]
        factor, order = matrix.hierarchy.factor(whole.h2), self._order(ordered.problem)
        mu = self._spectrum(factor, None, whole.h2, order)
        kl = float(np.sum(mu - 1.0 - np.log(mu))) / 2.0
        low, high = probed.divergence.low, probed.divergence.high
        room = SINGLE * (1.0 + kl)
        self.tally.note(
            KL_INTERVAL, low - room <= kl <= high + room, f"{low!r} to {high!r}, truth {kl!r}"
        )
        self._ends(h2, doubtful)
