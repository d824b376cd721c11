"""Which trait of a run is meant."""

import difflib
from collections.abc import Collection

from nextlmm.errors import UsageError


def chosen_trait(traits: Collection[str], trait: str | None) -> str:
    """The trait that is asked for; the only one unless it is named.

    Raises
    ------
    UsageError
        If the run has no such trait, or several and none is named.
    """
    if trait is None and len(traits) == 1:
        return next(iter(traits))
    names = ", ".join(traits)
    if trait is None:
        raise UsageError(f"the run has {len(traits)} traits: {names}; name one of them by trait=")
    if trait in traits:
        return trait
    near = difflib.get_close_matches(trait, list(traits), n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are: {names}"
    raise UsageError(f"the run has no trait '{trait}'; {hint}")
