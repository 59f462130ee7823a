"""Hypothesis strategies for cells: of the common shape of a type, nearly right, and wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import datetime
from functools import partial

from hypothesis import strategies as st

__all__ = ["BASE64", "JSON", "OCTETS", "TOGETHER_VALID_JSON", "compact", "of_type"]

TOGETHER_VALID_JSON = [
    ["1,[2", "3]"],
    ["1],[2", "[[3", "4]]"],
    ['"a', 'b"'],
    ["1", "2,3", "4"],
    ["[", "]"],
    ["{", '"a":1}'],
    ["1", "", "2"],
    ['{"a":1},{"a":2}', "3"],
    ["/*", "*/"],
]
"""Columns of cells that only together look like JSON; each has at least one that is none."""

_DIGITS = st.text("0123456789", min_size=1, max_size=22)
_TWO = st.integers(0, 70).map("{:02}".format)
_FEW = st.text("0123456789", min_size=1, max_size=2)
_HEX = st.text("0123456789abcdefABCDEF-", min_size=30, max_size=38)
_NUMBERS = ["1", "-0", "1.50", "0.1", "1e5", "-1E+3", "1e-7", "12345678901234567890123", "1e400", "-1E+999", "1e-999"]
_SCALARS = [
    *_NUMBERS,
    "true",
    "null",
    '""',
    '"a,b"',
    '"\\u00e9\\n"',
    '"]"',
    '"1e400"',
    '"Infinity"',
    '"\\u0000"',
    "9" * 250,
]
_NO_JSON = ["01", "NaN", "", "nul", '"', "9" * 400, '"\\ud800"', "1.", "'a'", '"\t"']
_DOCUMENT = st.recursive(
    st.sampled_from(_SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]"),
        st.lists(st.tuples(st.sampled_from(["a", "b", "\u00e9"]), inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f'"{name}" :{value}' for name, value in pairs) + "}"
        ),
    ),
    max_leaves=6,
)
JSON = st.one_of(
    _DOCUMENT,
    st.recursive(
        st.sampled_from([*_SCALARS, *_NO_JSON]),
        lambda inner: st.builds(
            "{}{}{}".format,
            st.sampled_from(["[", "{", '{"a":', '{"a":1,"b":', "[1,", "", "[["]),
            st.lists(inner, max_size=3).map(",".join),
            st.sampled_from(["]", "}", ",2]", "", "]]", " ]", ',"a":"x"}']),
        ),
        max_leaves=6,
    ),
)
OCTETS = st.binary(max_size=12)
BASE64 = st.one_of(OCTETS.map(lambda raw: b64encode(raw).decode()), st.text("AQgw+/=-_ \n", max_size=9))
_DECIMAL = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-", "+", "+-", " "]),
    st.one_of(st.just(""), st.text("0123456789", max_size=3), st.text("0123456789", max_size=40)),
    st.sampled_from(["", ".", ".."]),
    st.one_of(st.just(""), st.text("0123456789", max_size=3), st.text("0123456789", max_size=40), st.just("e3")),
)
_YEAR = st.one_of(st.integers(0, 9999), st.sampled_from([1, 1900, 1999, 2000, 2024, 2026, 2100, 9999])).map(
    "{:04}".format
)
# Local times near changes of zones, as well as any.
_MOMENT = st.one_of(
    st.datetimes(),
    st.builds(
        "2026-{}T{:02}:{:02}:00".format,
        st.sampled_from(["03-29", "10-25", "03-08", "11-01", "04-05", "10-04"]),
        st.integers(0, 4),
        st.integers(0, 59),
    ).map(datetime.fromisoformat),
)
_ISO = st.one_of(
    _MOMENT.map(lambda at: at.isoformat(sep="T")),
    _MOMENT.map(lambda at: at.isoformat(sep=" ", timespec="minutes")),
    st.builds(
        "{}-{}-{}{}{}:{}{}{}{}".format,
        _YEAR,
        _TWO,
        _TWO,
        st.sampled_from(["T", " ", "t"]),
        _TWO,
        _TWO,
        st.sampled_from(["", ":00", ":59", ":60"]),
        st.sampled_from(["", ".1", ".123456", ".1234567", ".123456789", "."]),
        st.sampled_from(["", "Z", "+01:00", "-0130", "+23", "+24:00", "z", " Z"]),
    ),
    st.builds("{}-{}-{}".format, _YEAR, _TWO, _TWO),
    st.sampled_from(
        ["2026-11-22T10", "2026-11-22T10Z", "2024-02-29T00:00", "1900-02-29", "0001-01-01T00:00:00+01:00",
         "0000-12-31T23:30:00-01:00", "9999-12-31T23:59:59-00:01", "2026-11-22T10:11:12.1.1234567Z"]
    ),
)  # fmt: skip
_EPOCH = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(
        ["253402300799", "253402300800", "-62135596800", "-62135596801", "253402300799999", "-62135596800001", "+5",
         "1e3", "99999999999999999999", "0" * 25 + "7", "-" + "0" * 25 + "7", "1.5", "+-5", "-+5"]
    ),
)  # fmt: skip


def _render(at: datetime, form: str) -> str:
    """``strftime`` with four digits of year on every platform."""
    return str(at.strftime(form.replace("%Y", f"{at.year:04}")))


_WRITTEN = st.one_of(
    *(
        _MOMENT.map(partial(_render, form=form))
        for form in (
            "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y", "%m/%d/%Y", "%Y%j", "%Y%m%dT%H%M%S.%f",
            "%d%m%Y%H%M%S",
            "%d.%m.%y %HH", "%Y-%m-%dT%H:%M:%S.%f+0530", "%Y-%m-%dT%H:%M:%S-01:00", "%Y-%m-%d %H:%M Z",
        )
    ),
    st.builds("{}/{}/{} {}:{}".format, _FEW, _FEW, _YEAR, _FEW, _FEW),
    st.builds("{}/{}/{} {}:{}:{} {}".format, _FEW, _FEW, _YEAR, _FEW, _FEW, _FEW, st.sampled_from(["AM", "pm", "Pm",
    "XM"])),
    st.builds("{}/{}/{}".format, _FEW, _FEW, _YEAR),
    st.builds("{}{}".format, _YEAR, st.integers(0, 400)),
    st.builds("{}.{}.{} {}{}".format, _FEW, _FEW, _FEW, _FEW, st.sampled_from("hHx")),
    st.text("0123", min_size=6, max_size=14),
    st.builds("{}-{}-{}T{}:{}:{}{}".format, _YEAR, _FEW, _FEW, _FEW, _FEW, _FEW,
              st.sampled_from(["Z", ".5Z", "+0530", ".123456+05:30", "+24:00", "+05", "-0060", "z", ".1234567Z"])),
)  # fmt: skip


_TIMES = st.one_of(_ISO, _ISO, _EPOCH, _WRITTEN, _WRITTEN)
# Cells of the common shape, cells that are nearly right, and any text at all.
CELLS: dict[str, st.SearchStrategy[str]] = {
    "string": st.text(),
    "int": st.builds("{}{}".format, st.sampled_from(["", "-", "+", "0x", " ", "+-", "-+"]), _DIGITS),
    "float": st.one_of(
        st.floats().map(repr),
        st.builds(
            "{}{}.{}{}".format, st.sampled_from(["", "-", "+"]), _DIGITS, _DIGITS, st.sampled_from(["", "e5", "E-9"])
        ),
        st.text("0123456789.-+eE", max_size=8),
        st.sampled_from(["nan", "inf", "1e400", "1e308", "9" * 400, "0x10", "1_0", "5.", ".5", "."]),
    ),
    "decimal": _DECIMAL,
    "bool": st.sampled_from([
        "true", "t", "yes", "y", "1", "false", "f", "no", "n", "0", "TRUE", "No", "", "tru", "2", "\u017f", "JA", "ДА",
        "Да", "i\u0307", "\u0130", "o\u212a", "Nein", "WAHR", "N",
    ]),
    "uuid": st.one_of(
        st.uuids().map(str), st.uuids().map(lambda u: u.hex), st.uuids().map(lambda u: str(u).upper()), _HEX
    ),
    "json": JSON,
    "bytes": BASE64,
    "date": _TIMES,
    "timestamp": _TIMES,
}  # fmt: skip


def of_type(name: str) -> st.SearchStrategy[str]:
    """Cells for a type, by its name in a mapping; formats and words of all kinds are among them."""
    return CELLS[name.partition("(")[0]]


def compact(value: object) -> str:
    """JSON without spaces, letters beyond ASCII kept."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
