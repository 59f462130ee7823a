"""The reference converters define the mapping language's types; these tables are the contract's words as cases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.core import reference
from engine.core.reference import CellFault

ACCEPTED: list[tuple[Callable[[str], Any], dict[str, Any]]] = [
    (
        reference.to_int,
        {
            "0": 0,
            "-0": 0,
            "+7": 7,
            "007": 7,
            "-12": -12,
            "9223372036854775807": 2**63 - 1,
            "-9223372036854775808": -(2**63),
            "0" * 5000 + "5": 5,
        },
    ),
    (
        reference.to_float,
        {"5": 5.0, "+.5": 0.5, "5.": 5.0, "-0.0": -0.0, "1e5": 1e5, "1E-400": 0.0, "5e-324": 5e-324, "0.1": 0.1},
    ),
    (
        reference.to_bool,
        {
            "true": True,
            "T": True,
            "YES": True,
            "y": True,
            "1": True,
            "False": False,
            "f": False,
            "no": False,
            "0": False,
        },
    ),
    (
        reference.to_timestamp,
        {
            "2026-11-22": datetime(2026, 11, 22, tzinfo=UTC),
            "2026-11-22T10:11": datetime(2026, 11, 22, 10, 11, tzinfo=UTC),
            "2026-11-22 10:11:12.5": datetime(2026, 11, 22, 10, 11, 12, 500_000, tzinfo=UTC),
            "2026-11-22T10:11:12.1234567Z": datetime(2026, 11, 22, 10, 11, 12, 123_456, tzinfo=UTC),
            "2026-11-22T00:30+01": datetime(2026, 11, 21, 23, 30, tzinfo=UTC),
            "2026-11-22T00:30-0130": datetime(2026, 11, 22, 2, 0, tzinfo=UTC),
            "2024-02-29T00:00:00+00:00": datetime(2024, 2, 29, tzinfo=UTC),
            "0001-01-01": datetime(1, 1, 1, tzinfo=UTC),
        },
    ),
    (
        reference.to_uuid,
        {
            "0123456789ABCDEF0123456789abcdef": "01234567-89ab-cdef-0123-456789abcdef",
            "01234567-89AB-cdef-0123-456789abcdef": "01234567-89ab-cdef-0123-456789abcdef",
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
            "123456789012345678901234567890": "123456789012345678901234567890",
            "[" * 64 + "]" * 64: "[" * 64 + "]" * 64,
            '"' + "[" * 200 + '"': '"' + "[" * 200 + '"',
        },
    ),
]

REFUSED: list[tuple[Callable[[str], Any], list[str]]] = [
    (
        reference.to_int,
        [
            "",
            "-",
            "+-1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x10",
            "1_000",
            "\u0663",
            "\uff19",
            "9223372036854775808",
            "-" + "9" * 40,
            "1\0",
        ],
    ),
    (
        reference.to_float,
        [
            "",
            ".",
            "-",
            "e5",
            "1e",
            "1e400",
            "nan",
            "inf",
            "-Infinity",
            "0x1p3",
            "1_0",
            " 1",
            "1,5",
            "\u0663.\u0665",
            "1.2.3",
        ],
    ),
    (reference.to_bool, ["", "2", "tru", "on", " true", "ja", "ﬀ", "İ"]),
    (
        reference.to_timestamp,
        [
            "",
            "2026-11-22T",
            "2026-11-22T10",
            "2026-11-22T10:60",
            "2026-11-22T24:00",
            "2026-11-22T10:11:60",
            "2025-02-29",
            "2026-13-01",
            "0000-01-01",
            "26-11-22",
            "2026-11-22Z",
            "2026-11-22T10:11:12.",
            "2026-11-22t10:11:12z",
            "2026-11-22T10:11:12+24:00",
            "2026-11-22T10:11:12+01:60",
            "0001-01-01T00:00+01:00",
            "9999-12-31T23:59-01:00",
            "2026-11-22T10:11:12 Z",
            "\uff12026-11-22",
        ],
    ),
    (
        reference.to_uuid,
        [
            "",
            "0" * 31,
            "0" * 33,
            "g" * 32,
            "{01234567-89ab-cdef-0123-456789abcdef}",
            "012345678-9ab-cdef-0123-456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdef\n",
        ],
    ),
    (
        reference.to_json_text,
        [
            "",
            " ",
            "{",
            "01",
            "1,2",
            "[1,]",
            "NaN",
            "-Infinity",
            "1e400",
            "[1e999]",
            "'a'",
            '"\t"',
            '"\\ud800"',
            "\ufeff1",
            "nul",
            "[" * 65 + "]" * 65,
            "[" * 100_000,
            '{"a":' * 65 + "1" + "}" * 65,
        ],
    ),
]


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [(convert, text, value) for convert, cases in ACCEPTED for text, value in cases.items()],
    ids=lambda part: repr(part)[:40] if isinstance(part, str) else getattr(part, "__name__", ""),
)
def test_accepts(convert: Callable[[str], Any], text: str, value: Any) -> None:
    """Each accepted text becomes the value that the contract's table gives it, of the same Python type."""
    assert (convert(text), type(convert(text))) == (value, type(value))


@pytest.mark.parametrize(
    ("convert", "text"),
    [(convert, text) for convert, cases in REFUSED for text in cases],
    ids=lambda part: repr(part)[:40] if isinstance(part, str) else getattr(part, "__name__", ""),
)
def test_refuses(convert: Callable[[str], Any], text: str) -> None:
    """Each refused text is a type-error, with a message that does not repeat the text."""
    with pytest.raises(CellFault) as caught:
        convert(text)
    assert caught.value.code == "type-error"
    assert len(caught.value.message) < 80
