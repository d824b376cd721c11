"""What a report shows of a trait beyond its table: samples, relationships, likelihood, leads.

Everything is a JSON value, so that the report can be made again from the document and the tables.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextlmm.cohort.align import INTERCEPT, Cohort
from nextlmm.genotype.array import array_source
from nextlmm.genotype.summary import summarise_variants
from nextlmm.linalg.ordering import cluster_tree, components
from nextlmm.linalg.threads import one_thread
from nextlmm.relatedness.grm import (
    RelationshipSum,
    relationship_matrix,
    relationship_sum,
    variant_scaling,
)
from nextlmm.relatedness.operator import RelationshipOperator
from nextlmm.relatedness.ordering import Components
from nextlmm.run.analysis import Analysis
from nextlmm.run.leads import CLUMP_R2, find_leads
from nextlmm.run.model import Model
from nextlmm.run.problem import Problem
from nextlmm.run.structure import Structure, blocks_of_tree
from nextlmm.run.timing import Stopwatch

FloatArray = NDArray[np.float64]

_BINS = 40
_FEW_VALUES = 10
_CELLS = 96
_THINNED = 4_000  # variants that the picture of relationships is drawn from
_SAMPLES = 2_000
_COMPONENTS = 4
_TOP_PERCENTILE = 98.0


def portray(
    problem: Problem, cohort: Cohort, model: Model, analysis: Analysis, watch: Stopwatch
) -> dict[str, Any]:
    """The portrait of a trait for the result document.

    Parameters
    ----------
    problem : what was solved.
    cohort : its samples and trait.
    model : how it was solved.
    analysis : its results.
    watch : told how long it takes.

    Cost: that of `find_leads`, and products of 4,000 variants with 96 columns once for all traits
    of the same samples.
    """
    with watch.stage("lead variants"):
        leads = find_leads(analysis.table, problem.source, analysis.variants, problem.samples)
    with watch.stage("portrait"):
        structure = _structure(problem, cohort.trait, model, analysis.structure)
    return {
        "distributions": [
            distribution(cohort.trait, cohort.y),
            *(
                distribution(name, column)
                for name, column in zip(cohort.covariate_names, cohort.covariates.T, strict=True)
                if name != INTERCEPT
            ),
        ],
        "profile": [[h2, value] for h2, value in analysis.null.profile],
        "structure": structure,
        "clumping": {"r2": CLUMP_R2, "is_complete": leads.is_complete},
        "leads": leads.leads,
        "regions": leads.regions,
    }


def distribution(name: str, values: FloatArray) -> dict[str, Any]:
    """A histogram of finite values, (n,), or how many there are of each where these are few."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= _FEW_VALUES:
        labels = [f"{value:g}" for value in distinct]
        return {"name": name, "values": labels, "counts": counts.tolist()}
    heights, edges = np.histogram(values, bins=_BINS)
    return {
        "name": name,
        "edges": [float(f"{edge:.9g}") for edge in edges],
        "counts": heights.tolist(),
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
    }


def _structure(
    problem: Problem, trait: str, model: Model, found: Structure | None
) -> dict[str, Any]:
    """The picture of the samples, for the first of the traits of the same samples."""
    owner = problem.shared.once(("portrayed", model), lambda: trait)
    if owner != trait:
        return {"same_as": owner}
    with one_thread():
        operator = problem.shared.known(("operator", model))
        if found is not None and operator is not None:
            cells = _cells_by_products(cast("RelationshipOperator", operator), found)
        else:
            total = problem.shared.known(("relationship sum", model))
            return _of_matrix(cast("RelationshipSum", total), found, model)
        return _described(problem.n, found, cells)


def portray_matrix(k: FloatArray) -> dict[str, Any]:
    """The picture of samples from a relationship matrix, (n, n), symmetric, on any scale.

    It is centred and scaled as for an analysis.

    Raises
    ------
    VariantError, NotPositiveDefiniteError
        If it is none.

    Cost: n^3 operations at most.
    """
    with one_thread():
        total = RelationshipSum(np.asfortranarray(k), len(k), is_given=True)
        return _of_matrix(total, None, Model())


def portray_genotypes(dosages: ArrayLike) -> dict[str, Any]:
    """The picture of samples from dosages, (n, m), whose standardized relationships it makes.

    Raises
    ------
    FormatError, VariantError
        If they are none, or do not vary.

    Cost: n^2 m operations.
    """
    source = array_source(dosages)
    samples, variants = np.arange(len(source.samples)), np.arange(len(source.variants))
    scaling = variant_scaling(summarise_variants(source, samples), "standardized")
    with one_thread():
        return _of_matrix(relationship_sum(source, variants, scaling, samples), None, Model())


