"""A paragraph for the methods section of a paper, and the literature that it cites."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nextlmm.report.summary import ESTIMATED, EXACT, PRODUCTS
from nextlmm.report.thresholds import describe_threshold
from nextlmm.report.wording import count, exponent, real, real_up

_TESTS = {"wald": "a Wald test", "score": "a score test", "lrt": "a likelihood-ratio test"}
_METHODS = {
    "reml": "restricted maximum likelihood",
    "ml": "maximum likelihood",
    "he": "Haseman-Elston regression",
}


@dataclass(frozen=True)
class Reference:
    """A work to cite: the key, how the text names it, and its fields as BibTeX has them."""

    key: str
    cited: str
    kind: str
    fields: Mapping[str, str]

    def bibtex(self) -> str:
        """The entry of a BibTeX file."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields.items()]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


NEAR_EXACT = Reference(
    "pu2025near",
    "Pu, Ge and Wang 2025",
    "article",
    {
        "author": "Pu, Zhibin and Ge, Shufei and Wang, Shijia",
        "title": "A near-exact linear mixed model for genome-wide association studies",
        "journal": "arXiv preprint arXiv:2508.05278",
        "year": "2025",
        "url": "https://arxiv.org/abs/2508.05278",
    },
)
_EFFICIENT = Reference(
    "zhou2012genome",
    "Zhou and Stephens 2012",
    "article",
    {
        "author": "Zhou, Xiang and Stephens, Matthew",
        "title": "Genome-wide efficient mixed-model analysis for association studies",
        "journal": "Nature Genetics",
        "volume": "44",
        "number": "7",
        "pages": "821--824",
        "year": "2012",
        "doi": "10.1038/ng.2310",
    },
)
_LOCO = Reference(
    "yang2014advantages",
    "Yang et al. 2014",
    "article",
    {
        "author": "Yang, Jian and Zaitlen, Noah A. and Goddard, Michael E. and Visscher, Peter M. "
        "and Price, Alkes L.",
        "title": "Advantages and pitfalls in the application of mixed-model association methods",
        "journal": "Nature Genetics",
        "volume": "46",
        "number": "2",
        "pages": "100--106",
        "year": "2014",
        "doi": "10.1038/ng.2876",
    },
)
_MOMENTS = Reference(
    "haseman1972investigation",
    "Haseman and Elston 1972",
    "article",
    {
        "author": "Haseman, J. K. and Elston, R. C.",
        "title": "The investigation of linkage between a quantitative trait and a marker locus",
        "journal": "Behavior Genetics",
        "volume": "2",
        "number": "1",
        "pages": "3--19",
        "year": "1972",
        "doi": "10.1007/BF01066731",
    },
)
_INFLATION = Reference(
    "devlin1999genomic",
    "Devlin and Roeder 1999",
    "article",
    {
        "author": "Devlin, B. and Roeder, Kathryn",
        "title": "Genomic control for association studies",
        "journal": "Biometrics",
        "volume": "55",
        "number": "4",
        "pages": "997--1004",
        "year": "1999",
        "doi": "10.1111/j.0006-341X.1999.00997.x",
    },
)


def program_reference(version: str) -> Reference:
    """The program itself, at the version that made the results."""
    return Reference(
        "nextlmm",
        f"nextlmm {version}",
        "software",
        {
            "author": "{The nextlmm developers}",
            "title": "nextlmm: mixed-model genome-wide association with a certificate of closeness "
            "to the exact model",
            "version": version,
        },
    )


def references(document: Mapping[str, Any]) -> list[Reference]:
    """What a paper with these results should cite, the program first."""
    traits = document["traits"].values()
    found = [program_reference(document["nextlmm"]["version"]), NEAR_EXACT]
    if any(facts["method"] == "he" for facts in traits):
        found.append(_MOMENTS)
    found.append(_EFFICIENT)
    if any(facts["loco"] for facts in traits):
        found.append(_LOCO)
    return [*found, _INFLATION]


def bibtex(works: Iterable[Reference]) -> str:
    """The works as a BibTeX file."""
    return "\n\n".join(work.bibtex() for work in works) + "\n"


