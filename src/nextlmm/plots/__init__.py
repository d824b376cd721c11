"""Plots of results: every function takes a result and returns a matplotlib figure.

A result is what ``nextlmm.gwas`` or ``nextlmm.associate`` returns, or a table of polars or pandas
with the columns of a result table::

    run = nextlmm.gwas(options)
    nextlmm.plots.manhattan(run, trait="height")
    nextlmm.plots.region(run).savefig("region.pdf")

All of them take ``title``, and either ``size``, the width and height of a new figure in inches, or
``ax``, axes to draw on. Nothing touches the global state of pyplot; a notebook shows the figures as
they are.  ``write_figures`` draws all that a finished run has as files.
"""

from nextlmm.plots.association import manhattan, qq, qq_by_maf
from nextlmm.plots.losses import waterfall
from nextlmm.plots.null import distribution, h2_profile
from nextlmm.plots.region import region
from nextlmm.plots.samples import components, relationships
from nextlmm.plots.write import write_figures

__all__ = [
    "components",
    "distribution",
    "h2_profile",
    "manhattan",
    "qq",
    "qq_by_maf",
    "region",
    "relationships",
    "waterfall",
    "write_figures",
]
