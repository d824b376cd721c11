"""The options of ``nextlmm grm``; those that ``nextlmm gwas`` has too are checked there."""

import math
import shlex
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Annotated, Any, get_args

from cyclopts import Group, Parameter

from nextlmm.errors import UsageError
from nextlmm.genotype.kinds import VcfField
from nextlmm.relatedness.grm_formats import GrmFormat
from nextlmm.run.option_checks import check_choice
from nextlmm.run.options import GrmWeighting, GwasOptions, flag, whole_number

_FILES = Group("Files", sort_key=1)
_MATRIX = Group("Relationship matrix", sort_key=3)
_FILTERS = Group("Samples and variants", sort_key=4)
_RUN = Group("Run", sort_key=8)

_OWN = ("format", "cutoff", "per_chromosome")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GrmOptions:
    """Of which genotypes to make a relationship matrix, and how to write it.

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
        Samples of the BGEN or BIMBAM file.
    annotation
        Where the variants of the BIMBAM file are: identifier, position, chromosome.
    vcf
        Genotypes: a VCF or BCF file, compressed or not.
    zarr
        Genotypes: a VCF-Zarr store, a folder or a .zip file.
    vcf_field
        What the genotypes of a VCF file or a VCF-Zarr store are read from.
    out
        Prefix of every file, as in results/cohort.
    format
        gcta (.grm.bin, .grm.N.bin, .grm.id), gcta-gz (.grm.gz), gcta-sparse (.grm.sp), plink2
        (.rel.bin), plink2-text (.rel), gemma (.cXX.txt or .sXX.txt) or npy, each with the list of
        its samples.
    cutoff
        In the sparse format, leave out pairs that are less related than this.
    per_chromosome
        A matrix for each chromosome by itself, OUT.chr1 and so on; in the gcta format they are what
        --grm OUT.chr@ of nextlmm gwas takes, for LOCO too.
    grm_weighting
        Weight of a variant: standardized divides by its standard deviation, centered does not.
    grm_prune
        Thin the variants, as WINDOW,STEP,R2; see nextlmm gwas.
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
        Relate only the samples listed in this file.
    remove
        Leave out the samples listed in this file.
    extract
        Use only the variants listed in this file, one identifier per line.
    exclude
        Leave out the variants listed in this file.
    memory
        Memory for large arrays, in GiB. Half of the machine's unless given.
    threads
        Processor cores to use. All of them unless given.

    Raises
    ------
    UsageError
        If a value is out of its range or two options contradict each other.
    """

    bfile: Annotated[str | None, Parameter(group=_FILES, alias="--bed")] = None
    pfile: Annotated[str | None, Parameter(group=_FILES, alias="--pgen")] = None
    bgen: Annotated[str | None, Parameter(group=_FILES)] = None
    bimbam: Annotated[str | None, Parameter(group=_FILES)] = None
    sample: Annotated[str | None, Parameter(group=_FILES)] = None
    annotation: Annotated[str | None, Parameter(group=_FILES)] = None
    vcf: Annotated[str | None, Parameter(group=_FILES, alias="--bcf")] = None
    zarr: Annotated[str | None, Parameter(group=_FILES, alias="--vcz")] = None
    vcf_field: Annotated[VcfField, Parameter(group=_FILES)] = "auto"
    out: Annotated[str, Parameter(group=_FILES, alias="-o")]

    format: Annotated[GrmFormat, Parameter(group=_MATRIX)] = "gcta"
    cutoff: Annotated[float, Parameter(group=_MATRIX)] = 0.05
    per_chromosome: Annotated[bool, Parameter(group=_MATRIX, negative="")] = False
    grm_weighting: Annotated[GrmWeighting, Parameter(group=_MATRIX, alias="--weighting")] = (
        "standardized"
    )
    grm_prune: Annotated[str | None, Parameter(group=_MATRIX, alias="--prune")] = None

    maf: Annotated[float, Parameter(group=_FILTERS)] = 0.0
    mac: Annotated[float, Parameter(group=_FILTERS)] = 0.0
    chr: Annotated[str | None, Parameter(group=_FILTERS, alias="--chromosomes")] = None
    max_missing: Annotated[float, Parameter(group=_FILTERS, alias="--geno")] = 1.0
    hwe: Annotated[float, Parameter(group=_FILTERS)] = 0.0
    keep: Annotated[str | None, Parameter(group=_FILTERS)] = None
    remove: Annotated[str | None, Parameter(group=_FILTERS)] = None
    extract: Annotated[str | None, Parameter(group=_FILTERS, alias="--grm-extract")] = None
    exclude: Annotated[str | None, Parameter(group=_FILTERS)] = None

    memory: Annotated[float | None, Parameter(group=_RUN)] = None
    threads: Annotated[int | None, Parameter(group=_RUN, converter=whole_number)] = None

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        check_choice("format", self.format, get_args(GrmFormat))
        if not (isinstance(self.cutoff, int | float) and math.isfinite(self.cutoff)):
            raise UsageError(
                f"Option cutoff is {self.cutoff!r}, but it must be a number: the relationship "
                "below which pairs are left out."
            )
        for name in self.shared:  # in one form, as a run of nextlmm gwas has them
            object.__setattr__(self, name, getattr(self.as_gwas, name))

    @property
    def shared(self) -> dict[str, Any]:
        """The options that ``nextlmm gwas`` has too."""
        names = [field.name for field in fields(self) if field.name not in _OWN]
        return {name: getattr(self, name) for name in names}

    @cached_property
    def as_gwas(self) -> GwasOptions:
        """The same genotypes, filters and matrix for a study, of no trait."""
        return GwasOptions(pheno="none", loco=False, **self.shared)

    @property
    def is_standardized(self) -> bool:
        """Whether variants are divided by their standard deviation."""
        return self.grm_weighting == "standardized"

    def to_command(self) -> str:
        """Return the shell command that repeats this run, ready to be copied."""
        words = ["nextlmm", "grm"]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                words += [flag(field.name)] if value is True else [flag(field.name), str(value)]
        return shlex.join(words)

    def to_dict(self) -> dict[str, Any]:
        """Return every option, defaults included, as values that JSON knows."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