def methods_paragraph(name: str, facts: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """What was done for a trait and what came out, in sentences ready to be edited."""
    return " ".join(
        [
            _data(name, facts, document),
            _model(name, facts, document),
            _null(facts),
            _tests(facts),
            _closeness(facts),
        ]
    )


def _data(name: str, facts: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    filters = _filters(document["options"])
    kept = f" ({'; '.join(filters)})" if filters else ""
    tested = count(facts["variants"]["tested"], "variant")
    return f"We tested {tested}{kept} for association with {name} in {count(facts['n'], 'sample')}."


def _filters(options: Mapping[str, Any]) -> list[str]:
    """The filters of variants that were set."""
    found = []
    if options.get("maf"):
        found.append(f"minor allele frequency of at least {options['maf']:g}")
    if options.get("mac"):
        found.append(f"at least {options['mac']:g} copies of the minor allele")
    if options.get("max_missing", 1.0) < 1.0:
        found.append(f"genotypes missing in at most {100 * options['max_missing']:g} % of samples")
    if options.get("hwe"):
        found.append(f"Hardy-Weinberg p of at least {exponent(options['hwe'])}")
    return found


def _model(name: str, facts: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    covariates = [term for term in facts["covariates"] if term != "intercept"]
    fixed = f" and the covariates {', '.join(covariates)}" if covariates else ""
    transformed = (
        f"{name} was transformed to normal quantiles of its ranks. "
        if facts.get("rank_normal")
        else ""
    )
    source = _matrix(facts, document["options"])
    loco = (
        f", leaving out the chromosome of the tested variant ({_LOCO.cited})"
        if facts["loco"]
        else ""
    )
    program = f"nextlmm {document['nextlmm']['version']} ({NEAR_EXACT.cited})"
    return (
        f"{transformed}Associations were tested with {program} by a linear mixed model with an "
        f"intercept{fixed} as fixed effects and a random effect whose covariance is proportional "
        f"to {source}{loco}."
    )


def _matrix(facts: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    if options.get("pedigree"):
        return "the additive relationship matrix of a pedigree"
    if options.get("grm"):
        return "a given relationship matrix"
    used = count(facts["variants"]["in_relationship_matrix"], "variant")
    source = f"a relationship matrix of {used}"
    if options.get("grm_bfile"):
        source += " of a separate set"
    pruned = (facts.get("relationship_matrix") or {}).get("pruned")
    if pruned:
        source += f" thinned by linkage disequilibrium ({pruned['rule']})"
    if options.get("grm_weighting", "standardized") == "standardized":
        return source + " scaled to unit variance"
    return source + " that were centred and not scaled"


def _null(facts: Mapping[str, Any]) -> str:
    cited = _MOMENTS.cited if facts["method"] == "he" else _EFFICIENT.cited
    text = (
        f"Variance components were estimated by {_METHODS[facts['method']]} ({cited}); the share "
        f"of variance explained by the relationship matrix was {facts['h2']:.3f}"
    )
    if facts.get("h2_interval") is not None:
        low, high = facts["h2_interval"]
        text += f" (95 % interval {low:.3f} to {high:.3f})"
    return text + "."


def _tests(facts: Mapping[str, Any]) -> str:
    own = {
        "never": "at the heritability of the null model",
        "hits": "at the heritability of the null model, hits again at one of their own",
        "always": "each at a heritability of its own",
    }[facts["per_variant_h2"]]
    tested = facts["variants"]["tested"]
    text = f"Variants were tested one at a time by {_TESTS[facts['test']]}, {own}"
    if facts["lambda_gc"] is not None:
        text += f"; the genomic inflation factor was {facts['lambda_gc']:.3f} ({_INFLATION.cited})"
    strong = sum(hit["genome_wide_significant"] for hit in facts["top_hits"])
    more = " or more" if strong and strong == len(facts["top_hits"]) >= 10 else ""
    found = f"{count(strong, 'locus', 'loci')}{more}" if strong else "No locus"
    return f"{text}. {found} passed the genome-wide threshold of p < {describe_threshold(tested)}."


def _closeness(facts: Mapping[str, Any]) -> str:
    certificate = facts["certificate"]
    how = certificate["kl_how"]
    if how == EXACT:
        return "The relationship matrix was used without approximation."
    if how == PRODUCTS:
        return (
            "The exact model was solved iteratively without forming the matrix, every score to "
            f"within {real_up(certificate['z_error_max'])} standard deviations."
        )
    measured = "estimated" if how == ESTIMATED else "measured"
    error = certificate.get("neg_log_10_p_error_max")
    bound = "" if error is None else f"; no -log10 p differs by more than {real_up(error)}"
    return (
        "The relationship matrix was compressed into a hierarchical off-diagonal low-rank (HODLR) "
        f"form, whose {measured} Kullback-Leibler divergence from the exact model is "
        f"{real(certificate['kl'])}{bound}."
    )
