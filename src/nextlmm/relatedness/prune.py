"""Thinning variants until no two near each other are strongly correlated.

The variants that stay are those of ``--indep-pairwise`` of PLINK 1.9 on the same samples, and of
PLINK 2.0, which also keeps a variant that does not vary where it is alone in its window.  A window
moves along a chromosome by a fixed number of variants.  In every window, the first variant
of each pair above the threshold, from the left, meets the nearest one on its right that is above
the threshold with it: the one with the rarer minor allele goes, the second where they are equal,
and so over and over until no such pair is left.  Variants that do not vary go too.

The correlation of two variants is that of the samples in which both are called, as PLINK has it;
dosages are taken as they are, where PLINK takes the nearest call.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextlmm.errors import VariantError
from nextlmm.genotype.partition import chromosome_groups
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.summary import VariantSummary
from nextlmm.genotype.tables import IndexArray
from nextlmm.linalg.threads import available_threads, one_thread
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.prune_rule import Pruning

FloatArray = NDArray[np.float64]

_TIE = 2.0**-44
"""Relative difference below which PLINK takes two numbers for equal."""
_BLOCK = (64, 512)  # fewest and most variants that are multiplied together
_ITEMS = 2**25  # of a block of dosages, if that is no fewer variants
_EXACT = 2**24  # up to which single precision has every whole number


def prune(
    source: GenotypeSource,
    variants: IndexArray,
    samples: IndexArray,
    summary: VariantSummary,
    pruning: Pruning,
    *,
    progress: Progress | None = None,
) -> IndexArray:
    """Those of ``variants`` that stay, ascending.

    Variants are taken chromosome by chromosome, in the order of their positions and of the table
    where positions are equal.  All samples count in the same way, relatives too, and so do all
    chromosomes: PLINK leaves out samples with parents in the data, and takes men for half on X.

    Parameters
    ----------
    source : the genotypes.
    variants : positions of the variants to thin, ascending.
    samples : positions of the samples over which correlations are taken.
    summary : of all variants of the source over ``samples``.
    pruning : how.
    progress : told of the variants done.

    Raises
    ------
    VariantError
        If windows are in kilobases and the variants of a chromosome have no positions.

    Cost: 2 n operations for each pair of variants of which one is in the reach of the other, six
    times as many where genotypes are missing; two blocks of decoded variants for each core, and the
    pairs of a chromosome above the threshold.
    """
    listener = progress or Silent()
    listener.start("Pruning variants", len(variants))
    frequency = summary.effect_allele_frequency
    minor = np.minimum(frequency, 1.0 - frequency)
    stays = []
    for name, group in chromosome_groups(variants, source.variants.chromosome).items():
        position = source.variants.position_bp[group]
        if pruning.is_kb and len(group) > 1 and position.min() == position.max():
            raise VariantError(
                f"the {len(group):,} variants of chromosome '{name}' all are at position "
                f"{position[0]}; expected positions that differ for a window in kb: give it in "
                "variants (--grm-prune 200,50,0.2)"
            )
        order = np.argsort(position, kind="stable")
        ordered, position = group[order], position[order]
        reach = _reach(position, pruning)
        pairs = _correlated(source, ordered, samples, reach, pruning.r2, listener)
        varies = summary.is_polymorphic[ordered]
        stays.append(ordered[_greedy(pairs, varies, minor[ordered], reach, pruning.step)])
    listener.finish()
    return np.sort(np.concatenate([*stays, variants[:0]]))


def _reach(position: NDArray[np.int64], pruning: Pruning) -> IndexArray:
    """The end of the window that begins at each variant, (m,)."""
    m = len(position)
    if not pruning.is_kb:
        return np.minimum(np.arange(m) + int(pruning.window), m)
    last = position + int(pruning.window * 1000.0 * (1.0 + _TIE))
    return np.searchsorted(position, last, side="right")


def _greedy(
    pairs: Mapping[int, Sequence[int]],
    varies: NDArray[np.bool_],
    minor: FloatArray,
    reach: IndexArray,
    step: int,
) -> NDArray[np.bool_]:
    """Which variants of a chromosome stay, (m,).

    ``pairs`` has the variants on the right of each one that are above the threshold with it.
    """
    m = len(minor)
    stays = varies.copy()
    right = {first: list(reversed(seconds)) for first, seconds in pairs.items()}
    left: dict[int, list[int]] = defaultdict(list)
    for first, seconds in pairs.items():
        for second in seconds:
            left[second].append(first)
    seen = 0
    for start in range(0, m, step):
        end = int(reach[start])
        # Pairs within the windows before are settled: one of the two is among the new variants.
        new = range(max(seen, start), end)
        firsts = {first for second in new for first in left.get(second, ()) if first >= start}
        active = sorted(firsts)
        while active:
            active = [first for first in active if _settled(first, right[first], end, stays, minor)]
        seen = max(seen, end)
    return stays


def _settled(
    first: int,
    seconds: list[int],
    end: int,
    stays: NDArray[np.bool_],
    minor: FloatArray,
) -> bool:
    """Take one variant of the nearest pair away; whether there was such a pair in the window."""
    if not stays[first]:
        return False
    while seconds and not stays[seconds[-1]]:
        seconds.pop()
    if not seconds or seconds[-1] >= end:
        return False
    second = seconds[-1]
    stays[first if minor[first] < (1.0 - _TIE) * minor[second] else second] = False
    return True


def _correlated(
    source: GenotypeSource,
    variants: IndexArray,
    samples: IndexArray,
    reach: IndexArray,
    r2: float,
    listener: Progress,
) -> dict[int, list[int]]:
    """For each variant of a chromosome those on its right, in reach, with a correlation above r2.

    Numbers are positions in ``variants``.
    """
    m, n = len(variants), len(samples)
    widest = int((reach - np.arange(m)).max(initial=0))
    fewest, most = _BLOCK
    size = max(16, min(max(fewest, min(widest, most)), _ITEMS // (n or 1)))
    pairs: dict[int, list[int]] = defaultdict(list)

    def found(start: int) -> list[tuple[int, int]]:
        stop = min(start + size, m)
        own = _block(source, variants[start:stop], samples)
        places = []
        for at, stretch in _stretches(start, int(reach[stop - 1]), size):
            other = own if at == start else _block(source, variants[stretch], samples)
            above = _above(own, other, r2)
            number = np.arange(at, at + other.n_variants)
            above &= number > np.arange(start, stop)[:, None]
            above &= number < reach[start:stop, None]
            places.append(np.argwhere(above) + np.array([start, at]))
        listener.advance(stop - start)
        return [(int(first), int(second)) for first, second in np.vstack(places)]

    with one_thread(), ThreadPoolExecutor(available_threads()) as pool:
        for places in pool.map(found, range(0, m, size)):
            for first, second in places:
                pairs[first].append(second)
    return pairs


def _stretches(start: int, stop: int, size: int) -> Iterator[tuple[int, slice]]:
    for at, end in pairwise([*range(start, stop, size), stop]):
        yield at, slice(at, end)


@dataclass(frozen=True, eq=False)
class _Block:
    """Dosages (n, b), missing ones 0, their squares, and where they are called, if not everywhere.

    ``total`` and ``squares`` (b,) are sums over the samples.
    """

    values: NDArray[Any]
    is_called: NDArray[Any] | None
    total: FloatArray
    squares: FloatArray

    @property
    def n_variants(self) -> int:
        return int(self.values.shape[1])


def _block(source: GenotypeSource, variants: IndexArray, samples: IndexArray) -> _Block:
    dosage = source.dosages(variants, samples)
    missing = np.isnan(dosage)
    has_missing = bool(missing.any())
    if has_missing:
        dosage[missing] = 0.0
    # Sums of products of calls are whole numbers, exact in single precision up to 2^24.
    is_whole = 4 * len(samples) < _EXACT and bool((dosage == np.rint(dosage)).all())
    dtype: DTypeLike = np.float32 if is_whole else np.float64
    values = dosage.astype(dtype, copy=False)
    called = (~missing).astype(dtype) if has_missing else None
    total = values.sum(axis=0, dtype=np.float64)
    return _Block(values, called, total, np.square(values).sum(axis=0, dtype=np.float64))


def _above(a: _Block, b: _Block, r2: float) -> NDArray[np.bool_]:
    """Whether the squared correlation of each variant of a with each of b is above r2, (a, b)."""
    n = float(len(a.values))
    product = _products(a.values, b.values)
    called: FloatArray | float = n
    a_total, a_squares = a.total[:, None], a.squares[:, None]
    b_total, b_squares = b.total[None, :], b.squares[None, :]
    if b.is_called is not None:
        a_total = _products(a.values, b.is_called)
        a_squares = _products(np.square(a.values), b.is_called)
    if a.is_called is not None:
        b_total = _products(a.is_called, b.values)
        b_squares = _products(a.is_called, np.square(b.values))
    if a.is_called is not None and b.is_called is not None:
        called = _products(a.is_called, b.is_called)
    elif a.is_called is not None:
        called = a.is_called.sum(axis=0, dtype=np.float64)[:, None]
    elif b.is_called is not None:
        called = b.is_called.sum(axis=0, dtype=np.float64)[None, :]
    covariance = called * product - a_total * b_total
    spread = (called * a_squares - a_total**2) * (called * b_squares - b_total**2)
    return np.asarray(covariance**2 > r2 * (1.0 + _TIE) * spread)


def _products(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
    return np.asarray(a.T @ b, dtype=np.float64)
