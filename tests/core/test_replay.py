"""Rejects of a run through another mapping become what that mapping makes of the same rows in their file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.dialect import Dialect
from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan
from engine.core.replay import read_labels
from engine.core.transform import Counts, Transform
from engine.errors import BudgetExceeded, FileError, HeaderError, RowRefused
from tests.examples import examples
from tests.operators import register

LABELS = ("a", "b", "c")
FIELDS: list[dict[str, Any]] = [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}]


def mapping(fields: list[dict[str, Any]] = FIELDS, **changes: Any) -> dict[str, Any]:
    return {"version": 1, "id": "m", "fields": fields, **changes}


def run(
    data: bytes,
    document: dict[str, Any],
    *,
    replay: tuple[str, ...] | None = None,
    pieces: Iterable[int] = (),
    chunk_bytes: int = 64,
    limits: Limits = Limits(),  # noqa: B008 # frozen
) -> tuple[list[bytes], list[bytes], Counts]:
    """Lines written, lines rejected, and the counts."""
    plan = Plan.compile(validate_mapping(document, "test"), limits)
    transform = Transform(plan, file="f.csv" if replay is None else "rejects", replay=replay, chunk_bytes=chunk_bytes)
    outputs = []
    start = 0
    for cut in [*sorted(min(piece, len(data)) for piece in pieces), len(data)]:
        outputs += list(transform.feed(data[start:cut]))
        start = cut
    outputs += list(transform.finish())
    lines = [b"".join(part).splitlines(keepends=True) for part in zip(*outputs, strict=True)]
    counts = transform.counts
    assert (len(lines[0]), len(lines[1])) == (counts.rows_written, counts.rows_rejected)
    assert counts.rows_read == counts.rows_written + counts.rows_rejected
    return lines[0], lines[1], counts


PIECES = st.lists(st.integers(0, 2000), max_size=4)
CELL = st.one_of(
    st.sampled_from([b"", b"1", b"22", b"x", b"NULL", b"t", b"{}", "é\u2028".encode(), b" "]),
    st.sampled_from([b'5" pipe', b'a"', b'"x\n1"', b'""', b'"1"', b'"\r\n"', b'"a""b,"', b'"a\rb"', b"\0", b'"q"r']),
    st.sampled_from([b"\xff", b"caf\xe9", b'"\xc3\n"', b'"', b'"open', b"\xed\xa0\x80", b"\\", b'\x1f"']),
)
LINE_END = st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\n", b"\r", b"\r\n\r\n"])
FILES = st.builds(
    lambda rows, last: b"a,b,c\n" + b"".join(b",".join(cells) + end for cells, end in rows) + last,
    st.lists(st.tuples(st.lists(CELL, min_size=2, max_size=4), LINE_END), max_size=14),
    st.sampled_from([b"", b"1,2,3", b"1,2", b'"a\nb",c,"d"', b'1,2,"open', b'1,"o\nx,y,z']),
)
RULE = st.fixed_dictionaries(
    {"type": st.sampled_from(["int", "string", "bool", "json", "float"]), "required": st.booleans()},
    optional={
        "on_error": st.just("null_value"),
        "steps": st.sampled_from([["trim"], [{"replace": {"pattern": "x", "with": "1"}}], [{"default": "1"}]]),
    },
)
RULES = st.lists(RULE, min_size=3, max_size=3)


def fields(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": label, **rule} for label, rule in zip(LABELS, rules, strict=True)]


NULLS = st.sampled_from([[""], ["", "NULL"], []])


@settings(max_examples=examples(1500), deadline=None)
@given(FILES, st.sampled_from(["skip", "error"]), RULES, RULES, NULLS, PIECES, st.integers(1, 600))
@example(b'a,b,c\nx,"5,1\ny,2,"3\n', "skip", [{"type": "int"}] * 3, [{"type": "string"}] * 3, [""], [], 600)
def test_equals_the_corrected_mapping_over_the_file(
    data: bytes, blank_rows: str, strict: list[dict[str, Any]], corrected: list[dict[str, Any]], nulls: list[str],
    pieces: list[int], chunk_bytes: int,
) -> None:  # fmt: skip
    """Written and rejected again are, byte for byte and in order, what the corrected mapping makes of those rows."""
    before = mapping(fields(strict), csv={"blank_rows": blank_rows})
    after = mapping(fields(corrected), csv={"blank_rows": blank_rows, "null_values": nulls})
    _, rejects, _ = run(data, before)
    written, again, counts = run(b"".join(rejects), after, replay=LABELS, pieces=pieces, chunk_bytes=chunk_bytes)
    assert counts.rows_read == len(rejects)

    concerned = {json.loads(line)["row"] for line in rejects}
    all_written, all_rejected, all_counts = run(data, after)
    refused = {json.loads(line)["row"]: line for line in all_rejected}
    passed = [row for row in range(1, all_counts.rows_read + 1) if row not in refused]
    assert written == [line for row, line in zip(passed, all_written, strict=True) if row in concerned]
    assert again == [line for row, line in refused.items() if row in concerned]


@settings(max_examples=examples(500), deadline=None)
@given(FILES, st.sampled_from(["skip", "error"]), RULES, PIECES, st.integers(1, 600))
def test_the_same_mapping_rejects_all_again(
    data: bytes, blank_rows: str, rules: list[dict[str, Any]], pieces: list[int], chunk_bytes: int
) -> None:
    """Without a correction the reject file comes out as it went in, so replays can follow each other."""
    document = mapping(fields(rules), csv={"blank_rows": blank_rows})
    _, rejects, first = run(data, document)
    written, again, counts = run(b"".join(rejects), document, replay=LABELS, pieces=pieces, chunk_bytes=chunk_bytes)
    assert (written, again) == ([], rejects)
    assert sum(counts.codes.values()) == sum(len(json.loads(line)["errors"]) for line in rejects)
    assert first.rows_rejected == counts.rows_rejected


def record(raw: str, row: int = 1, **changes: Any) -> bytes:
    return json.dumps({"file": "f.csv", "row": row, "line": row + 1, "errors": [], "raw": raw, **changes}).encode()


def reasons(rejects: list[bytes]) -> list[tuple[int, str]]:
    return [(reject["row"], reject["errors"][0]["code"]) for reject in map(json.loads, rejects)]


def test_a_broken_row_takes_no_neighbour_with_it() -> None:
    """Open quotes, several rows or no row in one record stay one rejected row each; those between them are written."""
    raws = ["1,x,y", '2,"open', '3,x,"y"', '4,clo"sed,y', "", "5,x,y\n6,x,y", "7,x,y\r8,x,y", '"9",x,y', "\r\n", '"']
    data = b"\n".join(record(raw, row) for row, raw in enumerate(raws, 1))
    written, rejects, _ = run(data, mapping(), replay=LABELS, chunk_bytes=1 << 20)
    assert [json.loads(line)["a"] for line in written] == [1, 3, 4, 9]
    assert reasons(rejects) == [
        (2, "quote-error"), (5, "blank-row"), (6, "quote-error"), (7, "quote-error"), (9, "blank-row"),
        (10, "quote-error"),
    ]  # fmt: skip
    assert [json.loads(line)["raw"] for line in rejects] == [raws[row - 1] for row, _ in reasons(rejects)]
    assert "2 rows" in json.loads(rejects[2])["errors"][0]["message"]


def test_a_corrected_dialect_reads_the_rows_anew() -> None:
    """Rows that had too few cells have as many as the labels that the mapping now gives, under its delimiter."""
    _, rejects, _ = run(b"1;x\n2;y\n", mapping(csv={"header": ["a", "b"]}))
    assert reasons(rejects) == [(1, "missing-cell"), (2, "missing-cell")]
    corrected = mapping(csv={"header": ["a", "b"], "delimiter": ";"})
    written, _, _ = run(b"".join(rejects), corrected, replay=("a", "b"))
    assert [json.loads(line) for line in written] == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_bytes_that_are_not_text_come_back_exactly() -> None:
    """A row that is not UTF-8 is replayed from its exact bytes, and rejected with them again."""
    _, rejects, _ = run(b"a,b,c\n1,caf\xe9,\n", mapping())
    _, again, _ = run(b"".join(rejects), mapping(), replay=LABELS)
    assert again == rejects
    exact = record("1,\ufffd,z", raw_base64="MSzDqSx6")
    assert [json.loads(line) for line in run(exact, mapping(), replay=LABELS)[0]] == [{"a": 1, "b": "é"}]


def test_records_keep_their_own_places() -> None:
    """Records of several files in one reject file keep the file, row and line that they name."""
    places = [("x.csv", 7, 9), ("y.csv", 2, 3), ("x.csv", 8, 12)]
    data = b"\n".join(record("no,x,y", row, file=file, line=line) for file, row, line in places)
    _, rejects, _ = run(data, mapping(), replay=LABELS)
    assert [(each["file"], each["row"], each["line"]) for each in map(json.loads, rejects)] == places


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"1,x,y", "not JSON"),
        (b"[1]", "not an object"),
        (record("x", file=None), "'file'"),
        (record("x", 0), "'row' and 'line'"),
        (record("x", line=True), "'row' and 'line'"),
        (record("x", line=1.0), "'row' and 'line'"),
        (b'{"file": "f", "row": 1, "line": 2, "errors": []}', "'raw'"),
        (record("x", raw_base64="\u00e9"), "'raw_base64'"),
        (record("x", raw_base64="YQ"), "'raw_base64'"),
        (record("x", raw_base64=7), "'raw_base64'"),
        (record("1,x,y")[:-3], "not JSON.* cut short"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
def test_what_is_no_record_fails_the_file_at_its_line(line: bytes, what: str, chunk_bytes: int) -> None:
    """A malformed line, the last one cut short included, is named by its number in the reject file."""
    data = record("1,x,y") + b"\n\n" + record("2,x,y") + b"\r\n" + line
    with pytest.raises(FileError, match=f"line 4 is not a reject record: {what}"):
        run(data, mapping(), replay=LABELS, pieces=range(0, len(data), 50), chunk_bytes=chunk_bytes)


def test_a_line_without_end_is_no_record() -> None:
    """A line far over limits.row_bytes fails the file before all of it is held."""
    endless = b'{"raw": "' + b"x" * 4096
    with pytest.raises(FileError, match="line 2 is longer"):
        run(record("1,x,y") + b"\n" + endless, mapping(), replay=LABELS, pieces=range(0, 4096, 64),
            limits=Limits(row_bytes=128))  # fmt: skip


def test_the_mappings_policies_apply() -> None:
    """Budget and fail_file judge the replayed rows; the row that fails the file is named as its source has it."""
    data = b"\n".join(record(raw, row) for row, raw in ((4, "1,x,y"), (9, "no,x,y"), (11, "no,x,y")))
    with pytest.raises(BudgetExceeded, match="2 rows rejected"):
        run(data, mapping(budget={"rows": 1}), replay=LABELS)
    with pytest.raises(BudgetExceeded, match="2 of 3 rows rejected"):
        run(data, mapping(budget={"ratio": 0.5}), replay=LABELS)
    with pytest.raises(RowRefused, match="line 10: field a") as caught:
        run(data, mapping(on_error="fail_file"), replay=LABELS)
    assert (caught.value.file, caught.value.row) == ("f.csv", 9)


def test_a_transform_may_fail_every_row_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a reject file all rows may be those that a transform cannot take: no verdict on the transform, but rejects."""
    register(monkeypatch, tmp_path)
    document = mapping([{"name": "a", "type": "string", "steps": [{"call": {"name": "shout"}}]}])
    written, rejects, _ = run(b"a\nbug\nfine\nbug\n", document)
    assert (len(written), reasons(rejects)) == (1, [(1, "step-error"), (3, "step-error")])
    assert run(b"".join(rejects), document, replay=("a",))[:2] == ([], rejects)


