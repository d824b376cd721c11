"""The options of ``nextlmm pca``; those that ``nextlmm gwas`` has too are checked there."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from cyclopts import Group, Parameter

from nextlmm.run.genotype_options import RUN, RelatedOptions
from nextlmm.run.option_checks import check_integer, check_real
from nextlmm.run.options import whole_number

_COMPONENTS = Group("Components", sort_key=2)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PcaOptions(RelatedOptions):
    """Of which genotypes to find the leading principal components, how many, and how well.

    Parameters
    ----------
    count
        Number of components.
    tolerance
        Largest residual of a component, |K v - lambda v| / lambda.
    plots
        Draw the components.

    Raises
    ------
    UsageError
        If a value is out of its range or two options contradict each other.
    """

    COMMAND: ClassVar[str] = "pca"

    count: Annotated[int, Parameter(group=_COMPONENTS, converter=whole_number)] = 10
    tolerance: Annotated[float, Parameter(group=_COMPONENTS)] = 1e-6
    plots: Annotated[bool, Parameter(group=RUN)] = True

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        check_integer(self, "count", 1)
        check_real(self, "tolerance", "from 1e-12 to 0.01", lambda x: 1e-12 <= x <= 0.01)
        super().__post_init__()
