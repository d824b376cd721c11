import sys

import numpy as np
import polars as pl
import pytest

from nextlmm.errors import UsageError
from nextlmm.output.pandas_frame import pandas_frame

TABLE = pl.DataFrame(
    {
        "chromosome": ["1", "X", None],
        "n": [3, 4, 5],
        "beta": [0.5, None, -1.0],
        "counted": [1, None, 3],
        "strong": [True, False, True],
    }
)


def test_pandas_frame__keeps_values_and_types() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas_frame(TABLE)
    assert list(frame.columns) == TABLE.columns
    assert frame["chromosome"].tolist()[:2] == ["1", "X"]
    assert pandas.isna(frame["chromosome"][2])
    assert frame["n"].dtype == np.int64
    assert frame["strong"].dtype == bool
    np.testing.assert_array_equal(frame["beta"], [0.5, np.nan, -1.0])
    np.testing.assert_array_equal(frame["counted"], [1.0, np.nan, 3.0])


def test_pandas_frame__is_a_copy() -> None:
    pytest.importorskip("pandas")
    frame = pandas_frame(TABLE)
    frame.loc[0, "n"] = 99
    assert TABLE["n"][0] == 3


def test_pandas_frame__needs_no_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert len(pandas_frame(TABLE)) == 3


def test_pandas_frame__names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"needs the package pandas.*nextlmm\[pandas\]"):
        pandas_frame(TABLE)
