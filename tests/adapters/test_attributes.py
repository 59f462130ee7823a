"""Message attributes: never at the expense of the body, never what SQS refuses."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.attributes import fitted
from engine.message import MAX_BYTES
from tests.examples import examples

NAMES = st.text("abc_", min_size=1, max_size=8)


def size(attributes: dict[str, str]) -> int:
    """As SQS counts: name, data type and value."""
    return sum(len(name) + len("String") + len(value.encode()) for name, value in attributes.items())


def sayable_by_xml(char: str) -> bool:
    """XML 1.0, production [2]."""
    code = ord(char)
    return code in {9, 10, 13} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


@settings(max_examples=examples(500))
@given(st.dictionaries(NAMES, st.text(max_size=40), max_size=12), st.text(max_size=20), st.integers(0, 300))
def test_what_is_taken_fits_and_is_the_beginning_of_what_was_given(
    attributes: dict[str, str], body: str, spare: int
) -> None:
    """Whatever the text: within the limit, ten at most, none empty, each the beginning of its value, cut only
    where there was no room."""
    limit = len(body.encode("utf-8", "replace")) + spare
    taken = fitted(body, attributes, limit=limit)
    assert size(taken) <= spare
    assert len(taken) <= 10
    assert list(taken) == [name for name in attributes if name in taken]
    for name, value in taken.items():
        sayable = "".join(char if sayable_by_xml(char) else "\ufffd" for char in attributes[name])
        assert value
        assert sayable.startswith(value)
        assert value == sayable or size(taken) > spare - 4  # cut only when there is no room for one more character


def test_with_room_every_value_is_whole() -> None:
    """Up to ten values of any text that XML can say arrive as they are; an empty one, and an eleventh, do not."""
    values = {f"a{number}": f"\t{number} ä \U0001f600 \ufffd" for number in range(11)}
    assert fitted("body", {"empty": "", **values}) == dict(list(values.items())[:10])


def test_the_last_named_give_way_first() -> None:
    """Where the body leaves little room, what was named first is whole, then one value is cut, the rest is left out."""
    attributes = {"code": "too-long", "file": "x" * 100, "reason": "y"}
    body = "b" * (MAX_BYTES - 40)
    assert fitted(body, attributes) == {"code": "too-long", "file": "x" * (40 - len("codeStringtoo-long") - 10)}
    assert fitted("b" * MAX_BYTES, attributes) == {}


def test_a_value_is_cut_between_two_characters() -> None:
    """Half a character is not text."""
    assert fitted("", {"a": "ää"}, limit=10) == {"a": "ä"}
    assert fitted("", {"a": "ää"}, limit=8) == {}


def test_characters_that_sqs_refuses_are_replaced() -> None:
    """Control characters, non-characters and lone surrogates become U+FFFD."""
    assert fitted("", {"a": "x\0\x1b\ud800\ufffe\uffffy\r\n"}) == {"a": "x\ufffd\ufffd\ufffd\ufffd\ufffdy\r\n"}
