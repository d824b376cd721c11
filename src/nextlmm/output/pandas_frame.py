"""Tables as data frames of pandas, where that is installed."""

from typing import Any

import polars as pl

from nextlmm.genotype.packages import needed_package


def pandas_frame(table: pl.DataFrame) -> Any:
    """A table as a pandas data frame, its columns in the same order; missing values are NaN.

    The frame holds copies. The conversion that polars has itself needs pyarrow besides pandas;
    this one needs pandas alone.

    Raises
    ------
    UsageError
        If pandas is not installed; the sentence names the extra.
    """
    pandas = needed_package("pandas", extra="pandas", purpose="A data frame of pandas")
    return pandas.DataFrame({column.name: column.to_numpy() for column in table})
