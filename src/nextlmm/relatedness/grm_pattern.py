"""Names that stand for the matrices of single chromosomes.

Light, so that options can be checked before any numerical library is loaded.
"""

import os

_MARKS = ("{chr}", "@")


def is_pattern(path: str) -> bool:
    """Whether a name has a mark for the chromosome, in its last part."""
    name = os.path.basename(path)
    return any(mark in name for mark in _MARKS)


def split_pattern(path: str) -> tuple[str, str]:
    """What stands before and after the last mark."""
    mark = next(mark for mark in _MARKS if mark in os.path.basename(path))
    before, _, after = path.rpartition(mark)
    return before, after
