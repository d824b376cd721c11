"""The whole analysis from arrays, for a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nextlmm.cohort.align import INTERCEPT, Cohort, LeftOut, choose_covariates
from nextlmm.cohort.columns import Columns, expanded, has_missing, read_columns
from nextlmm.cohort.design import (
    LARGEST_SPREAD,
    SMALLEST_SPREAD,
    check_covariates,
    check_size,
    is_constant,
    spread_out_of_range,
)
from nextlmm.cohort.formula import CovariateFormula, parse_formula
from nextlmm.cohort.frame import frame_columns
from nextlmm.errors import DesignError, InputError, TraitError, UsageError
from nextlmm.genotype.array import array_source
from nextlmm.genotype.arraylike import check_rows_agree, numpy_array
from nextlmm.genotype.filters import VariantFilter, select_variants
from nextlmm.genotype.source import GenotypeSource
from nextlmm.genotype.summary import VariantSummary, summarise_variants
from nextlmm.genotype.tables import VariantTable, string_array
from nextlmm.progress import Progress
from nextlmm.relatedness.grm import variant_scaling
from nextlmm.run.analysis import Analysis, analyse
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem, Relating, make_problem
from nextlmm.run.related import Related, RelatedChoice

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RelatedGenotypes:
    """Genotypes that a relationship matrix is to be made of, where they are not those tested.

    Attributes
    ----------
    dosages : (n, m), rows as in the genotypes that are tested; from 0 to 2, NaN where missing.
    chromosome : of each variant, (m,), which LOCO needs.
    """

    dosages: ArrayLike
    chromosome: Sequence[str] | None = None


def associate(
    y: ArrayLike,
    genotypes: ArrayLike,
    *,
    k: ArrayLike | RelatedGenotypes | None = None,
    covariates: ArrayLike | Mapping[str, ArrayLike] | pl.DataFrame | None = None,
    covariate_formula: str | None = None,
    chromosome: Sequence[str] | None = None,
    model: Model | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Test every column of a genotype array for association with a trait.

    Parameters
    ----------
    y : trait, (n,); samples with NaN are left out.
    genotypes : dosages of the effect allele, (n, m), from 0 to 2, NaN where missing: anything that
        NumPy takes for an array, data frames of pandas and polars (NA and null are missing),
        sparse arrays of SciPy (which become dense), and arrays of xarray, whose dimensions
        ``samples`` and ``variants`` may come in either order; calls (variants, samples, ploidy), as
        sgkit and VCF-Zarr have them in ``call_genotype``, become copies of the alternative allele.
        They are held as float32.
    k : relationship matrix, (n, n), symmetric, or the genotypes to make it of; made from
        ``genotypes`` if not given.  It is centred over the analysed samples and scaled to mean
        diagonal 1, so that h2 is a share of variance.
    covariates : (n, c) or (n,), without the intercept, which is always added; samples with NaN are
        left out.  Or columns by name, as a mapping or a data frame of polars or pandas: those of
        words are categories, compared with the most frequent one.  Rows of all arrays are the same
        samples in the same order; where two of them have labels, as pandas and xarray give rows,
        these must agree.
    covariate_formula : what to compute of the named columns in place of all of them, such as
        "age + age^2 + sex:age + C(site)"; see :func:`nextlmm.cohort.formula.parse_formula`.  Needs
        the extra "formula".
    chromosome : of each variant, (m,).  With it, and that of the genotypes of ``k`` if there are
        any, a variant is tested against relationships that leave its chromosome out (LOCO); without
        it, or with a ``k`` that is a matrix, there is no LOCO.
    model : the choices of the analysis, such as ``Model(mode="dense", test="score")``.

    Returns
    -------
    Analysis, whose ``table`` has one row per variant and whose ``null`` holds h2, sigma_g2,
    sigma_e2 and the covariates' effects.

    Raises
    ------
    UsageError, TraitError, DesignError, VariantError, FormatError
        If the arrays do not fit together or cannot be analysed.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> genotypes = rng.binomial(2, 0.4, (200, 300)).astype(float)
    >>> y = genotypes[:, :100] @ rng.normal(size=100) / 7 + genotypes[:, 7] + rng.normal(size=200)
    >>> result = associate(y, genotypes, model=Model(mode="dense"))
    >>> result.table["neg_log_10_p_value"].arg_max()
    7
    """
    given = {"genotypes": genotypes, "y": y, "covariates": covariates, "k": k}
    check_rows_agree(given)
    chosen = model or Model()
    source = _source(genotypes, chromosome)
    cohort = _cohort(source, y, covariates, covariate_formula)
    summary = summarise_variants(source, cohort.analysed)
    selection = select_variants(source.variants, summary, len(cohort), VariantFilter())
    if k is None or isinstance(k, RelatedGenotypes):
        choice = RelatedChoice() if k is None else _choice(k, len(source.samples))
        loco = chosen.loco and chromosome is not None and (k is None or k.chromosome is not None)
        related = choice.relate(source, cohort, selection, summary, chosen.grm_weighting)
        relating = Relating(chosen.grm_weighting, loco)
        problem = make_problem(source, cohort, selection, summary, relating, related=related)
    else:
        loco = False
        problem = _given_matrix(source, cohort, summary, _square(k, len(source.samples)))
    analysis = analyse(problem, _without_loco(chosen, loco), progress=progress)
    return replace(analysis, warnings=(*cohort.warnings, *analysis.warnings))


