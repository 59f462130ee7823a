"""The codec gives the same results on every backend that this build has."""

from __future__ import annotations

import json
import math
import random
import struct
from typing import Any

import pytest

from engine.codec import BACKENDS, MAX_DEPTH, decode_json, encode_json
from engine.errors import InputError

pytestmark = pytest.mark.parametrize("backend", sorted(BACKENDS))

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**70),
    0.1,
    -0.0,
    1e16,
    1e-7,
    5e-324,
    "",
    'quote " backslash \\ slash / tab \t nul \x00 del \x7f e-acute \u00e9 line separator \u2028 emoji \U0001f600',
    [],
    {},
    {"b": [1, {"a": None}], "a": "order kept"},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_survive_the_round_trip(backend: str, value: Any) -> None:
    """What is written reads back equal, here and with the standard library."""
    text = encode_json(value, backend=backend)
    assert decode_json(text, backend=backend) == value
    assert json.loads(text) == value


def test_backends_write_the_same_bytes(backend: str) -> None:
    """Identities are hashes of this text, so every build must write the same: fixed bytes and random doubles."""
    value = {"float": 1e16, "small": 1e-7, "int": 2**70, "text": "\u00e9\x1f\U0001f600", "tuple": (1, 2), "n": None}
    expected = '{"float":1e16,"small":1e-7,"int":1180591620717411303424,"text":"\u00e9\\u001f\U0001f600"'
    assert encode_json(value, backend=backend) == (expected + ',"tuple":[1,2],"n":null}').encode()
    rng = random.Random(7)
    for _ in range(2_000):
        number = struct.unpack("<d", rng.randbytes(8))[0]
        if math.isfinite(number):
            text = encode_json(number, backend=backend)
            assert {encode_json(number, backend=other) for other in BACKENDS} == {text}
            assert float(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e400",
        "01",
        "1.",
        "+1",
        "[1,]",
        "{'a':1}",
        '{"a":1} x',
        '"\x01"',
        '"\\ud800"',
        "\ufeff1",
        "tru",
        b'"\xff"',
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 100_000,
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_not_json_is_refused(backend: str, text: str | bytes) -> None:
    """Anything outside RFC 8259, too deep or beyond a double is an InputError of one line, on every backend."""
    with pytest.raises(InputError) as refused:
        decode_json(text, backend=backend)
    assert "\n" not in str(refused.value)


def test_the_deepest_allowed_nesting_is_read(backend: str) -> None:
    """The depth bound is a bound on what is refused, not on what is read."""
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert encode_json(decode_json(text, backend=backend), backend=backend) == text.encode()


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":2}', '{"b":[{"c":1},{"a":1,"b":2,"a":1}]}', '{"a":NaN,"\\u0061":9}', b'{"a":{},"x":[],"a":[]}'],
    ids=str,
)
def test_a_key_that_stands_twice_is_refused(text: str | bytes, backend: str) -> None:
    """At any depth, also where it is spelled in two ways: the error names the key."""
    with pytest.raises(InputError, match=r"^key 'a' is given twice$"):
        decode_json(text, backend=backend)


def test_the_same_key_in_two_objects_is_read(backend: str) -> None:
    """Only one object cannot have a key twice."""
    assert decode_json('[{"a":{"a":1}},{"a":2}]', backend=backend) == [{"a": {"a": 1}}, {"a": 2}]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"fields": [{"const": math.nan}]}, "fields[0].const: "),
        ([math.inf], "[0]: "),
        ({"a": {1: 2}}, "a: "),
        ({"a": b"bytes"}, "a: "),
        ({"a": {1, 2}}, "a: "),
        ({"a": "\ud800"}, "lone surrogate"),
    ],
    ids=str,
)
def test_what_json_cannot_say_is_refused_with_its_place(backend: str, value: Any, place: str) -> None:
    """Nothing is silently turned into null, text or an array."""
    with pytest.raises(InputError) as refused:
        encode_json(value, backend=backend)
    assert place in str(refused.value)
