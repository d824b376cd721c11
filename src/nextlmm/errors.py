"""Every failure is a sentence: what, where, what was seen, what was expected, what to do.

The tree::

    NextlmmError
    ├── UsageError              exit 2   an option or a combination of options that cannot be
    ├── InputError              exit 3   the data
    │   ├── MissingFileError             a file is not there or cannot be read
    │   ├── FormatError                  a file is not what its name says, or is damaged
    │   ├── AlignmentError               samples of two files do not match
    │   ├── TraitError                   a trait cannot be analysed
    │   ├── DesignError                  covariates cannot be used
    │   └── VariantError                 the variants cannot be used as a whole
    ├── NumericalError          exit 4   the mathematics
    │   ├── NotPositiveDefiniteError
    │   └── ConvergenceError
    ├── OutputError             exit 5   a result cannot be written
    └── ClusterError            exit 6   the workers of a cluster

A variant that cannot be tested is not an exception; it has a status in its row.
"""

_LONGEST, _HEAD, _TAIL = 1200, 700, 450  # characters of a sentence


class NextlmmError(Exception):
    """Root of all errors that a user can act upon; never shown with a traceback.

    What a sentence quotes of a file may be of any length: of a very long one the middle is left
    out, so that what is wrong and what to do are still seen.
    """

    code = "E000"
    exit_status = 1

    def __init__(self, sentence: str = "") -> None:
        if len(sentence) > _LONGEST:
            sentence = f"{sentence[:_HEAD]} [...] {sentence[-_TAIL:]}"
        super().__init__(sentence)


class UsageError(NextlmmError):
    """An option, or a combination of options, that cannot be carried out."""

    code = "E200"
    exit_status = 2


class InputError(NextlmmError):
    """Something in the data that stops the whole run."""

    code = "E300"
    exit_status = 3


class MissingFileError(InputError):
    """A file is not there, is a folder, or cannot be read."""

    code = "E310"


class FormatError(InputError):
    """A file is not what its name says, is truncated, or contradicts another one."""

    code = "E320"


class AlignmentError(InputError):
    """The samples of two files do not match, or an identifier is not unique."""

    code = "E330"


class TraitError(InputError):
    """A trait is unknown, not numeric, constant, or has too few samples."""

    code = "E340"


class DesignError(InputError):
    """A covariate is unknown, not numeric, constant or collinear."""

    code = "E350"


class VariantError(InputError):
    """No variant is left, or the variants do not allow what was asked for."""

    code = "E360"


class NumericalError(NextlmmError):
    """The mathematics has no answer for these data."""

    code = "E400"
    exit_status = 4


class NotPositiveDefiniteError(NumericalError):
    """A covariance matrix is not positive definite."""

    code = "E410"


class ConvergenceError(NumericalError):
    """An iteration did not reach its tolerance."""

    code = "E420"


class OutputError(NextlmmError):
    """A result cannot be written where it was asked for."""

    code = "E500"
    exit_status = 5


class ClusterError(NextlmmError):
    """Workers of a cluster cannot be reached, are lost, or cannot do their part."""

    code = "E600"
    exit_status = 6
