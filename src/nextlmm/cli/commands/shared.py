"""Options that every command has."""

from typing import Annotated

from cyclopts import Group, Parameter

DEBUG_FLAG = "--debug"

Debug = Annotated[
    bool,
    Parameter(
        name=DEBUG_FLAG,
        negative="",
        show_default=False,
        help="Show where in the program an error arose.",
        group=Group("Run", sort_key=5),
    ),
]
