"""Options that the commands on genotypes share, checked where ``nextlmm gwas`` has them too."""

import shlex
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Annotated, Any, ClassVar

from cyclopts import Group, Parameter

from nextlmm.genotype.kinds import VcfField
from nextlmm.run.options import GrmWeighting, GwasOptions, argument, whole_number

FILES = Group("Files", sort_key=1)
MATRIX = Group("Relationship matrix", sort_key=3)
FILTERS = Group("Samples and variants", sort_key=4)
RUN = Group("Run", sort_key=8)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GenotypeFiles:
    """Where genotypes are, where the results go, and what they may cost.

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
    memory
        Memory for large arrays, in GiB. Half of what machine, container and scheduler allow unless
        given.
    threads
        Processor cores to use. All of them unless given.
    """

    COMMAND: ClassVar[str]

    bfile: Annotated[str | None, Parameter(group=FILES, alias="--bed")] = None
    pfile: Annotated[str | None, Parameter(group=FILES, alias="--pgen")] = None
    bgen: Annotated[str | None, Parameter(group=FILES)] = None
    bimbam: Annotated[str | None, Parameter(group=FILES)] = None
    sample: Annotated[str | None, Parameter(group=FILES)] = None
    annotation: Annotated[str | None, Parameter(group=FILES)] = None
    vcf: Annotated[str | None, Parameter(group=FILES, alias="--bcf")] = None
    zarr: Annotated[str | None, Parameter(group=FILES, alias="--vcz")] = None
    vcf_field: Annotated[VcfField, Parameter(group=FILES)] = "auto"
    out: Annotated[str, Parameter(group=FILES, alias="-o")]

    memory: Annotated[float | None, Parameter(group=RUN)] = None
    threads: Annotated[int | None, Parameter(group=RUN, converter=whole_number)] = None

    def to_arguments(self) -> list[str]:
        """Return the arguments for these options, leaving out defaults."""
        arguments: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                arguments += argument(field.name, value)
        return arguments

    def to_command(self) -> str:
        """Return the shell command that repeats this run, ready to be copied."""
        return shlex.join(["nextlmm", self.COMMAND, *self.to_arguments()])

    def to_dict(self) -> dict[str, Any]:
        """Return every option, defaults included, as values that JSON knows."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RelatedOptions(GenotypeFiles):
    """Which samples and variants make a relationship matrix, and how.

    Parameters
    ----------
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
    """

    grm_weighting: Annotated[GrmWeighting, Parameter(group=MATRIX, alias="--weighting")] = (
        "standardized"
    )
    grm_prune: Annotated[str | None, Parameter(group=MATRIX, alias="--prune")] = None

    maf: Annotated[float, Parameter(group=FILTERS)] = 0.0
    mac: Annotated[float, Parameter(group=FILTERS)] = 0.0
    chr: Annotated[str | None, Parameter(group=FILTERS, alias="--chromosomes")] = None
    max_missing: Annotated[float, Parameter(group=FILTERS, alias="--geno")] = 1.0
    hwe: Annotated[float, Parameter(group=FILTERS)] = 0.0
    keep: Annotated[str | None, Parameter(group=FILTERS)] = None
    remove: Annotated[str | None, Parameter(group=FILTERS)] = None
    extract: Annotated[str | None, Parameter(group=FILTERS, alias="--grm-extract")] = None
    exclude: Annotated[str | None, Parameter(group=FILTERS)] = None

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out, and bring the rest to one form."""
        for name in self.shared:
            object.__setattr__(self, name, getattr(self.as_gwas, name))

    @property
    def shared(self) -> dict[str, Any]:
        """The options that ``nextlmm gwas`` has too."""
        return {field.name: getattr(self, field.name) for field in fields(RelatedOptions)}

    @cached_property
    def as_gwas(self) -> GwasOptions:
        """The same genotypes, filters and matrix for a study, of no trait."""
        return GwasOptions(pheno="none", loco=False, **self.shared)

    @property
    def is_standardized(self) -> bool:
        """Whether variants are divided by their standard deviation."""
        return self.grm_weighting == "standardized"
