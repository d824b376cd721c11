"""The kinds of populations that there are, for options, without the numerical libraries."""

from typing import Literal

Structure = Literal["families", "inbred", "mixture", "unrelated"]
