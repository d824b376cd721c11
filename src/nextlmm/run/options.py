"""Every option of an association run, defined once.

The fields of `GwasOptions` are the keywords of the Python call and the flags of
``nextlmm gwas``; the text under "Parameters" is their documentation in both places. A value that
cannot be carried out is refused when the object is made, so that no other module checks an option
again.
"""

import shlex
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter, Token

from nextlmm.genotype.kinds import Kind, VcfField
from nextlmm.output.formats import OutFormat, PlotFormat
from nextlmm.run.option_checks import (
    GENOTYPES,
    check_choice,
    check_combinations,
    check_genotypes,
    check_matrix,
    check_numbers,
    checked_path,
    listed_choices,
    name_tuple,
    option_name,
)

Mode = Literal["exact", "hodlr", "dense"]
Route = Literal["auto", "dense", "hodlr", "components", "plain"]
GrmWeighting = Literal["standardized", "centered"]
Test = Literal["wald", "score", "lrt"]
Method = Literal["reml", "ml", "he"]
PerVariantH2 = Literal["never", "hits", "always"]
LocoH2 = Literal["shared", "per-chromosome"]

DEFAULT_KL_TOLERANCE = 0.1
"""KL divergence that a hierarchical run may spend when neither it nor a rank is asked for."""


