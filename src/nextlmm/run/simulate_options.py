"""The options of ``nextlmm simulate``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, get_args

from cyclopts import Group, Parameter

from nextlmm.errors import UsageError
from nextlmm.run.genotype_options import RUN, GenotypeFiles
from nextlmm.run.option_checks import (
    GENOTYPES,
    check_choice,
    check_integer,
    check_real,
    checked_path,
)
from nextlmm.run.options import GwasOptions, whole_number
from nextlmm.simulation.structure import Structure

_COHORT = Group("Cohort", sort_key=2)
_TRAIT = Group("Trait", sort_key=3)
_SAMPLES, _VARIANTS, _CHROMOSOMES = 1_000, 10_000, 20
_STRUCTURE: Structure = "mixture"
_NEW = {
    "samples": _SAMPLES,
    "variants": _VARIANTS,
    "chromosomes": _CHROMOSOMES,
    "structure": _STRUCTURE,
}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SimulateOptions(GenotypeFiles):
    """What cohort to simulate, and where it goes.

    Where genotypes are named, none are made: traits are simulated on those.

    Parameters
    ----------
    samples
        Number of samples; 1,000 unless given.
    variants
        Number of variants; 10,000 unless given.
    chromosomes
        Number of chromosomes; 20 unless given.
    structure
        Kind of population; mixture unless given. mixture: five populations, a third of the people
        of mixed ancestry, some in families. families: three populations, nearly all people in
        families of two parents and three children. inbred: lines of eight populations. unrelated:
        one population.
    h2
        Heritability of the trait, beside the covariates.
    causal
        Number of variants with an effect, ten of which have six times the effect of the others.
    seed
        Seed of every random draw. The same seed gives the same files.

    Raises
    ------
    UsageError
        If a value is out of its range or two options contradict each other.
    """

    COMMAND: ClassVar[str] = "simulate"

    samples: Annotated[int | None, Parameter(group=_COHORT, converter=whole_number)] = None
    variants: Annotated[int | None, Parameter(group=_COHORT, converter=whole_number)] = None
    chromosomes: Annotated[int | None, Parameter(group=_COHORT, converter=whole_number)] = None
    structure: Annotated[Structure | None, Parameter(group=_COHORT)] = None
    h2: Annotated[float, Parameter(group=_TRAIT)] = 0.5
    causal: Annotated[int, Parameter(group=_TRAIT, converter=whole_number)] = 100
    seed: Annotated[int, Parameter(group=RUN, converter=whole_number)] = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        for name in ("out", *GENOTYPES, "sample", "annotation"):
            object.__setattr__(self, name, checked_path(name, getattr(self, name)))
        for name, default in _NEW.items():
            if not self.has_genotypes and getattr(self, name) is None:
                object.__setattr__(self, name, default)
            elif self.has_genotypes and getattr(self, name) is not None:
                raise UsageError(
                    f"Option {name} is of genotypes that are simulated, but others are named; "
                    "leave one of the two out."
                )
        if self.structure is not None:
            check_choice("structure", self.structure, get_args(Structure))
        check_integer(self, "samples", 10)
        for name in ("variants", "chromosomes", "threads"):
            check_integer(self, name, 1)
        for name in ("causal", "seed"):
            check_integer(self, name, 0)
        check_real(self, "h2", "between 0 and 1", lambda x: 0 <= x <= 1)
        check_real(self, "memory", "above 0", lambda x: x > 0)
        if self.h2 > 0 and not self.causal:
            raise UsageError(
                f"Option h2 is {self.h2:g}, but option causal is 0, which leaves no variant that "
                "could make the trait heritable; give a number of causal variants, or h2 0."
            )

    @property
    def has_genotypes(self) -> bool:
        """Whether traits are simulated on given genotypes."""
        return any(getattr(self, name) is not None for name in GENOTYPES)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Samples, variants and chromosomes of genotypes that are made."""
        return (
            self.samples or _SAMPLES,
            self.variants or _VARIANTS,
            self.chromosomes or _CHROMOSOMES,
        )

    @property
    def kind(self) -> Structure:
        """Kind of the population whose genotypes are made."""
        return self.structure or _STRUCTURE

    @property
    def as_gwas(self) -> GwasOptions:
        """The given genotypes for a study, of no trait."""
        names = (*GENOTYPES, "sample", "annotation", "vcf_field", "memory", "threads")
        given = {name: getattr(self, name) for name in names}
        return GwasOptions(pheno="none", out=self.out, loco=False, **given)
