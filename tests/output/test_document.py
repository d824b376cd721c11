import io
import json

from hypothesis import given
from hypothesis import strategies as st

from nextlmm.output.document import write_document

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab[],\n 1"), inner),
)


def written(content: object) -> str:
    handle = io.BytesIO()
    write_document({"content": content}, handle)
    return handle.getvalue().decode()


@given(values)
def test_write_document__is_what_was_given(content: object) -> None:
    assert json.loads(written(content)) == {"content": content}


def test_write_document__puts_a_list_of_numbers_on_a_line() -> None:
    text = written([[1, -2.5, None, 1e-30], ["[1,\n 2]", "3"]])
    assert "[1, -2.5, null, 1e-30]" in text
    assert '      "3"' in text
