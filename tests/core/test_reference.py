"""The reference converters define the mapping language's types; these tables are the contract's words as cases."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from time import process_time
from typing import Any

import pytest

from engine.core import reference
from engine.core.reference import NUMBER_CHARS, CellFault

MEGABYTE = 1_000_000
_decimal = partial(reference.to_decimal, precision=5, scale=2)
_words = partial(reference.to_bool, true=("Ja", "да", "OK", "1"), false=("nein", "\u041d\u0415\u0422", "0", "1"))

# What no type but string takes: spaces, digits of other scripts, separators, other notations, NUL, what is no text.
ODD = [
    " 1", "1 ", "1\n", "\t1", "\u00a01", "\u0661", "\uff11", "\u0967", "1_000", "1,000", "0x10", "0b1", "1\0", "\0",
    "\ud800", "1\udfff", "\u2212" + "1", "\ufeff1", "None", "''", "\u00b9", "\u2460", "1'000", "x" * MEGABYTE,
]  # fmt: skip
NOT_BASE64 = [text for text in ODD if len(text) % 4 or not text.isalnum()]
NOT_NUMBERS = ["", "-", "+", "+-1", "-+1", "--1", "1-", "NaN", "nan", "inf", "-Infinity", "1e", "e5", "1.2.3", *ODD]

ACCEPTED: list[tuple[Callable[[str], Any], dict[str, Any]]] = [
    (
        reference.to_string,
        {
            text: text
            for text in (
                "",
                " ",
                "a",
                " a ",
                "\n",
                "\0",
                "é",
                "e\u0301",
                "\u202e",
                "\U0001f600",
                "null",
                "NaN",
                "1_000",
                "\ufeff",
                "\\",
                '"',
                "'",
                ",",
                "\r\n",
                "\t",
                "\u0661",
                "\u2028",
                "\x7f",
                "\x1b",
                "\uffff",
                "\U0010ffff",
                "ﬀ",
                "İ",
                "0x10",
                "y" * MEGABYTE,
            )
        },
    ),
    (
        reference.to_int,
        {
            "0": 0,
            "-0": 0,
            "+0": 0,
            "+7": 7,
            "007": 7,
            "-12": -12,
            "-0012": -12,
            "9223372036854775807": 2**63 - 1,
            "+9223372036854775807": 2**63 - 1,
            "-9223372036854775808": -(2**63),
            "0" * 5000 + "5": 5,
        },
    ),
    (
        reference.to_float,
        {
            "5": 5.0,
            "+.5": 0.5,
            "-.5": -0.5,
            "5.": 5.0,
            "0.0": 0.0,
            "-0.0": -0.0,
            "1e5": 1e5,
            "1.e+05": 1e5,
            "1E-400": 0.0,
            "5e-324": 5e-324,
            "1.7976931348623157e308": 1.7976931348623157e308,
            "0.1": 0.1,
            "0" * 5000 + "1e1": 10.0,
            "1" + "0" * 308: 1e308,
        },
    ),
    (
        _decimal,
        {
            "0": Decimal("0.00"),
            "-0": Decimal("0.00"),
            "+1": Decimal("1.00"),
            "1.": Decimal("1.00"),
            ".5": Decimal("0.50"),
            "-.05": Decimal("-0.05"),
            "999.99": Decimal("999.99"),
            "-999.99": Decimal("-999.99"),
            "000999.9": Decimal("999.90"),
            "00.00": Decimal("0.00"),
            "0" * 5000 + "1": Decimal("1.00"),
        },
    ),
    (
        reference.to_bool,
        dict.fromkeys(["true", "True", "TRUE", "tRuE", "t", "T", "yes", "YES", "Yes", "y", "Y", "1"], True)
        | dict.fromkeys(["false", "False", "FALSE", "f", "F", "no", "NO", "No", "n", "N", "0"], False),
    ),
    (
        _words,
        dict.fromkeys(["ja", "JA", "jA", "да", "ДА", "Да", "ok", "OK", "1"], True)
        | dict.fromkeys(["nein", "NEIN", "нет", "Нет", "0"], False),
    ),
    (
        reference.to_uuid,
        {
            "0123456789ABCDEF0123456789abcdef": "01234567-89ab-cdef-0123-456789abcdef",
            "01234567-89AB-cdef-0123-456789abcdef": "01234567-89ab-cdef-0123-456789abcdef",
            "0" * 32: "00000000-0000-0000-0000-000000000000",
            "F" * 32: "ffffffff-ffff-ffff-ffff-ffffffffffff",
        },
    ),
    (
        reference.to_json_text,
        {
            "1": "1",
            ' {"b": 1,\n"a": [true, null]} ': '{"b":1,"a":[true,null]}',
            '{"a":1,"a":2}': '{"a":2}',
            '"\\u00e9\\/"': '"é/"',
            "1.50": "1.5",
            "-0": "-0",
            "123456789012345678901234567890": "123456789012345678901234567890",
            '"\\u0000"': '"\\u0000"',
            '"\\ud83d\\ude00"': '"😀"',
            '"NaN"': '"NaN"',
            "[" * 64 + "]" * 64: "[" * 64 + "]" * 64,
            '"' + "[" * 200 + '"': '"' + "[" * 200 + '"',
            '"' + "x" * MEGABYTE + '"': '"' + "x" * MEGABYTE + '"',
        },
    ),
    (
        reference.to_bytes,
        {
            "": b"",
            "AA==": b"\0",
            "AAA=": b"\0\0",
            "AAAA": b"\0\0\0",
            "QUJD": b"ABC",
            "+/+/": b"\xfb\xff\xbf",
            "////": b"\xff\xff\xff",
            "QR==": b"A",
            "QUJ=": b"AB",
            "A" * MEGABYTE: b"\0" * (MEGABYTE // 4 * 3),
        },
    ),
]

REFUSED: list[tuple[Callable[[str], Any], list[str]]] = [
    (
        reference.to_int,
        [
            *NOT_NUMBERS, "1.0", "1e3", "9223372036854775808", "-9223372036854775809", "-" + "9" * 40, "9" * MEGABYTE,
            "0" * NUMBER_CHARS + "1",
        ],
    ),
    (
        reference.to_float,
        [*NOT_NUMBERS, ".", "1e400", "-1e400", "1e5.5", "0x1p3", "1d5", "1e+",
        "9" * 400, "9" * MEGABYTE, "1e" + "9" * 99],
    ),
    (_decimal, [*NOT_NUMBERS, ".", "+.", "1e2", "1..2", "0" * MEGABYTE]),
    (reference.to_bool, ["", "2", "00", "tru", "truee", "on", "off", "ja", "ﬀ", "İ", "\uff54", *ODD]),
    (_words, ["", "true", "false", "y", "jaa", "j", "no", "n\u0435in", *ODD]),
    (
        reference.to_uuid,
        [
            "", "0" * 31, "0" * 33, "g" * 32, "{01234567-89ab-cdef-0123-456789abcdef}",
            "012345678-9ab-cdef-0123-456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdef\n", "01234567-89abcdef-0123-456789abcdef", "0" * 31 + "\u0660",
            "urn:uuid:01234567-89ab-cdef-0123-456789abcdef", "01234567_89ab_cdef_0123_456789abcdef", *ODD,
        ],
    ),
    (
        reference.to_json_text,
        [
            "", " ", "{", "01", "+1", ".5", "5.", "1,2", "[1,]", "{a:1}", "{'a':1}", "NaN", "-Infinity", "1e400",
            "[1e999]",
            "'a'", '"\t"', '"\\ud800"', '"\\x"', "\ufeff1", "nul", "True", "// 1", "1\0", '"\ud800"', "\u0661",
            "1_000", "0x10",
            "[" * 65 + "]" * 65, "[" * MEGABYTE, '{"a":' * 65 + "1" + "}" * 65, "x" * MEGABYTE,
        ],
    ),
    (
        reference.to_bytes,
        [
            "A", "AA", "AAA", "AA=", "AAAA=", "AAAAA", "=", "==", "====", "A===", "AA=A", "AA==AAAA", "AA==\n",
            " AAAA", "AA AA",
            "AA\nAA", "-_-_", "AAA*", "\uff21AAA", "QUJD,", "AA==AA==", "QÜ==", "\0AAA", "A" * (MEGABYTE + 1),
            *NOT_BASE64,
        ],
    ),
]  # fmt: skip


def _name(part: Any) -> str:
    if isinstance(part, str):
        return ascii(part)[:40]
    return getattr(part, "__name__", "")


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [(convert, text, value) for convert, cases in ACCEPTED for text, value in cases.items()],
    ids=_name,
)
def test_accepts(convert: Callable[[str], Any], text: str, value: Any) -> None:
    """Each accepted text becomes the value that the contract's table gives it, of the same Python type and sign."""
    assert (convert(text), type(convert(text))) == (value, type(value))
    assert str(convert(text)) == str(value)