def _whole_names(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Take names as they are; only the file tells whether a comma separates two columns."""
    return tuple(token.value for token in tokens)


def whole_number(_: object, tokens: Sequence[Token]) -> int:
    """Read an integer; the parser's own conversion would round 2.5 to 2 without a word."""
    return int(tokens[0].value)


# In the order of the help: what every run needs first.
_MAIN = Group("Input and output", sort_key=1)
_GENOTYPES = Group("Genotypes in other formats, in place of --bfile", sort_key=2)
_TRAITS = Group("Trait and covariates", sort_key=3)
_FILTERS = Group("Samples and variants", sort_key=4)
_RESULTS = Group("Results", sort_key=5)
_MODEL = Group("Model", sort_key=6)
_MATRIX = Group("Relationship matrix", sort_key=7)
_RUN = Group("Run", sort_key=8)

_TRAIT_NAMES = ("--pheno-name", "--phenoCol", "--phenoColList")
_RINT = Parameter(group=_TRAITS, alias="--apply-rint", negative="", show_default=False)


def _names(group: Group, *alias: str) -> Parameter:
    return Parameter(
        group=group,
        alias=alias,
        consume_multiple=True,
        converter=_whole_names,
        negative="",
        show_default=False,
    )


def _words(default: str | None) -> Parameter:
    """Formats of results, whose default is shown as it is typed."""
    return Parameter(
        group=_RESULTS,
        consume_multiple=True,
        converter=_whole_names,
        negative="",
        show_default=default or False,
    )


def _number(group: Group, *alias: str) -> Parameter:
    return Parameter(group=group, alias=alias, converter=whole_number)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GwasOptions:
    """What to analyse, with which model, and where the results go.

    Parameters
    ----------
    bfile
        Genotypes: the common prefix of a PLINK 1 .bed, .bim and .fam file. Files of the other
        formats are known here too, by the ends of their names.
    pfile
        Genotypes: the common prefix of a PLINK 2 .pgen, .pvar and .psam file.
    bgen
        Genotypes: a BGEN file, of version 1.1 to 1.3.
    bimbam
        Genotypes: BIMBAM mean genotypes, whose samples are listed by --sample.
    sample
        Samples of the BGEN file: an Oxford .sample file. Unless given, the one beside it with the
        same name, or the identifiers within. Of the BIMBAM file: a list in its order.
    annotation
        Where the variants of the BIMBAM file are: identifier, position, chromosome.
    vcf
        Genotypes: a VCF or BCF file, compressed or not.
    zarr
        Genotypes: a VCF-Zarr store, a folder or a .zip file, as bio2zarr writes it.
    vcf_field
        What the genotypes of a VCF file or a VCF-Zarr store are read from: dosages (DS),
        probabilities (GP) or calls (GT); auto takes the first of these that there is.
    pheno
        Traits: a text or Parquet file of samples (FID and IID, or IID alone) and one column per
        trait.
    out
        Prefix of every result file, as in results/height.
    trait
        Traits to analyse, by name, separated by spaces or commas. May be left out where the file
        has only one.
    covar
        Covariates: a file laid out as the trait file. An intercept is always added.
    covar_name
        Covariates to use, by name, separated by spaces or commas; PC1-PC10 or PC{1:10} for several.
        All columns of the file unless given.
    cat_covar
        Covariates whose values are categories, by name, used with the others. Columns of words are
        categories in any case; each category but the most frequent one gets an effect of its own.
    covar_formula
        What to compute of the columns of the covariate file, in place of names, as in
        "age + age^2 + sex:age + C(site)"; docs/formats.md has the rules. Needs the extra "formula".
    rint
        Replace the trait by normal quantiles of its ranks.
    mode
        Form of the model: exact gives the exact model's answers, certified, by whichever route is
        cheapest; hodlr compresses the relationship matrix and certifies how close the model is to
        the exact one; dense keeps the matrix as a square array.
    test
        Test of a variant. The Wald test uses the heritability of --method; score and likelihood
        ratio compare likelihoods and use the ML estimate, as GEMMA does. Effects and standard
        errors are the Wald test's in every case.
    method
        How the heritability is estimated: restricted maximum likelihood, maximum likelihood, or
        Haseman-Elston regression.
    per_variant_h2
        Which variants get a heritability of their own: none, those that pass the hit threshold,
        or all of them as GEMMA does (which needs the square matrix).
    hit_threshold
        P-value below which a variant is a hit: exact mode solves for all of its numbers, and
        --per-variant-h2 hits tests it again.
    loco
        Test a variant against relationships computed without its own chromosome.
    loco_h2
        One heritability for all chromosomes, or one for each as FaST-LMM and GCTA estimate.
    route
        How exact mode computes: with a square matrix (dense), or by products with the genotypes,
        preconditioned by a hierarchical factor (hodlr), by dominant components and blocks of
        relatives (components), or not at all (plain). The run chooses and says why unless told.
    z_tolerance
        Largest error that exact mode leaves in the score of any variant, in standard deviations.
    order
        Samples in the order in which exact mode compares them: a list, one sample per line. It is
        found from the genotypes unless given; it changes the time that a run takes, and no result
        beyond its certificate.
    relatives
        Who is related, for the same purpose: a pedigree (IID, father, mother) or a list of pairs
        with their kinship.
    grm
        A relationship matrix made elsewhere, by its prefix or name: of GCTA, PLINK 2, GEMMA, KING
        or SAIGE, or a NumPy .npy; docs/formats.md lists them. It needs --no-loco, unless there is
        one for each chromosome, named with @ in its place, as in cohort.chr@.
    grm_id
        Samples of that matrix, one line for each row. Unless given, the list beside it, or those
        that a table of kinships names.
    pedigree
        Relationships by descent: a pedigree (IID, father, mother, or a .fam file) of the samples
        and their ancestors, genotyped or not, which gives the additive relationship matrix with
        inbreeding. It is used as that of --grm is, and needs --no-loco.
    grm_bfile
        Genotypes that the relationship matrix is made of, where they are not those tested: the
        common prefix of PLINK 1 files, or a file of another format with the end of its name.
        Samples are matched by ID; LOCO leaves out the chromosome of the same name.
    grm_weighting
        Weight of a variant in the relationship matrix: standardized divides by its standard
        deviation, centered does not.
    grm_extract
        Variants of the relationship matrix: only those listed in this file, one identifier per
        line, tested or not. Those that are tested unless given, or all of --grm-bfile.
    grm_prune
        Thin the variants of the relationship matrix, as WINDOW,STEP,R2, until no two of them within
        a window have a squared correlation above R2: the rarer one goes, as in PLINK's
        --indep-pairwise. The window is in variants (200,50,0.2) or in kb (500kb,1,0.2).
    kl_tolerance
        In hodlr mode, largest KL divergence from the exact model that the compression may cost.
        Below 2,000 samples it is met, by exact blocks if need be, and 0.1 unless --rank is given;
        from there on a run says whether the compression meets it.
    rank
        In hodlr mode, largest number of columns kept for each pair of compressed blocks, which
        bounds the rank of what lies between the two. Alone it is used at every level; with
        --kl-tolerance it is a cap, which wins.
    leaf_size
        Number of samples below which a block is not divided further. Larger blocks that do not
        compress within the budget stay exact too.
    maf
        Leave out variants whose minor allele is rarer than this.
    mac
        Leave out variants with fewer copies of the minor allele than this.
    chr
        Use only variants on these chromosomes, as in 1-5,X.
    max_missing
        Leave out variants missing in a larger share of the samples than this.
    hwe
        Leave out variants whose calls are further from Hardy-Weinberg equilibrium than this p-value
        of the exact test; those on X, Y and MT are not tested.
    keep
        Analyse only the samples listed in this file.
    remove
        Leave out the samples listed in this file.
    extract
        Use only the variants listed in this file, one identifier per line.
    exclude
        Leave out the variants listed in this file.
    memory
        Memory for large arrays, in GiB. Half of what machine, container and scheduler allow unless
        given.
    threads
        Processor cores to use. All of them unless given.
    cluster
        Workers that hold the genotypes and multiply them: local:N for N processes of this machine,
        the address of a Dask scheduler (tcp://10.0.0.5:8786) or the .json file that it wrote, or
        the .yaml file of a launcher for a batch system; docs/cluster.md has the rest. Exact mode
        and hodlr mode only. Needs the extra "cluster".
    seed
        Seed of every random draw. The same seed gives the same files.
    out_format
        Write the results in the columns of these programs too, for tools that read those; cojo is
        .ma, ldsc is .sumstats, and gwas-ssf is for the GWAS Catalog.
    plots
        Draw the Manhattan and the QQ plot.
    plot_format
        Formats of these: png, pdf, svg, or several of them.
    report
        Write OUT.html, a page with everything about the run for any browser, and
        OUT.TRAIT.leads.tsv, the independent lead variants.
    resume
        Go on from where a run of the same command was stopped; what it had finished is in the
        folder OUT.checkpoint. The results are the same to the byte. Begins afresh if there is none.
    checkpoint_after
        Keep what took at least so many seconds to find in the folder OUT.checkpoint, which is
        removed when the run ends well; 0 keeps everything.
    part
        Do one part of the work, 3/20 for the third of twenty, as a job of an array; nextlmm merge
        puts them together. The parts share the folder OUT.checkpoint.

    Raises
    ------
    UsageError
        If a value is out of its range or two options contradict each other.
    """

    bfile: Annotated[str | None, Parameter(group=_MAIN, alias="--bed")] = None
    pfile: Annotated[str | None, Parameter(group=_GENOTYPES, alias="--pgen")] = None
    bgen: Annotated[str | None, Parameter(group=_GENOTYPES)] = None
    bimbam: Annotated[str | None, Parameter(group=_GENOTYPES)] = None
    sample: Annotated[str | None, Parameter(group=_GENOTYPES)] = None
    annotation: Annotated[str | None, Parameter(group=_GENOTYPES)] = None
    vcf: Annotated[str | None, Parameter(group=_GENOTYPES, alias="--bcf")] = None
    zarr: Annotated[str | None, Parameter(group=_GENOTYPES, alias="--vcz")] = None
    vcf_field: Annotated[VcfField, Parameter(group=_GENOTYPES)] = "auto"
    pheno: Annotated[str, Parameter(group=_MAIN, alias="--phenoFile")]
    out: Annotated[str, Parameter(group=_MAIN, alias="-o")]
    trait: Annotated[
        tuple[str, ...], _names(_MAIN, "--pheno-name", "--phenoCol", "--phenoColList")
    ] = ()
    covar: Annotated[str | None, Parameter(group=_MAIN, alias="--covarFile")] = None
    covar_name: Annotated[tuple[str, ...], _names(_TRAITS, "--covarCol", "--covarColList")] = ()
    cat_covar: Annotated[tuple[str, ...], _names(_TRAITS, "--catCovarList")] = ()
    covar_formula: Annotated[str | None, Parameter(group=_TRAITS)] = None
    rint: Annotated[bool, _RINT] = False

    mode: Annotated[Mode, Parameter(group=_MODEL)] = "exact"
    test: Annotated[Test, Parameter(group=_MODEL)] = "wald"
    method: Annotated[Method, Parameter(group=_MODEL)] = "reml"
    per_variant_h2: Annotated[PerVariantH2, Parameter(group=_MODEL)] = "never"
    hit_threshold: Annotated[float, Parameter(group=_MODEL)] = 1e-5

    loco: Annotated[bool, Parameter(group=_MATRIX)] = True
    loco_h2: Annotated[LocoH2, Parameter(group=_MATRIX)] = "shared"
    route: Annotated[Route, Parameter(group=_MATRIX)] = "auto"
    z_tolerance: Annotated[float, Parameter(group=_MATRIX)] = 1e-3
    order: Annotated[str | None, Parameter(group=_MATRIX)] = None
    relatives: Annotated[str | None, Parameter(group=_MATRIX)] = None
    grm: Annotated[str | None, Parameter(group=_MATRIX)] = None
    grm_id: Annotated[str | None, Parameter(group=_MATRIX)] = None
    pedigree: Annotated[str | None, Parameter(group=_MATRIX)] = None
    grm_bfile: Annotated[str | None, Parameter(group=_MATRIX, alias="--grm-genotypes")] = None
    grm_weighting: Annotated[GrmWeighting, Parameter(group=_MATRIX)] = "standardized"
    grm_extract: Annotated[str | None, Parameter(group=_MATRIX)] = None
    grm_prune: Annotated[str | None, Parameter(group=_MATRIX)] = None
    kl_tolerance: Annotated[float | None, Parameter(group=_MATRIX)] = None
    rank: Annotated[int | None, _number(_MATRIX)] = None
    leaf_size: Annotated[int, _number(_MATRIX)] = 128

    maf: Annotated[float, Parameter(group=_FILTERS, alias="--minMAF")] = 0.0
    mac: Annotated[float, Parameter(group=_FILTERS, alias="--minMAC")] = 0.0
    chr: Annotated[str | None, Parameter(group=_FILTERS, alias=("--chromosomes", "--chrList"))] = (
        None
    )
    max_missing: Annotated[float, Parameter(group=_FILTERS, alias="--geno")] = 1.0
    hwe: Annotated[float, Parameter(group=_FILTERS)] = 0.0
    keep: Annotated[str | None, Parameter(group=_FILTERS)] = None
    remove: Annotated[str | None, Parameter(group=_FILTERS)] = None
    extract: Annotated[str | None, Parameter(group=_FILTERS)] = None
    exclude: Annotated[str | None, Parameter(group=_FILTERS)] = None

    memory: Annotated[float | None, Parameter(group=_RUN)] = None
    threads: Annotated[int | None, _number(_RUN, "--thread-num", "--numThreads", "--nThreads")] = (
        None
    )
    cluster: Annotated[str | None, Parameter(group=_RUN)] = None
    seed: Annotated[int, _number(_RUN)] = 0
    out_format: Annotated[tuple[OutFormat, ...], _words(None)] = ()
    plots: Annotated[bool, Parameter(group=_RESULTS)] = True
    plot_format: Annotated[tuple[PlotFormat, ...], _words("png")] = ("png",)
    report: Annotated[bool, Parameter(group=_RESULTS)] = True
    resume: Annotated[bool, Parameter(group=_RUN, negative="", show_default=False)] = False
    checkpoint_after: Annotated[float, Parameter(group=_RUN)] = 5.0
    part: Annotated[str | None, Parameter(group=_RUN)] = None

    def __post_init__(self) -> None:
        """Bring paths and names to one form, then refuse what cannot be carried out."""
        for name in PATHS:
            _set(self, name, checked_path(name, getattr(self, name)))
        for name in ("trait", "covar_name", "cat_covar"):
            _set(self, name, name_tuple(name, getattr(self, name)))
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        formats = listed_choices("out_format", self.out_format, get_args(OutFormat))
        _set(self, "out_format", formats)
        drawn = listed_choices("plot_format", self.plot_format, get_args(PlotFormat))
        _set(self, "plot_format", drawn)
        check_numbers(self)
        check_genotypes(self)
        check_matrix(self)
        check_combinations(self)

    @property
    def genotypes(self) -> tuple[str, Kind | None]:
        """Return the path of the genotypes and their format, None to tell it by the name."""
        given = {kind: getattr(self, name) for name, kind in GENOTYPES.items()}
        return next((path, kind) for kind, path in given.items() if path is not None)

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Return a sentence for every option that was given and that this run does not use."""
        steering = ("rank", "kl_tolerance") if self.mode != "hodlr" else ()
        given = [name for name in steering if getattr(self, name) is not None]
        sentences = [
            f"{option_name(name)} has no effect: it steers the compression, and {self.mode} mode "
            "does not compress."
            for name in given
        ]
        if self.mode != "exact" and self.route != "auto":
            sentences.append(
                f"Option route has no effect: only exact mode has routes, and the mode is "
                f"{self.mode}."
            )
        return tuple(sentences)

    def to_arguments(self) -> list[str]:
        """Return the arguments of ``nextlmm gwas`` for these options, leaving out defaults."""
        arguments: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != _default(field) and field.name not in _NOT_REPEATED:
                arguments += argument(field.name, value)
        return arguments

    def to_command(self) -> str:
        """Return the shell command that repeats this run, ready to be copied."""
        return shlex.join(["nextlmm", "gwas", *self.to_arguments()])

    def to_dict(self) -> dict[str, Any]:
        """Return every option of the results, defaults included, as values that JSON knows.

        How a run came to its end is none: what was resumed, or done in parts, is as any other.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name not in _NOT_REPEATED
        }


