import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fingerprint import canonical, fingerprint

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert fingerprint(dict(reversed(value.items()))) == fingerprint(value)


@given(VALUES, VALUES)
def test_one_fingerprint_for_one_canonical_text(one: object, other: object) -> None:
    if canonical(one) != canonical(other):
        assert fingerprint(one) != fingerprint(other)
    else:
        assert fingerprint(one) == fingerprint(other)


def test_it_is_the_same_on_every_machine() -> None:
    assert canonical({"b": 1.0, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1.0}'
    assert fingerprint({"b": 1.0, "a": [True, None, "é"]}) == "a8c8ed7d"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), print, object(), {1: 2}, [{1, 2}]])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="canonical form"):
        fingerprint(value)
