"""A file read in ranges becomes what it becomes as a whole, whatever is guessed, and leaves nothing when it fails."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.core.limits import Limits
from engine.errors import EngineError, MemoryExceeded, SourceChanged, TransientError, WorkerDied
from engine.longrows import LongRows, Room
from engine.ranges import RangeJob
from engine.split import spans
from tests.batches import Call, nothing
from tests.core.mappings import Case, cases
from tests.core.parts import rows_of
from tests.core.reading import spelled
from tests.core.test_boundary import TOKENS
from tests.examples import examples
from tests.splitting import Outcome, Site, small_ranges

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture(autouse=True, scope="module")
def ranges_are_small() -> Iterator[None]:
    yield from small_ranges()


async def both(data: bytes, split_bytes: int, site: Site, **rules: Any) -> tuple[Outcome, Outcome]:
    """What becomes of a file as a whole, and in ranges."""
    return await Site().outcome(data, 0, **rules), await site.outcome(data, split_bytes, **rules)


SECTIONS: list[dict[str, Any]] = [{}, {"escape": "\\"}, {"quote": None}, {"blank_rows": "error"}, {"skip_lines": 2}]
SECTIONS += [{"encoding": "latin-1"}, {"header": ["id", "name"]}]


@settings(max_examples=examples(3000), deadline=None)
@given(
    drawn=st.binary(max_size=300),
    split_bytes=st.integers(5, 200),
    section=st.sampled_from(SECTIONS),
    output=st.sampled_from(["jsonl", "csv"]),
    row_bytes=st.sampled_from([9, 40, 1 << 24]),
    sizes=st.tuples(st.integers(1, 50), st.integers(1, 60), st.integers(0, 60)),
    policy=st.sampled_from([{}, {}, {"on_error": "fail_file"}, {"budget": {"rows": 3}}, {"budget": {"ratio": 0.6}}]),
)
def test_ranges_give_what_the_whole_gives(
    drawn: bytes,
    split_bytes: int,
    section: dict[str, Any],
    output: str,
    row_bytes: int,
    sizes: tuple[int, int, int],
    policy: dict[str, Any],
) -> None:
    """Of any text, in ranges, pieces and parts of any size: the same data, rejects, counts or error to the byte."""
    data = b"" if "header" in section else b"id,name\n" * (section.get("skip_lines", 0) + 1)
    data += spelled(drawn, [*TOKENS, b"12,", b"\n7,x\n"])
    read_bytes, part_bytes, least_bytes = sizes
    site = Site(read_bytes=read_bytes, part_bytes=part_bytes, least_bytes=min(least_bytes, part_bytes))
    rules = {"csv": section, "output": {"format": output}, "limits": Limits(row_bytes=row_bytes), **policy}
    whole, split = asyncio.run(both(data, split_bytes, site, **rules))
    if "rows" in policy.get("budget", {}) and whole.error is not None:
        assert split.error is not None  # how many rows were rejected by then depends on the pieces it was read in
        assert split.error.code == whole.error.code
    else:
        assert split.said == whole.said


@settings(max_examples=examples(400), deadline=None)
@given(case=cases(), split_bytes=st.integers(5, 100))
def test_any_mapping(case: Case, split_bytes: int) -> None:
    """Whatever the mapping and its output: text is the same, rows of Parquet are, in their order."""
    rules = {name: value for name, value in case.mapping.items() if name not in ("version", "id")}
    assume("rows" not in rules.get("budget", {}))
    whole, split = asyncio.run(both(case.data, split_bytes, Site(), **rules))
    if rules["output"]["format"] != "parquet" or whole.error is not None:
        assert split.said == whole.said
        return
    assert rows_of(split.data).equals(rows_of(whole.data))
    assert split.said[1:] == whole.said[1:]


def people(rows: int, bad: int = 7) -> bytes:
    """So many rows; of ``bad`` one is."""
    return b"id,name\n" + b"".join(b"%d,n%d\n" % (row, row) if row % bad else b"x,bad\n" for row in range(rows))


@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
@pytest.mark.parametrize(("compression", "unpack"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
async def test_compressed_text(compression: str, unpack: Callable[[bytes], bytes], format_name: str) -> None:
    """Each range is a member of its own, which readers take for one text: that of the whole."""
    whole, split = await both(people(99), 80, Site(), output={"format": format_name, "compression": compression})
    assert split.data != whole.data
    assert unpack(split.data[0]) == unpack(whole.data[0])


async def test_parquet_is_numbered() -> None:
    """Each range becomes an object, in the order of its number; those without rows are left out."""
    data = b"id,name\n" + b"1,a\n" * 40 + b"x,bad\n" * 40 + b"2,b\n" * 40
    site = Site()
    outcome = await site.outcome(data, 100, output={"format": "parquet"})
    assert outcome.result is not None
    names = [upload.key for upload in (outcome.result.data, *outcome.result.more)]
    assert names == sorted(names)
    assert names[0] == "out/data/a.00000.parquet"
    assert 1 < len(names) < len(site.pool.ranges)
    tables = [rows_of([file]) for file in outcome.data]
    assert all(len(table) for table in tables)
    assert pa.concat_tables(tables).column("id").to_pylist() == [1] * 40 + [2] * 40


async def test_parquet_without_rows() -> None:
    """Where no range has a row there is one object all the same."""
    outcome = await Site().outcome(b"id,name\n" + b"x,bad\n" * 60, 50, output={"format": "parquet"})
    assert len(outcome.data) == 1
    assert len(rows_of(outcome.data)) == 0
    assert outcome.result is not None
    assert outcome.result.counts.rows_rejected == 60


async def test_the_first_range_alone_is_known() -> None:
    """Of a file of ordinary rows each byte is read once, or nearly, and every guess is right."""
    site = Site()
    whole, split = await both(people(300, bad=40), 200, site)
    assert split.said == whole.said
    assert not site.pool.again
    assert len(site.pool.ranges) >= 9
    assert not site.pool.files


TRAP = b'id,name\n1,a\n2,"' + b"3,c\n" * 60 + b'"\n' + b"4,d\n" * 60


async def test_wrong_guesses_are_run_again() -> None:
    """Rows that stand in a quoted cell are taken for rows; what came of them is dropped, and guessing stops."""
    site = Site()
    whole, split = await both(TRAP, 40, site)
    assert split.said == whole.said
    assert whole.result is not None
    assert whole.result.counts.rows_read == 62
    assert site.pool.again
    assert not site.pool.files


async def test_a_range_that_cannot_be_decided() -> None:
    """Where no line ends near the beginning of a range, it waits for the one before it."""
    site = Site()
    whole, split = await both(b"id,name\n" + (b"1," + b"a" * 77 + b"\n") * 30, 100, site)
    assert split.said == whole.said
    assert site.pool.again


async def test_a_record_over_several_ranges() -> None:
    """It is the business of the range that it begins in; others, all of which it takes up, have nothing to do."""
    site = Site()
    whole, split = await both(b"id,name\n1," + b"a" * 500 + b"\n" + b"2,b\n" * 60, 100, site)
    assert split.said == whole.said
    assert not site.pool.again


async def test_many_rejects() -> None:
    """A range whose rejects are more than it may hold ends early, and the rest of it is run after it."""
    site = Site()
    whole, split = await both(people(200, bad=2), 400, site)
    assert split.said == whole.said
    assert len(site.pool.again) > 3


@pytest.mark.parametrize(
    ("key", "data", "rules"),
    [
        ("a.csv.gz", people(99), {"csv": {"compression": "gzip"}}),
        ("a.csv.zst", people(99), {}),
        ("a.csv", b"\x1f\x8b\x08" + people(99), {}),
        ("a.csv", people(99).decode().encode("utf-16"), {}),
        ("a.csv", people(99).decode().encode("utf-16-le"), {"csv": {"encoding": "utf-16-le"}}),
        ("a.csv", people(99), {"csv": {"encoding": "shift_jis"}}),
        ("a.csv", b"other,name\n" + people(99), {}),
        ("a.csv", people(99).replace(b"\n", b"", 1), {"csv": {"quote": None}}),
    ],
)
async def test_what_is_read_as_a_whole(key: str, data: bytes, rules: dict[str, Any]) -> None:
    """Compressed files, encodings with no place in the middle, and files with a fault in their head are not split."""
    site = Site()
    await site.outcome(data, 50, key, **rules)
    assert site.pool.files == [key]
    assert not site.pool.ranges


async def test_nobody_to_share_with() -> None:
    """One worker reads a file as a whole; so is a small file, one that is small by now, and one that is not there."""
    data = people(99)
    site = Site()
    site.pool.workers = 1
    await site.outcome(data, 50)
    small = Site()
    await small.outcome(data, len(data))
    await small.source.put("a.csv", data)
    shrunk = await small.run(small.job(10 * len(data), 2 * len(data)))
    assert shrunk.bytes_read == len(data)
    with pytest.raises(EngineError):
        await small.run(small.job(1000, 50, "missing.csv"))
    assert not site.pool.ranges
    assert not small.pool.ranges


async def test_progress_adds_up() -> None:
    """Progress is of the whole file, never more than it has, and its end is that of the result."""
    site = Site()
    data = people(300)
    outcome = await site.outcome(data, 200)
    assert outcome.result is not None
    assert all(each.bytes_read <= len(data) for each in site.progress)
    assert [each.done for each in site.progress] == [False] * (len(site.progress) - 1) + [True]
    assert site.progress[-1].counts == outcome.result.counts
    assert site.progress[-1].bytes_read == len(data)


OPERATIONS = ["read_range", "piece", "share", "send_part", "append", "finish_shared", "begin", "write", "finish"]


@pytest.mark.parametrize("format_name", ["jsonl", "parquet"])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_failures_leave_nothing(operation: str, format_name: str) -> None:
    """Whichever of its operations fails, before or after it was done, the file fails with that and leaves nothing."""
    data = people(90, bad=3)
    for nth in range(12):
        site = Site()
        await site.source.put("a.csv", data)
        calls = nth

        async def fail(call: Call) -> None:
            nonlocal calls
            if call.operation in ("begin", "share") and call.done:
                return  # a lost answer leaves an upload, which the next attempt sweeps
            if call.operation == operation:
                calls -= 1
                if calls < 0:
                    raise TransientError("by the test")

        site.source.hook = site.destination.hook = fail
        error = await _error(site.run(site.job(len(data), 100, output={"format": format_name})))
        if error is None:
            return  # it has fewer of these operations
        assert (error.message, error.batch, error.file) == ("by the test", "b1", "a.csv")
        site.destination.hook = nothing
        await site.nothing_is_left()


async def _error(running: Coroutine[Any, Any, Any]) -> EngineError | None:
    try:
        await running
    except EngineError as error:
        return error
    return None


@pytest.mark.parametrize("format_name", ["jsonl", "parquet"])
async def test_cancelled_anywhere_leaves_nothing(format_name: str) -> None:
    """Wherever it is cancelled, no upload is open and no task is left."""
    data = people(90, bad=3)
    for nth in range(0, 400, 7):
        site = Site()
        await site.source.put("a.csv", data)
        running = asyncio.create_task(site.run(site.job(len(data), 100, output={"format": format_name})))
        calls = nth

        async def cancel(call: Call) -> None:
            nonlocal calls
            calls -= 1
            if calls == 0:
                running.cancel()  # noqa: B023  # this round's
            await asyncio.sleep(0)

        site.source.hook = site.destination.hook = cancel
        await asyncio.wait({running})
        if not running.cancelled():
            assert running.exception() is None
            return
        await site.nothing_is_left()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_source_that_is_replaced() -> None:
    """All ranges are of one object: another one at the key is an error, which is worth another try."""
    site = Site()
    data = people(300)

    async def replace(call: Call) -> None:
        if call.operation == "read_range" and len(site.pool.ranges) == 5:
            await site.source.put("a.csv", data.replace(b"n", b"m"))

    site.source.hook = replace
    outcome = await site.outcome(data, 200)
    assert isinstance(outcome.error, SourceChanged)
    assert outcome.error.file == "a.csv"


async def test_a_worker_that_dies() -> None:
    """What a dead worker leaves open of a range's own object is found by its key and discarded."""
    site = Site()

    def die(job: RangeJob) -> None:
        if len(site.pool.ranges) == 4:
            raise WorkerDied("by the test")

    site.pool.before = die
    await site.destination.begin("out/data/a.00003.parquet")
    await site.destination.begin("out/data/a.b.parquet")
    await site.source.put("a.csv", people(300))
    with pytest.raises(WorkerDied):
        await site.run(site.job(len(people(300)), 200, output={"format": "parquet"}))
    assert site.destination.open_keys() == ("out/data/a.b.parquet",)


@given(size=st.integers(1, 10**13), split_bytes=st.integers(1, 10**12), workers=st.integers(1, 300))
def test_spans(size: int, split_bytes: int, workers: int) -> None:
    """Ranges cover the file in order, none is empty, their sizes differ by a byte, and there are numbers for all."""
    found = spans(size, split_bytes, workers)
    assert [start for start, _ in found] == [0, *[stop for _, stop in found[:-1]]]
    assert found[-1][1] == size
    lengths = {stop - start for start, stop in found}
    assert min(lengths) > 0
    assert max(lengths) - min(lengths) <= 1
    assert len(found) <= max(200, workers)
    assert len(found) % workers == 0 or len(found) in (200, size)


async def test_a_range_asks_for_memory() -> None:
    """A long row in a range counts as one in a whole file does: where there is no memory for it, its file fails."""
    site = Site()
    site.pool.long_rows = LongRows(Room(chunk=32, piece=8, row=1000, total=0))
    data = b"id,name\n" + b"1,abc\n" * 30 + b'2,"' + b"x" * 200 + b'"\n'
    outcome = await site.outcome(data, 40)
    assert isinstance(outcome.error, MemoryExceeded)
    assert (bool(site.pool.ranges), outcome.error.file) == (True, "a.csv")
