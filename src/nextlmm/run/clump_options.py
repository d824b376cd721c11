"""The options of ``nextlmm clump``."""

import shlex
from dataclasses import dataclass
from typing import Annotated, ClassVar

from cyclopts import Group, Parameter

from nextlmm.run.genotype_options import FILES, GenotypeFiles
from nextlmm.run.option_checks import GENOTYPES, check_integer, check_real, checked_path

_CLUMPS = Group("Clumps", sort_key=2)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ClumpOptions(GenotypeFiles):
    """What makes a lead variant, and which genotypes say so.

    Genotypes are those of the run unless others are named; of those of the run the analysed samples
    count, of others all.

    Parameters
    ----------
    trait
        The trait. May be left out where the run has only one.
    p1
        Largest p-value of a lead and of what it takes along. One in as many as there are tested
        variants unless given, and at least 1e-6, as nextlmm gwas has it.
    r2
        Squared correlation with a lead from which a variant belongs to it.
    kb
        Largest distance of such a variant from its lead, in kilobases. Any within a locus, whose
        neighbours are at most a megabase apart, unless given.

    Raises
    ------
    UsageError
        If a value is out of its range.
    """

    COMMAND: ClassVar[str] = "clump"

    trait: Annotated[str | None, Parameter(group=FILES)] = None
    p1: Annotated[float | None, Parameter(group=_CLUMPS)] = None
    r2: Annotated[float, Parameter(group=_CLUMPS)] = 0.1
    kb: Annotated[float | None, Parameter(group=_CLUMPS)] = None

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        check_real(self, "p1", "above 0 and at most 1", lambda x: 0 < x <= 1)
        check_real(self, "r2", "above 0 and at most 1", lambda x: 0 < x <= 1)
        check_real(self, "kb", "above 0", lambda x: x > 0)
        check_real(self, "memory", "above 0", lambda x: x > 0)
        check_integer(self, "threads", 1)
        for name in ("out", *GENOTYPES, "sample", "annotation"):
            object.__setattr__(self, name, checked_path(name, getattr(self, name)))

    @property
    def genotypes(self) -> dict[str, str | None]:
        """The options that name genotypes other than those of the run, and describe them."""
        if all(getattr(self, name) is None for name in GENOTYPES):
            return {}
        names = (*GENOTYPES, "sample", "annotation", "vcf_field")
        return {name: getattr(self, name) for name in names}

    def command_for(self, document: str) -> str:
        """Return the shell command that repeats this on a run, ready to be copied."""
        return shlex.join(["nextlmm", self.COMMAND, document, *self.to_arguments()])
