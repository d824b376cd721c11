"""The options of ``nextlmm grm``; those that ``nextlmm gwas`` has too are checked there."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, get_args

from cyclopts import Parameter

from nextlmm.errors import UsageError
from nextlmm.relatedness.grm_formats import GrmFormat
from nextlmm.run.genotype_options import MATRIX, RelatedOptions
from nextlmm.run.option_checks import check_choice


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GrmOptions(RelatedOptions):
    """Of which genotypes to make a relationship matrix, and how to write it.

    Parameters
    ----------
    format
        gcta (.grm.bin, .grm.N.bin, .grm.id), gcta-gz (.grm.gz), gcta-sparse (.grm.sp), plink2
        (.rel.bin), plink2-text (.rel), gemma (.cXX.txt or .sXX.txt) or npy, each with the list of
        its samples.
    cutoff
        In the sparse format, leave out pairs that are less related than this.
    per_chromosome
        A matrix for each chromosome by itself, OUT.chr1 and so on; in the gcta format they are what
        --grm OUT.chr@ of nextlmm gwas takes, for LOCO too.

    Raises
    ------
    UsageError
        If a value is out of its range or two options contradict each other.
    """

    COMMAND: ClassVar[str] = "grm"

    format: Annotated[GrmFormat, Parameter(group=MATRIX)] = "gcta"
    cutoff: Annotated[float, Parameter(group=MATRIX)] = 0.05
    per_chromosome: Annotated[bool, Parameter(group=MATRIX, negative="")] = False

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        check_choice("format", self.format, get_args(GrmFormat))
        if not (isinstance(self.cutoff, int | float) and math.isfinite(self.cutoff)):
            raise UsageError(
                f"Option cutoff is {self.cutoff!r}, but it must be a number: the relationship "
                "below which pairs are left out."
            )
        super().__post_init__()
