"""The C kernels of single cells say what the reference says, of hostile cells, in windows of columns with nulls."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import native, reference
from engine.core.columns import decode_column
from engine.core.native import isotimes, textcells
from engine.core.reference.times import iso_date
from engine.core.stepping.reference import base64
from tests.examples import examples

pytestmark = pytest.mark.skipif(native.kernels is None, reason="the C kernels are not built")

_ODD = "\0\x1f \t\n\r\x7f\u2028\u00e9\u0660\U0001f600"
_SPOILT = st.sampled_from([*_ODD, "0", "9", "-", "+", ":", ".", "T", "Z", "=", "A", "/", "_", "g", "", "00"])


def spoilt(cells: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Right ones; ones with a character too many, too few or another; and ones that were cut off."""

    def spoil(cell: str, place: int, there: str, taken: int) -> str:
        place %= len(cell) + 1
        return cell[:place] + there + cell[place + taken :]

    near = st.builds(spoil, cells, st.integers(0, 40), _SPOILT, st.integers(0, 2))
    return st.one_of(cells, near, near, st.builds(lambda cell, end: cell[:end], cells, st.integers(0, 40)))


def window(cells: list[str | bytes], valid: list[bool], type_: pa.DataType) -> pa.Array:
    """The cells between others, with texts beneath the nulls."""
    full = pa.array([b"2026-11-22", *(cell.encode() if isinstance(cell, str) else cell for cell in cells), b"\xff"])
    mask = pa.array([True, *valid, True]).buffers()[1]
    return pa.Array.from_buffers(type_, len(full), [mask, *full.buffers()[1:]]).slice(1, len(cells))


def check(kernel: Callable[[pa.Array], pa.Array], convert: Callable[[Any], Any], column: pa.Array) -> None:
    """A kernel's value of every cell is the reference's, null for a null and for what that refuses."""
    found = kernel(column)
    found.validate(full=True)
    expected: list[Any] = []
    for cell in column.to_pylist():
        try:
            expected.append(None if cell is None else convert(cell))
        except reference.CellFault:
            expected.append(None)
    assert found.to_pylist() == pa.array(expected, found.type).to_pylist()


_PAIR = st.integers(0, 99).map("{:02}".format)
_DATES = st.one_of(st.dates().map(str), st.builds("{}{}-{}-{}".format, _PAIR, _PAIR, _PAIR, _PAIR))
_CLOCK = st.one_of(st.times().map(str), st.builds("{}:{}:{}".format, _PAIR, _PAIR, _PAIR), _PAIR.map("12:{}".format))
_ZONES = st.one_of(
    st.sampled_from(["", "Z", "+00", "-00:00", "+23:59", "-2359", "+24", "+0060", "+1", "+01:", "z", " Z", "+01:0"]),
    st.builds(
        "{}{}{}{}".format, st.sampled_from("+-"), _PAIR, st.sampled_from(["", ":"]), st.one_of(st.just(""), _PAIR)
    ),
)
_DIGITS = st.one_of(st.just(""), st.text("0123456789", max_size=12).map(".{}".format))
_MOMENTS = st.builds("{}{}{}{}{}".format, _DATES, st.sampled_from("T T "), _CLOCK, _DIGITS, _ZONES)
_EDGES = st.sampled_from(
    [
        "0001-01-01T00:00+00:01", "0001-01-01T00:01+00:01", "9999-12-31T23:59:59.9999999-00:00",
        "9999-12-31T23:59-00:01", "0000-12-31T23:59:59-00:01", "2000-02-29", "1900-02-29",
    ]
)  # fmt: skip
_HEX = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)
_UUIDS = st.one_of(_HEX, st.uuids().map(str), st.uuids().map(lambda each: str(each).upper()))
_BASE64 = st.one_of(
    st.binary(max_size=40).map(lambda octets: b64encode(octets).decode()),
    st.binary(max_size=40).map(lambda octets: b64encode(octets, b"-_").decode()),
    st.text("AQz09+/-_=", max_size=12),
)


def _micros(text: str) -> Any:
    return pa.scalar(reference.to_timestamp(text), pa.timestamp("us", "UTC")).value