def _without_loco(model: Model, loco: bool) -> Model:
    if loco == model.loco:
        return model
    if model.loco_h2 == "per-chromosome":
        raise UsageError(
            "a heritability per chromosome needs LOCO, which needs the chromosome of each variant, "
            "of k too, and no given matrix; pass chromosome, or leave loco_h2 at 'shared'"
        )
    return replace(model, loco=loco)


def _choice(k: RelatedGenotypes, n: int) -> RelatedChoice:
    """Genotypes of the same samples as a source of the relationship matrix."""
    source = _source(k.dosages, k.chromosome)
    if len(source.samples) != n:
        raise UsageError(
            f"the genotypes of k have {len(source.samples)} rows and those to test {n}; expected "
            "one row per sample in both, in the same order"
        )
    return RelatedChoice(source, VariantFilter())


def _source(genotypes: ArrayLike, chromosome: Sequence[str] | None) -> GenotypeSource:
    source = array_source(genotypes)
    if chromosome is None:
        return source
    unnamed = source.variants
    if len(chromosome) != len(unnamed):
        raise UsageError(
            f"chromosome has {len(chromosome)} entries and there are {len(unnamed)} variants; "
            "expected one entry per column of the genotype array"
        )
    named = VariantTable(
        chromosome=string_array(str(name) for name in chromosome),
        variant_id=unnamed.variant_id,
        position_bp=unnamed.position_bp,
        effect_allele=unnamed.effect_allele,
        other_allele=unnamed.other_allele,
    )
    return array_source(genotypes, variants=named)


def _cohort(
    source: GenotypeSource,
    y: ArrayLike,
    covariates: ArrayLike | Mapping[str, ArrayLike] | pl.DataFrame | None,
    covariate_formula: str | None,
) -> Cohort:
    n = len(source.samples)
    formula = None if covariate_formula is None else parse_formula(covariate_formula)
    trait = _numbers("trait", y)
    _check_shape("trait", trait, 1, source)
    _check_finite(trait[:, None], "the trait array", TraitError)
    given, chosen = _covariates(source, covariates, formula)
    no_trait, no_covariate = np.isnan(trait), has_missing(given)
    analysed = np.flatnonzero(~(no_trait | no_covariate))
    if not len(analysed):
        check_size(0, len(chosen))
    columns, names, categories = expanded(
        given, analysed, chosen, formula, source.samples.sample_id
    )
    check_size(len(analysed), len(names))
    if is_constant(trait[analysed]):
        raise TraitError(
            f"the trait array is constant over the {len(analysed)} samples that have all values; "
            "expected numbers that differ"
        )
    spread = spread_out_of_range(trait[analysed])
    if spread is not None:
        raise TraitError(
            f"the trait array spans {spread:g}; expected {SMALLEST_SPREAD:g} to "
            f"{LARGEST_SPREAD:g}, so that its variance is a number that a computer can hold; give "
            "it in another unit"
        )
    check_covariates(columns, names, given.path)
    left_out = LeftOut(source.samples.sample_id)
    remaining = left_out.exclude(np.ones(n, dtype=bool), "trait missing", no_trait)
    left_out.exclude(remaining, "covariate missing", no_covariate)
    return Cohort(
        trait="trait",
        kept=np.arange(n),
        analysed=analysed,
        sample_ids=source.samples.sample_id[analysed],
        y=trait[analysed],
        covariates=np.column_stack([np.ones(len(analysed)), columns]),
        covariate_names=(INTERCEPT, *names),
        exclusions=left_out.counts,
        warnings=given.warnings,
        categories=categories,
        formula=covariate_formula,
        excluded_ids=left_out.first_ids,
    )


