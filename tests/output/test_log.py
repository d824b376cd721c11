import io

from nextlmm.output.log import write_log


def test_write_log() -> None:
    handle = io.BytesIO()
    write_log(["one  ", "", "größe"], handle)
    assert handle.getvalue() == "one\n\ngröße\n".encode()


def test_write_log__bytes_that_are_not_utf8_are_escaped() -> None:
    handle = io.BytesIO()
    write_log(["cohort-\udcff.bed"], handle)
    assert handle.getvalue() == b"cohort-\\udcff.bed\n"