@pytest.mark.parametrize(
    ("convert", "text"), [(convert, text) for convert, cases in REFUSED for text in cases], ids=_name
)
def test_refuses(convert: Callable[[str], Any], text: str) -> None:
    """Each refused text is a type-error, soon, with a message that does not repeat the text."""
    started = process_time()
    with pytest.raises(CellFault) as caught:
        convert(text)
    assert caught.value.code == "type-error"
    assert len(caught.value.message) < 80
    assert process_time() - started < 60  # a million characters; quadratic work would take far longer


@pytest.mark.parametrize(
    ("text", "precision", "scale"),
    [
        ("1000", 5, 2),
        ("-1000", 5, 2),
        ("1000.0", 5, 2),
        ("0.001", 5, 2),
        ("1.000", 5, 2),
        (".000", 5, 2),
        ("1.0", 3, 0),
        ("1", 2, 2),
        ("1" + "0" * 38, 38, 0),
        ("0." + "0" * 39, 38, 38),
        ("9" * 60_000, 38, 10),
    ],
)
def test_a_decimal_that_does_not_fit(text: str, precision: int, scale: int) -> None:
    """Too many digits before or after the point, zeros at the end included, are a constraint-error, never rounded."""
    with pytest.raises(CellFault) as caught:
        reference.to_decimal(text, precision, scale)
    assert caught.value.code == "constraint-error"
    assert len(caught.value.message) < 80


@pytest.mark.parametrize(
    ("text", "precision", "scale", "value"),
    [
        ("9" * 38, 38, 0, "9" * 38),
        ("-" + "9" * 38, 38, 0, "-" + "9" * 38),
        ("0." + "9" * 38, 38, 38, "0." + "9" * 38),
        ("000.5", 1, 1, "0.5"),
        ("0", 2, 2, "0.00"),
        ("5.", 1, 0, "5"),
        ("1" + "0" * 27 + ".0000000001", 38, 10, "1" + "0" * 27 + ".0000000001"),
    ],
)
def test_a_decimal_at_its_limits(text: str, precision: int, scale: int, value: str) -> None:
    """All 38 digits come through exactly, with as many places as the type has."""
    assert f"{reference.to_decimal(text, precision, scale):f}" == value