def portray_components(n: int, found: Components) -> dict[str, Any]:
    """The picture of n samples of which only the components are known, in the order of these."""
    coordinates, shares = _coordinates(n, found)
    return {"n": n, "components": coordinates, "shares": shares}


def _of_matrix(total: RelationshipSum, found: Structure | None, model: Model) -> dict[str, Any]:
    k = relationship_matrix(total)
    found = _with_components(k, found, model)
    return _described(len(k), found, _cells(k[np.ix_(found.order, found.order)]))


def _with_components(k: FloatArray, found: Structure | None, model: Model) -> Structure:
    """The components of a square matrix that needed none, and its order if it needed none."""
    if found is None:
        tree = cluster_tree(k, leaf_size=model.leaf_size, seed=model.seed)
        found = Structure(tree.permutation, blocks_of_tree(tree.root))
    values, vectors = components(k, min(_COMPONENTS, len(k)), seed=model.seed)
    return replace(found, components=Components(values, vectors[found.order]))


def _stretches(n: int) -> NDArray[np.intp]:
    """The borders of the stretches of samples that the cells stand for."""
    return np.linspace(0, n, min(n, _CELLS) + 1).astype(np.intp)


def _cells(k: FloatArray) -> FloatArray:
    """Means of K in tree order over pairs of stretches, no sample with itself."""
    borders = _stretches(len(k))
    sums = np.add.reduceat(np.add.reduceat(k, borders[:-1], axis=0), borders[:-1], axis=1)
    return _without_selves(sums, k.diagonal(), borders)


def _cells_by_products(operator: RelationshipOperator, found: Structure) -> FloatArray:
    """The same from a part of the variants, by products with indicators of the stretches."""
    n = operator.n
    borders = _stretches(n)
    stretch = np.repeat(np.arange(len(borders) - 1), np.diff(borders))
    indicators = np.zeros((n, len(borders) - 1))
    indicators[found.order, stretch] = 1.0
    thinned = operator.thinned(_THINNED, 0)
    sums = indicators.T @ thinned.matmul(indicators, dtype=np.float32)
    return _without_selves(sums, thinned.diagonal()[found.order], borders)


def _without_selves(
    sums: FloatArray, diagonal: FloatArray, borders: NDArray[np.intp]
) -> FloatArray:
    size = np.diff(borders).astype(float)
    pairs = np.outer(size, size) - np.diag(size)
    cells = np.array(sums)
    cells[np.diag_indices(len(size))] -= np.add.reduceat(diagonal, borders[:-1])
    alone = pairs == 0.0  # a stretch of one sample has no pair
    pairs[alone] = 1.0
    cells[alone] = np.add.reduceat(diagonal, borders[:-1])[alone.any(axis=1)]
    return np.asarray(cells / pairs)


def _described(n: int, found: Structure, cells: FloatArray) -> dict[str, Any]:
    apart = cells[~np.eye(len(cells), dtype=bool)]
    top = float(np.percentile(apart, _TOP_PERCENTILE)) if apart.size else 1.0
    coordinates, shares = _coordinates(n, found.components)
    return {
        "n": n,
        "blocks": [[each.start, each.middle, each.stop, each.rank] for each in found.blocks],
        "cells": [[round(float(value), 3) for value in row] for row in cells],
        "top": max(round(top, 3), 0.01),
        "components": coordinates,
        "shares": shares,
    }


def _coordinates(n: int, found: Components | None) -> tuple[list[list[float]], Sequence[float]]:
    """The samples in the first components, evenly thinned in tree order, and the shares of these.

    A component is the eigenvector times the root of its eigenvalue, its largest entry positive.
    """
    if found is None or len(found.values) == 0:
        return [], []
    shown = np.unique(np.linspace(0, n - 1, min(n, _SAMPLES)).astype(np.intp))
    values = found.values[:_COMPONENTS]
    vectors = found.vectors[:, : len(values)]
    sign = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))])
    placed = (vectors * sign * np.sqrt(values))[shown]
    coordinates = [[float(f"{x:.4g}") for x in column] for column in placed.T]
    return coordinates, [round(float(value) / n, 4) for value in values]
