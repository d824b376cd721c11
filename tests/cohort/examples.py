"""Small tables."""

from collections.abc import Mapping, Sequence

import numpy as np

from nextlmm.cohort.table import SampleColumns
from nextlmm.genotype.tables import SampleTable, string_array


def samples(ids: Sequence[str], families: Sequence[str] | None = None) -> SampleTable:
    families = ["0"] * len(ids) if families is None else families
    return SampleTable(string_array(families), string_array(ids), "g.fam")


def table(
    ids: Sequence[str],
    columns: Mapping[str, Sequence[object]] | None = None,
    families: Sequence[str] | None = None,
    path: str = "table.txt",
) -> SampleColumns:
    return SampleColumns(
        path=path,
        family_id=None if families is None else string_array(families),
        sample_id=string_array(ids),
        columns={name: [str(v) for v in values] for name, values in (columns or {}).items()},
        line=np.arange(2, len(ids) + 2),
    )