def flag(name: str) -> str:
    """Return the command-line flag of a field: per_variant_h2 becomes --per-variant-h2."""
    return "--" + name.replace("_", "-")


_NOT_REPEATED = ("resume", "part")
PATHS = (
    *GENOTYPES,
    *("sample", "annotation"),
    *("pheno", "out", "covar", "keep", "remove", "extract", "exclude"),
    *("grm", "grm_id", "pedigree", "grm_bfile", "grm_extract", "order", "relatives"),
)


def _set(options: GwasOptions, name: str, value: object) -> None:
    object.__setattr__(options, name, value)  # the object is not handed out before it is complete


def _default(field: Field[Any]) -> object:
    return MISSING if field.default is MISSING else field.default


def argument(name: str, value: object) -> list[str]:
    """The words of the command line that give an option a value."""
    if isinstance(value, bool):
        return [flag(name) if value else "--no-" + name.replace("_", "-")]
    values = [str(item) for item in value] if isinstance(value, tuple) else [str(value)]
    if any(text.startswith("-") for text in values):
        # A word that begins with a dash is read as a flag of its own unless it is joined to one.
        return [f"{flag(name)}={text}" for text in values]
    return [flag(name), *values]


def _literal_choices(annotation: object) -> tuple[str, ...]:
    inner = get_args(annotation)[0]
    return get_args(inner) if get_origin(inner) is Literal else ()


_CHOICES = {
    name: _literal_choices(annotation)
    for name, annotation in get_type_hints(GwasOptions, include_extras=True).items()
    if _literal_choices(annotation)
}
