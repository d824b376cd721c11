"""Whatever a file holds, the answer is a table or a sentence."""

import contextlib
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from nextlmm.cohort.align import align
from nextlmm.cohort.table import read_sample_list, read_sample_table
from nextlmm.errors import InputError
from nextlmm.genotype.filters import read_id_list
from nextlmm.genotype.plink_tables import read_bim, read_fam

from .examples import samples

CELLS = st.sampled_from(
    [
        "FID",
        "IID",
        "#IID",
        "I1",
        "I2",
        "F1",
        "y",
        "1.5",
        "-9",
        "NA",
        "",
        "abc",
        '"',
        '"a',
        "é",
        "1,5",
    ]
)
SEPARATORS = st.sampled_from([" ", "\t", ",", ";", "\n", "\r\n", "\n\n"])
TABLES = st.lists(st.tuples(CELLS, SEPARATORS), max_size=40).map(
    lambda pieces: "".join(cell + separator for cell, separator in pieces).encode()
)


@given(content=st.binary(max_size=60) | TABLES)
@example(content=b'FID,IID,y\nF1,I1,"' + b"x" * 200_000 + b'"\n')
@example(content=b'FID,IID,y\nF1,I1,"open\nF1,I2,1\n')
@example(content=b"\x1f\x8b")
@example(content=b"\xef\xbb\xbf")
@example(content=b"\n")
def test_readers__table_or_sentence(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        for reader in (read_sample_list, read_id_list, read_bim, read_fam):
            with contextlib.suppress(InputError):
                assert len(reader(path)) > 0
        with contextlib.suppress(InputError):
            table = read_sample_table(path)
            assert all(len(values) == len(table) for values in table.columns.values())
            align(samples(["I1", "I2"]), table)
