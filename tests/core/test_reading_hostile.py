"""Files that are hard to read: quotes never closed, bare quotes in odd places, rows over the limit, and their cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import thread_time
from typing import Any

import pyarrow as pa
import pytest

from engine.core.limits import Limits
from engine.core.mapping import CsvDialect
from engine.core.reader import CsvReader, Placed
from tests.core.passing import pass_through
from tests.core.reading import ROW_BYTES, read, reference
from tests.examples import at_least
from tests.oracle import Reject, expect, read_rejects

pytestmark = pytest.mark.one_build("free-threaded")


@dataclass(slots=True)
class Drained:
    """What a large file gave: the first column, the rows aside, and of each how much of the file had been read."""

    first: list[pa.Array] = field(default_factory=list)
    aside: list[tuple[int, str]] = field(default_factory=list)
    told_at: list[int] = field(default_factory=list)
    rows: int = 0

    @property
    def outcomes(self) -> Counter[str]:
        """How many rows are good, and how many bad by their code."""
        counts = Counter(code for _, code in self.aside)
        return counts + Counter({"good": self.rows - counts.total()})


def drain(data: bytes, *, piece: int = 1 << 20, chunk_bytes: int = 1 << 20, row_bytes: int = ROW_BYTES,
          **dialect: Any) -> Drained:  # fmt: skip
    """Reads a large file, making no Python object of a row that is good."""
    rules = CsvDialect(**dialect)
    reader = CsvReader(
        rules.dialect, header=rules.header, bind=lambda labels: range(len(labels)), null_values=[],
        limits=Limits(row_bytes=row_bytes), chunk_bytes=chunk_bytes,
    )  # fmt: skip

    def chunks() -> Iterator[tuple[int, Placed]]:
        for start in range(0, len(data), piece):
            for placed in reader.feed(data[start : start + piece]):
                yield start + piece, placed
        for placed in reader.finish():
            yield len(data), placed

    found = Drained()
    for fed, placed in chunks():
        found.first.append(placed.chunk.columns[0])
        found.aside += [(placed.first_row + row.ordinal, row.code) for row in placed.chunk.aside]
        found.told_at += [fed] * len(placed.chunk.aside)
        found.rows += placed.chunk.rows
    return found


@pytest.mark.parametrize("row_bytes", [65_536, ROW_BYTES])
@pytest.mark.parametrize("newlines", [False, True], ids=["plain", "quoted newlines"])
def test_quote_never_closed_costs_its_row(row_bytes: int, *, newlines: bool) -> None:
    """An unclosed quote in row 1 of a large file: that row alone is lost, and known after ``row_bytes`` of it."""
    rows = at_least(200_000)
    usual = '{},"x\ny"\n' if newlines else "{},x\n"
    data = b'a,b\n1,"open\n' + "".join([usual.format(row) for row in range(2, rows + 1)]).encode()
    if newlines:  # the next quote closes it: text follows, and the row is refused there
        data = data.replace(b'"x\n', b'"x""\n')
    found = drain(data, piece=4096, chunk_bytes=16_384, row_bytes=row_bytes)
    assert (found.rows, found.aside) == (rows, [(1, "quote-error")])
    assert found.told_at[0] <= row_bytes + 3 * 16_384
    assert pa.chunked_array(found.first).equals(pa.chunked_array([pa.array(map(str, range(2, rows + 1)))]))


BARE = b'1,5" x,"a\nb",6" y\n'


@pytest.mark.parametrize("chunk_bytes", range(1, 60))
def test_bare_quotes_in_both_lines_of_a_record(chunk_bytes: int) -> None:
    """Bare quotes before and after a quoted newline, an odd and an even number of them, wherever a chunk ends."""
    data = BARE * 2 + b'2,"c\nd"\n' + BARE + b'3" ",x\n' + BARE + b'"",""\n"\n' + BARE
    assert read(data, chunk_bytes=chunk_bytes, header=["a", "b", "c", "d"]) == reference(
        data, header=["a", "b", "c", "d"]
    )


PATTERNS: list[tuple[bytes, dict[str, Any]]] = [
    *((line, {}) for line in (
        b'x","y\n', b'a",x"y,"\n', b'"\n',
        b'"a\n', b'""a\n', b'"a""\n', b'a"b\n', b'",\n', b'"a",b"c\n', b'"a\r', b'a"\r\n', b'a,"b\n\n',
        b'"\n\n\n', b'"\n"a\n', b"\xff\n", b'"\xff\n',
    )),
    *((line, {"escape": "\\"}) for line in (b'\\"\n', b'"\\\n', b'"\\"\n', b'"\\""\n', b"\\\n\n")),
    (b"a\\\n\n", {"escape": "\\", "quote": None}),
    (b'"a\n', {"quote": None}),
]  # fmt: skip
NAMES = [repr(line)[1:] for line, _ in PATTERNS]


@pytest.mark.slow
@pytest.mark.parametrize("row_bytes", [64, ROW_BYTES])
@pytest.mark.parametrize(("line", "dialect"), PATTERNS, ids=NAMES)
def test_takes_linear_time(line: bytes, dialect: dict[str, Any], row_bytes: int) -> None:
    """Many lines give what few do, times as many; eight times the lines take eight times the time, never 64 times."""
    section = dialect | {"header": ["a"]}
    few, more = (_codes(reference(line * times, row_bytes=row_bytes, **section).outcomes) for times in (100, 200))

    def cost(times: int) -> float:
        data, before = line * times, thread_time()
        found = drain(data, row_bytes=row_bytes, **section)
        after = thread_time()
        assert found.outcomes == Counter(
            {code: few[code] + (more[code] - few[code]) * (times - 100) // 100 for code in more}
        )
        return after - before

    cost(100)  # what is made once is made
    times = 1000
    while (few_cost := cost(times)) < 0.004:  # too short to be told from a bad moment
        times *= 2
    few_cost = min(few_cost, cost(times))
    # Eight times, and what fresh memory and garbage collections cost: far from the 64 times of quadratic work.
    assert any(cost(8 * times) < 32 * few_cost for _ in range(4))


def _codes(outcomes: Iterable[list[str | None] | str]) -> Counter[str]:
    return Counter(outcome if isinstance(outcome, str) else "good" for outcome in outcomes)


def test_one_endless_line_takes_linear_time() -> None:
    """A line of 64 MB in small pieces is set aside without being held, or looked at again and again."""
    data = b"a,b\n1,2\n" + b"x" * 64_000_000 + b"\n3,4\n"
    found = drain(data, piece=16_384, chunk_bytes=16_384, row_bytes=100_000)
    assert (found.rows, found.aside) == (3, [(2, "too-long")])
    assert pa.chunked_array(found.first).to_pylist() == ["1", "3"]


LONG = {
    "plain": b"1," + b"x" * 200_000,
    "quoted": b'1,"' + b'x""' * 70_000 + b'"',
    "open": b'1,"' + b'x""' * 70_000,
    "multi-byte": "1,x{}".format("é" * 100_000).encode(),
    "commas": b"," * 200_000,
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("chunk_bytes", [1, 10_000, 1 << 20])
def test_rows_over_the_limit(name: str, chunk_bytes: int) -> None:
    """A row over the limit is set aside with its beginning and its length, whatever the chunks; the next is read."""
    data = b"a,b\n0,0\n" + LONG[name] + b"\n2,y\r\n" + LONG[name] + b"\r\n3,z\n" + LONG[name]
    mapping: dict[str, Any] = {"fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}]}
    expected = expect(data, mapping, row_bytes=100_000)
    pieces = range(7000, len(data), 7000)
    passed = pass_through(data, mapping, pieces, chunk_bytes=chunk_bytes, limits=Limits(row_bytes=100_000))
    assert passed.rows == expected.rows == [{"a": 0, "b": "0"}, {"a": 2, "b": "y"}, {"a": 3, "b": "z"}]
    assert [_brief(reject) for reject in read_rejects(passed.rejected)] == [
        _brief(reject) for reject in expected.rejects
    ]
    assert [reject.line for reject in expected.rejects] == [3, 5, 7]


def _brief(reject: Reject) -> tuple[Any, ...]:
    """With a digest of a text that may be long, so that pytest does not compare every character of it."""
    return reject.row, reject.line, reject.errors, reject.raw_bytes, len(reject.raw), hash(reject.raw)


def test_rows_just_within_the_limit() -> None:
    """The limit counts the whole record with its line end; a record that is just as long is read."""
    for end in (b"\n", b"\r\n", b"\r", b""):
        record = b'1,"' + b"x\n" * 500 + b'"' + end
        for limit, outcome in ((len(record), "good"), (len(record) - 1, "quote-error")):
            found = drain(b"a,b\n" + record, chunk_bytes=100, piece=100, row_bytes=limit)
            assert (found.outcomes[outcome] > 0) is True
