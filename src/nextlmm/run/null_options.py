"""The options of the commands that fit the null model alone: those of ``nextlmm gwas`` for it."""

import shlex
from dataclasses import dataclass, fields
from typing import Annotated, Any

from cyclopts import Parameter

from nextlmm.errors import UsageError
from nextlmm.output.formats import OutFormat, PlotFormat
from nextlmm.run.option_checks import option_name
from nextlmm.run.options import GwasOptions, LocoH2, Mode, PerVariantH2, Test

# Known, so that a sentence can say why it is of no use, and shown nowhere.
_UNSEEN = Parameter(show=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class H2Options(GwasOptions):
    """Of which trait to estimate the heritability, and with which relationship matrix.

    The fields that are of tests have to be as they are.

    Parameters
    ----------
    out
        Prefix of every file, as in results/height.
    mode
        Form of the model: exact takes the route that nextlmm gwas would take; hodlr compresses the
        relationship matrix; dense keeps the matrix as a square array.
    order
        Samples in the order in which products compare them: a list, one sample per line. It is
        found from the genotypes unless given.
    grm
        A relationship matrix made elsewhere, in any format that nextlmm gwas reads. It is centred
        over the analysed samples and scaled to mean diagonal 1.
    pedigree
        Relationships by descent: a pedigree (IID, father, mother, or a .fam file) of the samples
        and their ancestors, genotyped or not, which gives the additive relationship matrix with
        inbreeding.
    grm_bfile
        Genotypes that the relationship matrix is made of, where they are not those of --bfile and
        the like: the common prefix of PLINK 1 files, or a file of another format with the end of
        its name. Samples are matched by ID.
    grm_extract
        Variants of the relationship matrix: only those listed in this file, one identifier per
        line.

    Raises
    ------
    UsageError
        If a value is out of its range, two options contradict each other, or one is of tests.
    """

    test: Annotated[Test, _UNSEEN] = "wald"
    per_variant_h2: Annotated[PerVariantH2, _UNSEEN] = "never"
    hit_threshold: Annotated[float, _UNSEEN] = 1e-5
    loco: Annotated[bool, _UNSEEN] = False
    loco_h2: Annotated[LocoH2, _UNSEEN] = "shared"
    z_tolerance: Annotated[float, _UNSEEN] = 1e-3
    out_format: Annotated[tuple[OutFormat, ...], _UNSEEN] = ()
    plots: Annotated[bool, _UNSEEN] = False
    plot_format: Annotated[tuple[PlotFormat, ...], _UNSEEN] = ("png",)
    report: Annotated[bool, _UNSEEN] = False
    resume: Annotated[bool, _UNSEEN] = False
    checkpoint_after: Annotated[float, _UNSEEN] = 5.0
    part: Annotated[str | None, _UNSEEN] = None

    @property
    def command(self) -> str:
        """Name of the command."""
        return "h2"

    def __post_init__(self) -> None:
        """Refuse what has no meaning here, then what no run can carry out."""
        for name, reason in self._meaningless().items():
            field = next(field for field in fields(self) if field.name == name)
            if getattr(self, name) != field.default:
                raise UsageError(
                    f"{option_name(name)} has no use here, because nextlmm {self.command} {reason};"
                    " leave it out."
                )
        super().__post_init__()

    def to_command(self) -> str:
        """Return the shell command that repeats this run, ready to be copied."""
        return shlex.join(["nextlmm", self.command, *self.to_arguments()])

    def to_dict(self) -> dict[str, Any]:
        """Return every option that the command has, defaults included, as values for JSON."""
        values = super().to_dict()
        return {name: values[name] for name in values if name not in self._meaningless()}

    def _meaningless(self) -> dict[str, str]:
        """The options of ``nextlmm gwas`` that cannot be chosen here, and why, as a clause."""
        unkept = dict.fromkeys(_OF_CHECKPOINTS, "keeps no checkpoint")
        return dict.fromkeys(OF_TESTS, "tests no variant") | unkept


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PredictOptions(H2Options):
    """Of which trait to predict the genetic values, and from which genotypes.

    Parameters
    ----------
    keep
        Analyse and predict only the samples listed in this file.
    remove
        Leave out the samples listed in this file.
    """

    mode: Annotated[Mode, _UNSEEN] = "exact"
    rank: Annotated[int | None, _UNSEEN] = None
    kl_tolerance: Annotated[float | None, _UNSEEN] = None
    grm: Annotated[str | None, _UNSEEN] = None
    grm_id: Annotated[str | None, _UNSEEN] = None
    pedigree: Annotated[str | None, _UNSEEN] = None

    @property
    def command(self) -> str:
        """Name of the command."""
        return "predict"

    def _meaningless(self) -> dict[str, str]:
        given = "gives effects of variants, which a matrix of something else does not have"
        exact = "predicts with the exact matrix, by whichever route its h2 was found"
        reasons = {name: given if name in _GIVEN else exact for name in OF_MATRICES}
        return super()._meaningless() | reasons


OF_TESTS = frozenset(H2Options.__annotations__)
"""The options of ``nextlmm gwas`` that have no meaning without tests."""

_GIVEN = ("grm", "grm_id", "pedigree")
_OF_CHECKPOINTS = ("resume", "checkpoint_after", "part")
OF_MATRICES = frozenset(PredictOptions.__annotations__)
"""Those that have none where effects of variants are wanted."""