def _covariates(
    source: GenotypeSource,
    covariates: ArrayLike | Mapping[str, ArrayLike] | pl.DataFrame | None,
    formula: CovariateFormula | None,
) -> tuple[Columns, tuple[str, ...]]:
    """The covariates of all samples, and the names of their columns."""
    n = len(source.samples)
    everyone = np.ones(n, dtype=bool)
    if isinstance(covariates, Mapping) or hasattr(covariates, "columns"):
        frame = cast("Mapping[str, Any]", covariates)
        table = frame_columns(frame, source.samples.sample_id, "the covariate table")
        names = choose_covariates(table, None, (), formula)
        flags = [False] * len(names) if formula is None else formula.is_category
        return read_columns(source.samples, table, names, "covariate", everyone, flags), names
    if formula is not None:
        raise UsageError(
            "a formula computes with covariates by their names; pass them as a mapping of names to "
            "columns or as a data frame"
        )
    given = np.empty((n, 0)) if covariates is None else _numbers("covariate", covariates)
    given = given[:, None] if given.ndim == 1 else given
    _check_shape("covariate", given, 2, source)
    _check_finite(given, "the covariate array", DesignError)
    names = tuple(f"covariate{i}" for i in range(1, given.shape[1] + 1))
    return Columns("the covariate array", given, everyone, ()), names


def _check_shape(name: str, array: FloatArray, axes: int, source: GenotypeSource) -> None:
    n = len(source.samples)
    if array.ndim == axes and len(array) == n:
        return
    is_turned = len(array) == len(source.variants)
    hint = ", of which they are the transpose: turn them" if is_turned else ""
    expected = f"({n},)" if axes == 1 else f"({n}, covariates)"
    raise UsageError(
        f"the {name} array has shape {array.shape} and the genotype array {n} rows; expected "
        f"{expected}, one row per sample in the same order, and genotypes in the shape (samples, "
        f"variants){hint}"
    )


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    """An array-like as float64, masked entries as NaN."""
    try:
        array: np.ma.MaskedArray[Any, Any] = np.ma.asanyarray(numpy_array(values))
        if array.dtype.kind not in "biufO":
            raise TypeError(f"an array of type {array.dtype}")
        return np.asarray(np.ma.filled(array.astype(np.float64), np.nan))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the {name} array cannot be read as numbers ({error}); expected real numbers in rows "
            "of equal length, NaN where missing; recode words as numbers"
        ) from error


def _check_finite(values: FloatArray, what: str, error: type[InputError]) -> None:
    """Refuse infinities in (n, k) values; NaN stands for missing."""
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        row, column = infinite[0]
        raise error(
            f"{what} holds {values[row, column]} in row {row}, column {column}; expected finite "
            "numbers, or NaN where a value is missing; correct it or put NaN there"
        )


def square_matrix(k: ArrayLike) -> FloatArray:
    """A relationship matrix by itself, (n, n), checked.

    Raises
    ------
    UsageError
        If it is not square, finite and symmetric.
    """
    matrix = _numbers("relationship matrix", k)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise UsageError(
            f"the relationship matrix has shape {matrix.shape}; expected (n, n) finite numbers"
        )
    return _symmetric(matrix)


def _square(k: ArrayLike, n: int) -> FloatArray:
    matrix = _numbers("relationship matrix", k)
    if matrix.shape != (n, n) or not np.isfinite(matrix).all():
        raise UsageError(
            f"the relationship matrix has shape {matrix.shape} and the genotype array {n} rows; "
            f"expected ({n}, {n}) finite numbers, rows in the order of the genotypes"
        )
    return _symmetric(matrix)


def _symmetric(matrix: FloatArray) -> FloatArray:
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-8 * np.abs(matrix).max()):
        raise UsageError(
            "the relationship matrix is not symmetric; expected k[i, j] == k[j, i]; check the file "
            "or array it comes from"
        )
    return matrix


def _given_matrix(
    source: GenotypeSource, cohort: Cohort, summary: VariantSummary, k: FloatArray
) -> Problem:
    chosen = np.ix_(cohort.analysed, cohort.analysed)
    everything = np.arange(len(source.variants))
    return Problem(
        source=source,
        samples=cohort.analysed,
        y=cohort.y,
        covariates=cohort.covariates,
        variants=everything,
        related=Related(
            source,
            cohort.analysed,
            everything,
            summary,
            variant_scaling(summary, "standardized"),
        ),
        summary=summary,
        given=np.asfortranarray(k[chosen]),
    )
