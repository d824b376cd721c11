"""Mixed-model association studies on a compressed relationship matrix, with a certificate.

Files to files::

    import nextlmm
    nextlmm.gwas(nextlmm.GwasOptions(bfile="geno", pheno="traits.txt", out="results"))

Arrays to a table::

    result = nextlmm.associate(y, genotypes)
    result.table, result.null.h2, result.certificate

Plots are functions of a result::

    nextlmm.plots.manhattan(result)

Step by step, each a value::

    source  = nextlmm.open_genotypes("geno")
    cohort  = nextlmm.align(source.samples, nextlmm.read_sample_table("traits.txt"), "height")
    summary = nextlmm.summarise_variants(source, cohort.analysed)
    chosen  = nextlmm.select_variants(
        source.variants, summary, len(cohort), nextlmm.VariantFilter(maf=0.01))
    problem = nextlmm.make_problem(source, cohort, chosen, summary, nextlmm.Relating(loco=False))
    null    = nextlmm.fit_null(
        cohort.y, cohort.covariates, nextlmm.DenseCovariance(problem.whole()))
    result  = nextlmm.analyse(problem, nextlmm.Model(mode="dense", loco=False))

Names are loaded when they are first used, so that importing the package takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nextlmm import plots
    from nextlmm.cohort.align import Cohort, align
    from nextlmm.cohort.table import read_sample_list, read_sample_table
    from nextlmm.errors import NextlmmError
    from nextlmm.genotype.array import array_source
    from nextlmm.genotype.filters import VariantFilter, select_variants
    from nextlmm.genotype.source import open_genotypes
    from nextlmm.genotype.summary import summarise_variants
    from nextlmm.linalg.dense import DenseCovariance
    from nextlmm.linalg.divergence import measure_divergence
    from nextlmm.linalg.hodlr_build import Budget, hodlr_covariance
    from nextlmm.linalg.ordering import cluster_tree
    from nextlmm.linalg.spectral import spectral_covariance
    from nextlmm.lmm.estimate import estimate_null
    from nextlmm.lmm.haseman_elston import haseman_elston
    from nextlmm.lmm.null import NullModel, fit_null
    from nextlmm.report.figures import manhattan, qq
    from nextlmm.run.analysis import Analysis, analyse
    from nextlmm.run.arrays import RelatedGenotypes, associate
    from nextlmm.run.check import CheckReport, check
    from nextlmm.run.clump import ClumpRun, clump
    from nextlmm.run.clump_options import ClumpOptions
    from nextlmm.run.forecast import RunPlan, plan
    from nextlmm.run.grm import GrmRun, write_grm
    from nextlmm.run.grm_options import GrmOptions
    from nextlmm.run.heritability import estimate_h2
    from nextlmm.run.model import Model
    from nextlmm.run.null_options import H2Options, PredictOptions
    from nextlmm.run.null_run import NullRun
    from nextlmm.run.options import GwasOptions
    from nextlmm.run.part import PartRun, gwas_part, merge
    from nextlmm.run.pca import PcaRun, pca
    from nextlmm.run.pca_options import PcaOptions
    from nextlmm.run.pipeline import GwasRun, gwas
    from nextlmm.run.predict import predict
    from nextlmm.run.problem import Problem, Relating, make_problem
    from nextlmm.run.rebuild import read_run
    from nextlmm.run.simulate import SimulatedCohort, simulate
    from nextlmm.run.simulate_options import SimulateOptions

_MODULES = frozenset({"plots"})

_HOME = {
    "Analysis": "run.analysis",
    "Budget": "linalg.hodlr_build",
    "CheckReport": "run.check",
    "ClumpOptions": "run.clump_options",
    "ClumpRun": "run.clump",
    "Cohort": "cohort.align",
    "DenseCovariance": "linalg.dense",
    "GrmOptions": "run.grm_options",
    "GrmRun": "run.grm",
    "GwasOptions": "run.options",
    "GwasRun": "run.pipeline",
    "H2Options": "run.null_options",
    "Model": "run.model",
    "NextlmmError": "errors",
    "NullModel": "lmm.null",
    "NullRun": "run.null_run",
    "PartRun": "run.part",
    "PcaOptions": "run.pca_options",
    "PcaRun": "run.pca",
    "PredictOptions": "run.null_options",
    "Problem": "run.problem",
    "RelatedGenotypes": "run.arrays",
    "Relating": "run.problem",
    "RunPlan": "run.forecast",
    "SimulateOptions": "run.simulate_options",
    "SimulatedCohort": "run.simulate",
    "VariantFilter": "genotype.filters",
    "align": "cohort.align",
    "analyse": "run.analysis",
    "array_source": "genotype.array",
    "associate": "run.arrays",
    "check": "run.check",
    "clump": "run.clump",
    "cluster_tree": "linalg.ordering",
    "estimate_h2": "run.heritability",
    "estimate_null": "lmm.estimate",
    "fit_null": "lmm.null",
    "gwas": "run.pipeline",
    "gwas_part": "run.part",
    "haseman_elston": "lmm.haseman_elston",
    "hodlr_covariance": "linalg.hodlr_build",
    "make_problem": "run.problem",
    "manhattan": "report.figures",
    "merge": "run.part",
    "measure_divergence": "linalg.divergence",
    "open_genotypes": "genotype.source",
    "pca": "run.pca",
    "plan": "run.forecast",
    "predict": "run.predict",
    "qq": "report.figures",
    "read_run": "run.rebuild",
    "read_sample_list": "cohort.table",
    "read_sample_table": "cohort.table",
    "select_variants": "genotype.filters",
    "simulate": "run.simulate",
    "spectral_covariance": "linalg.spectral",
    "summarise_variants": "genotype.summary",
    "write_grm": "run.grm",
}

__all__ = [
    "Analysis",
    "Budget",
    "CheckReport",
    "ClumpOptions",
    "ClumpRun",
    "Cohort",
    "DenseCovariance",
    "GrmOptions",
    "GrmRun",
    "GwasOptions",
    "GwasRun",
    "H2Options",
    "Model",
    "NextlmmError",
    "NullModel",
    "NullRun",
    "PartRun",
    "PcaOptions",
    "PcaRun",
    "PredictOptions",
    "Problem",
    "RelatedGenotypes",
    "Relating",
    "RunPlan",
    "SimulateOptions",
    "SimulatedCohort",
    "VariantFilter",
    "align",
    "analyse",
    "array_source",
    "associate",
    "check",
    "clump",
    "cluster_tree",
    "estimate_h2",
    "estimate_null",
    "fit_null",
    "gwas",
    "gwas_part",
    "haseman_elston",
    "hodlr_covariance",
    "make_problem",
    "manhattan",
    "measure_divergence",
    "merge",
    "open_genotypes",
    "pca",
    "plan",
    "plots",
    "predict",
    "qq",
    "read_run",
    "read_sample_list",
    "read_sample_table",
    "select_variants",
    "simulate",
    "spectral_covariance",
    "summarise_variants",
    "write_grm",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("nextlmm")
    if name in _MODULES:
        return import_module(f"nextlmm.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'nextlmm' has no attribute {name!r}")
    return getattr(import_module(f"nextlmm.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*_HOME, *_MODULES})