def test_labels_that_do_not_fit_the_mapping() -> None:
    """A column that the corrected mapping uses and the source never had fails the file, as in a run."""
    with pytest.raises(HeaderError, match="no column 'b'"):
        run(record("1,2"), mapping(), replay=("a", "c"))
    assert run(b"", mapping(), replay=("a", "c"))[2] == Counts()


@pytest.mark.parametrize("output", ["csv", "parquet"])
def test_other_formats(output: str) -> None:
    """A replay writes what its mapping says."""
    plan = Plan.compile(validate_mapping(mapping(output={"format": output}), "test"), Limits())
    transform = Transform(plan, file="rejects", replay=LABELS)
    made = b"".join(each.data for each in [*transform.feed(record("1,x,y")), *transform.finish()])
    assert made == b"a,b\n1,x\n" if output == "csv" else made.startswith(b"PAR1")


@pytest.mark.parametrize(
    ("data", "header", "labels"),
    [
        (b'\xef\xbb\xbf\r\na,"b\nc"\r\n1,2\n', True, ("a", "b\nc")),
        (b"a,b", True, ("a", "b")),
        (b"1;2,x,\xff\n", False, ("1", "2", "3")),
        (b"\n\n", True, ()),
        (b"", False, ()),
    ],
)  # fmt: skip
def test_labels_of_a_file(data: bytes, header: bool, labels: tuple[str, ...]) -> None:
    """A header is read as a run reads it, from pieces of any size."""
    for size in (1, 3, 100):
        pieces = (data[start : start + size] for start in range(0, len(data), size))
        assert read_labels(pieces, Dialect(), header=header, limits=Limits()) == labels


def test_no_more_of_a_file_is_read_than_its_header() -> None:
    """Reading stops once the header is surely whole."""
    pieces = iter([b"a,b\n", b"1,2\n3", b"never\n"])
    assert read_labels(pieces, Dialect(), header=True, limits=Limits()) == ("a", "b")
    assert next(pieces) == b"never\n"
