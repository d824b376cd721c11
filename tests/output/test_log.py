import io

from nextlmm.output.log import write_log


def test_write_log() -> None:
    handle = io.BytesIO()
    write_log(["one  ", "", "größe"], handle)
    assert handle.getvalue() == "one\n\ngröße\n".encode()
