"""Effects of all variants at once: what a mixed model says of every one of them.

With K = s F F', s = n / tr(F F') (see :mod:`operator`) and u ~ N(0, sigma_g2 s I), the genetic
values are g = F u, and best linear unbiased prediction is

    u = h2 s F' P y,   g = F u = h2 K P y   (the analysed samples)

P being that of Sigma(h2).  A column of F is a variant's dosage less its mean, times its scale, less
the mean of that over the analysed samples; so the effect of one copy of the effect allele is scale
times u, and any other sample has a row of F too, and a genetic value by the same effects.

Source: Henderson 1975; the equivalence of the two forms is that of VanRaden 2008.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.standardize import standardize
from nextlmm.progress import Progress, Silent
from nextlmm.relatedness.columns import block_size, blocks_of
from nextlmm.relatedness.grm import Scaling

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class VariantEffects:
    """Effects of variants, and the genetic values of samples by them, in units of the trait.

    Attributes
    ----------
    variants : (m,) positions in the source, of those that vary.
    per_copy : (m,) effect of one copy of the effect allele.
    genetic : (k,) genetic values of the samples asked for; their mean over the analysed ones is 0.
    """

    variants: IndexArray
    per_copy: FloatArray
    genetic: FloatArray

    def __repr__(self) -> str:
        return f"<effects of {len(self.variants):,} variants on {len(self.genetic):,} samples>"


def variant_effects(
    source: GenotypeSource,
    variants: IndexArray,
    scaling: Scaling,
    samples: IndexArray,
    analysed: IndexArray,
    py: FloatArray,
    *,
    h2: float,
    progress: Progress | None = None,
) -> VariantEffects:
    """Effects of ``variants``, and genetic values of ``samples``.

    Parameters
    ----------
    source : the genotypes.
    variants : positions of the variants of K; those that do not vary have no effect.
    scaling : how their dosages enter K.
    samples : (k,) positions in the source of those to predict.
    analysed : (n,) which of ``samples`` are analysed, in the order of ``py``.
    py : (n,) Py, P being that of h2 K + (1 - h2) I.
    h2 : the heritability.
    progress : told of the variants done.

    Cost: one pass over the genotypes, 4 k m operations.
    """
    listener = progress or Silent()
    used = variants[scaling.scale[variants] > 0.0]
    effect, genetic, trace = np.empty(len(used)), np.zeros(len(samples)), 0.0
    listener.start("Predicting", len(used))
    for at in blocks_of(0, len(used), block_size(len(samples))):
        block = used[at]
        dosage = source.dosages(block, samples)
        f = standardize(dosage, scaling.mean[block], scaling.scale[block])
        f -= f[analysed].mean(axis=0)
        own = f[analysed]
        effect[at] = own.T @ py
        genetic += f @ effect[at]
        trace += float(np.einsum("ij,ij->", own, own))
        listener.advance(len(block))
    listener.finish()
    share = h2 * len(analysed) / trace
    return VariantEffects(used, share * scaling.scale[used] * effect, share * genetic)
