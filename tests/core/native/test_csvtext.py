"""The C kernels of CSV make of a text what Arrow's parser and numpy make of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import native
from engine.core.dialect import Dialect
from engine.core.framing import Frame, frame
from engine.core.native.csvtext import row_places
from engine.core.parsing import Parsed, Shape, parse_records
from engine.core.rows import RowIndex
from engine.core.utf8 import with_filler
from tests.examples import examples

pytestmark = pytest.mark.skipif(native.kernels is None, reason="the C kernels are not built")

_CELLS = st.text(st.sampled_from('ab"",;\n\r\0é大\U0001f600 '), max_size=9)

_OCTETS = [b"a", b"\n", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\x80", b"\xff", b"z" * 9]


def spelled(cell: str, delimiter: str, quote: bool) -> str:
    """A cell as strict CSV has it, in quotes where it must be, or because somebody likes them."""
    if quote or any(mark in cell for mark in (delimiter, '"', "\n", "\r")):
        return f'"{cell.replace('"', '""')}"'
    return cell


@st.composite
def texts(draw: st.DrawFn, delimiter: str) -> bytes:
    """Rows of mostly three cells, some more and some fewer, and blank lines; long ones now and then."""
    lines = []
    for _ in range(draw(st.integers(0, 12))):
        width = draw(st.sampled_from([3, 3, 3, 3, 1, 2, 4]))
        cells = [spelled(draw(_CELLS), delimiter, draw(st.booleans())) for _ in range(width)]
        lines.append(delimiter.join(cells) + draw(st.sampled_from(["\n", "\n", "\r\n", "\n\n", "\r"])))
    return "".join(line * draw(st.sampled_from([1, 1, 1, 30])) for line in lines).encode()


def framed(data: bytes, delimiter: str) -> Frame:
    whole = frame(data, Dialect(delimiter), 2**24, final=True)
    assert whole.proven
    return whole


def seen(parsed: Parsed) -> dict[str, Any]:
    columns = {place: column.to_pylist() for place, column in parsed.columns.items()}
    return {"height": parsed.height, "columns": columns, "aside": parsed.aside}


@settings(max_examples=examples(3000), deadline=None)
@given(st.data(), st.sampled_from(",;"), st.sampled_from([("",), (), ("a", "ab", "")]))
def test_columns(data: st.DataObject, delimiter: str, nulls: tuple[str, ...]) -> None:
    """Cells, nulls, and rows of another width with their ordinals."""
    whole = framed(data.draw(texts(delimiter)), delimiter)
    wanted = data.draw(st.lists(st.integers(0, 2), unique=True, min_size=1, max_size=3))
    shape, dialect = Shape(3, sorted(wanted), nulls), Dialect(delimiter)
    if not whole.data.strip(b"\r\n"):
        return
    by_kernel = parse_records(whole.data, dialect, shape, 3, lines=whole.lines)
    for column in by_kernel.columns.values():
        column.validate(full=True)
    assert seen(by_kernel) == seen(parse_records(whole.data, dialect, shape, 3))


@settings(max_examples=examples(3000), deadline=None)
@given(texts(","))
def test_places_of_rows(data: bytes) -> None:
    """Where each row begins and ends and on which line, as the index made of all quotes has it."""
    whole = framed(data, ",")
    if not whole.data.strip(b"\r\n"):
        return
    starts, ends = whole.spans()
    places = row_places(whole.data, len(starts), ord('"'))
    assert places is not None
    assert [each.tolist() for each in places[:2]] == [starts.tolist(), ends.tolist()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "kernels", None)
        slow = RowIndex(whole, len(starts)).sources(range(len(starts)))
    fast = RowIndex(whole, len(starts))
    assert fast.sources(range(len(starts))) == slow
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        assert fast.ordinal_at(start) == fast.ordinal_at(end - 1) == row


@settings(max_examples=examples(5000), deadline=None)
@given(st.lists(st.sampled_from(_OCTETS)).map(b"".join))
def test_what_is_not_utf8(data: bytes) -> None:
    """The same bytes are blamed and filled as Python's codec refuses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "kernels", None)
        slow = with_filler(data, b"?")
    assert with_filler(data, b"?") == slow