def _days(text: str) -> Any:
    return pa.scalar(reference.to_date(text, (iso_date,)), pa.date32()).value


_KERNELS: dict[str, tuple[Callable[[pa.Array], pa.Array], Callable[[Any], Any], st.SearchStrategy[str]]] = {
    "timestamps": (lambda c: isotimes.timestamps(c, local=False)[0], _micros, st.one_of(_MOMENTS, _DATES, _EDGES)),
    "dates": (isotimes.dates, _days, st.one_of(_DATES, _EDGES)),
    "uuids": (textcells.read_uuids, reference.to_uuid, _UUIDS),
    "base64": (lambda c: textcells.decode_base64(c, urlsafe=False), reference.to_bytes, _BASE64),
    "urlsafe": (lambda c: textcells.decode_base64(c, urlsafe=True), lambda t: base64(t, urlsafe=True), _BASE64),
}


@pytest.mark.parametrize("name", _KERNELS)
@settings(max_examples=examples(1000))
@given(data=st.data())
def test_hostile_cells(name: str, data: st.DataObject) -> None:
    """Near misses of every kind: a kernel is never more generous than the reference, nor less."""
    kernel, convert, cells = _KERNELS[name]
    texts = data.draw(st.lists(st.one_of(spoilt(cells), st.text(max_size=4)), max_size=12))
    valid = data.draw(st.lists(st.sampled_from([True, True, True, False]), min_size=len(texts), max_size=len(texts)))
    check(kernel, convert, window([*texts], valid, pa.string()))


@settings(max_examples=examples(500))
@given(cells=st.lists(st.tuples(spoilt(st.one_of(_MOMENTS, _DATES)), st.booleans()), max_size=12))
def test_local_times_are_marked(cells: list[tuple[str, bool]]) -> None:
    """Where no offset stood, the value is local time as written and the cell is marked; no other is."""
    column = window([text for text, _ in cells], [valid for _, valid in cells], pa.string())
    values, naive = isotimes.timestamps(column, local=True)
    marks = [False] * len(cells) if naive is None else naive.to_pylist()
    assert values.to_pylist() == isotimes.timestamps(column, local=False)[0].to_pylist()
    for (text, valid), value, marked in zip(cells, values.to_pylist(), marks, strict=True):
        offset = valid and value is not None and reference.compile_format("iso8601")(text)[1]
        assert marked == (offset is None)


_PIECES = [
    b"\xc3", b"\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90", b"\xc0", b"\x80",
    b"\xe0\x9f\x80", b"\xf0\x8f\xbf\xbf", b"\xf5", b"abcdefgh", b"a", b"\0",
]  # fmt: skip
_OCTETS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=6).map(str.encode),
    st.lists(st.sampled_from(_PIECES), max_size=6).map(b"".join),
)


@settings(max_examples=examples(1000))
@given(cells=st.lists(st.tuples(_OCTETS, st.booleans()), max_size=12))
def test_utf8(cells: list[tuple[bytes, bool]]) -> None:
    """Bytes are text where Python decodes them, cell by cell."""
    column = window([octets for octets, _ in cells], [valid for _, valid in cells], pa.binary())
    converted = decode_column(column)
    expected = [octets.decode(errors="replace") if valid else None for octets, valid in cells]
    bad = [row for row, (octets, valid) in enumerate(cells) if valid and not _is_utf8(octets)]
    assert [fault.row for fault in converted.faults] == bad
    assert converted.values.to_pylist() == [None if row in bad else text for row, text in enumerate(expected)]


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_every_day() -> None:
    """Every day of the years 1 to 9999 is read as the date that it is, and days that no month has are none."""
    days = pa.array(range(-719_162, 2_932_897), pa.int32())
    texts = days.view(pa.date32()).cast(pa.string())
    assert isotimes.dates(texts).cast(pa.int32()).equals(days)
    every = [f"{year:04}-{month:02}-{day:02}" for year in (0, 1, 1900, 2000, 2023, 2024, 2100)
             for month in range(14) for day in range(33)]  # fmt: skip
    check(isotimes.dates, _days, pa.array(every))
