"""A proposal reads its sample without a reject, says what was doubtful, and leaves out what no field can use."""

from __future__ import annotations

import base64
import csv
import io
import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data import Activity, build
from engine.core.inference import mapping_id, propose, to_json_document, to_toml_document
from engine.core.limits import Limits
from engine.core.lint import lint
from engine.core.mapping import load_mapping, validate_mapping
from engine.core.plan import Plan
from engine.core.transform import Counts, Transform
from engine.errors import FileError, MappingError
from tests.core.inference.samples import proposal, sample
from tests.examples import examples


def run(document: dict[str, Any], data: bytes) -> Counts:
    transform = Transform(Plan.compile(validate_mapping(document, "m"), Limits()), file="f")
    for _ in (*transform.feed(data), *transform.finish()):
        pass
    return transform.counts


def notes(*files: bytes | str) -> list[str]:
    return [str(note) for note in proposal(*files).notes]


def test_activity_files() -> None:
    """Generated activity data gets the types that an engineer gave it, whatever its line ends, and is read whole."""
    data, _ = build(Activity(rows=3000, seed=2, newlines=0.05, crlf=True, bom=True))
    made = proposal(data)
    assert {field["name"]: field["type"] for field in made.document["fields"]} == {
        "event_id": "int", "user_id": "uuid", "ts": "timestamp", "amount": "float", "is_bot": "bool",
        "payload": "json", "token": "bytes", "user_agent": "string", "comment": "string", "country": "string",
    }  # fmt: skip
    assert "csv" not in made.document
    assert run(made.document, data).rows_rejected == 0


def test_broken_activity_files() -> None:
    """Broken cells make their columns text and are named; broken rows are counted and stay the only rejects."""
    data, corrupted = build(Activity(rows=3000, seed=3, corrupt=0.02))
    made = proposal(data)
    broken = sum(not each.field for each in corrupted)
    assert run(made.document, data).rows_rejected == broken > 0
    assert any(f"will be rejected: {broken} (" in str(note) for note in made.notes)
    mixed = {note.column for note in made.notes if "proposed as string" in note.what}
    assert mixed == {each.field for each in corrupted if each.code == "type-error"}


def test_nulls() -> None:
    """A word that keeps a typed column from its type becomes a null text; elsewhere it is only mentioned."""
    made = proposal("n,code,t\n1,NA,x\nNA,US,y\n3,DE,-\n")
    assert made.document["csv"] == {"null_values": ["", "NA"]}
    assert made.document["fields"] == [
        {"name": "n", "type": "int"}, {"name": "code", "type": "string"},
        {"name": "t", "type": "string", "required": True},
    ]  # fmt: skip
    assert [str(note) for note in made.notes] == [
        "t: 1 cell is '-' (row 3); add it to csv.null_values if it is null",
        "'NA' is proposed as null, for n; so it is then in the text of code",
    ]
    assert "csv" not in proposal("code,n\nNA,1\nDE,2\n").document


def test_labels_that_no_field_can_use() -> None:
    """Columns without a label, or with one that stands twice, are left out; a name has no white space around it."""
    made = proposal("a,a,,b, c ,d ,d,\n1,2,3,4,5,6,7,8\n")
    assert made.document["fields"] == [
        {"name": "b", "type": "int", "required": True},
        {"name": "c", "from": " c ", "type": "int", "required": True},
        {"name": "d ", "type": "int", "required": True},
        {"name": "d", "type": "int", "required": True},
    ]
    assert sorted(map(str, made.notes)) == [
        "a: stands more than once in the header, so no field can be read from it: left out",
        "left out, without a label: column 3, 8",
    ]
    with pytest.raises(FileError, match="label of its own"):
        proposal("a,a\n1,2\n")


def test_several_samples() -> None:
    """A column is judged by all files, in whatever order they have it, and must be in each; rows are named by file."""
    first = "id,x,only\n" + "".join(f"{row},{row},z\n" for row in range(50))
    made = proposal(first, "x,id\noops,51\n7.5,52\n")
    assert made.document["fields"] == [
        {"name": "id", "type": "int", "required": True}, {"name": "x", "type": "string", "required": True}
    ]  # fmt: skip
    assert [str(note) for note in made.notes] == [
        "only: not in 1.csv: left out",
        "x: 1 of 52 cells is no float: 1.csv row 1 'oops'; proposed as string",
    ]
    with pytest.raises(FileError, match="none in common"):
        proposal("a,b\n1,2\n", "c\n1\n")


def test_dialect_and_first_rows() -> None:
    """Settings of the file are proposed where they are not the defaults, and a note says how far a sample went."""
    data = "a;b\n" + "1;'x;y'\n" * 50
    made = propose([sample(data, rows=20)], "m", Limits(), "parquet")
    assert made.document["csv"] == {"delimiter": ";", "quote": "'"}
    assert made.document["output"] == {"format": "parquet"}
    assert [str(note) for note in made.notes] == ["only the first 20 rows were looked at"]
    assert not notes(data)


def test_a_header_that_is_broken() -> None:
    """Without a first record that can be read there is nothing to propose."""
    with pytest.raises(FileError, match="first record is broken: byte 0xff"):
        proposal(b"a,b\xff\n1,2\n1,\xc3\xa9\n1,2\n")


ODD_FILES = {
    "western": (
        "id;prénom;montant\n" + "1;Zoë;5\n2;François;6 €\n" * 20,
        "cp1252",
        {"delimiter": ";", "encoding": "cp1252"},
    ),
    "russian": (
        "номер,имя\n" + "1,Сергей Волков\n2,Мария Сидорова\n3,Анна Кузнецова\n" * 9,
        "koi8-r",
        {"encoding": "koi8-r"},
    ),
    "wide": ("id\tname\n1\tZoë\n2\tBob\n", "utf-16", {"delimiter": "\t", "encoding": "utf-16"}),
    "wide, no mark": ("id\tname\n1\tZoë\n2\tBob\n", "utf-16-be", {"delimiter": "\t", "encoding": "utf-16-be"}),
    "excel": ("sep=;\r\nid;name\r\n1;Zoë\r\n2;Bob\r\n", "utf-8-sig", {"delimiter": ";", "skip_lines": 1}),
    "titles": ("Report\n\nid,name\n1,Ada\n2,Bob\n", "utf-8", {"skip_lines": 2}),
    "trailing": ("id,name\n1,Ada,\n2,Bob,\n", "utf-8", {"extra_cells": "ignore"}),
    "trailing header": ("id,name,\n1,Ada\n2,Bob\n", "utf-8", {"missing_cells": "null"}),
    "padded": ("id, name\n1, Ada\n2, Bob\n", "utf-8", {"trim": True}),
    "escaped": ('id,p\n1,"{\\"a\\": 1, \\"b\\": 2}"\n2,"{\\"a\\": 2}"\n', "utf-8", {"escape": "\\"}),
    "inches": ("id,size\n" + "".join(f'{row},"{row} inch\n' for row in range(9)), "utf-8", {"quote": None}),
    "hive": ("id\x01name\n1\x01Ada\n", "utf-8", {"delimiter": "\x01"}),
}


@pytest.mark.parametrize(("text", "encoding", "settings"), ODD_FILES.values(), ids=ODD_FILES)
def test_odd_files(text: str, encoding: str, settings: dict[str, Any]) -> None:
    """However a file is written, its proposal names the settings that it needs, no others, and rejects no row."""
    data = text.encode(encoding)
    made = proposal(data)
    assert made.document["csv"] == settings
    counts = run(made.document, data)
    assert (counts.rows_rejected, counts.rows_read) == (0, len(sample(data).numbers) - 1)
    assert made.document["fields"][0]["type"] == "int"


def test_notes_on_broken_rows() -> None:
    """Each kind of broken row is counted, with the setting that may make such rows whole."""
    data = "id,name,at\n" + "1,é,x\n" * 9 + '2,x\n3,x,y,z\n4,x,y,\n5,"x" y,z\n'
    made = notes(data.encode() + b"6,\xff,z\n")
    assert made[0].startswith("rows that are broken and will be rejected: 5 (line 11: ")
    assert [note.partition(";")[0] for note in made[1:]] == [
        "of these rows 2 have more cells than the header",
        "of these rows 1 have fewer cells than the header",
        "of these rows 1 do not decode",
        "of these rows 1 have a quote left open or not doubled",
    ]
    settings = ('csv.extra_cells "ignore"', 'csv.missing_cells "null"', "csv.encoding", "csv.quote")
    assert all(setting in note for setting, note in zip(settings, made[1:], strict=True))


def test_a_guessed_encoding_is_called_one() -> None:
    """The note says what the text reads with it, and the setting; one proven is not mentioned."""
    assert notes("a,b\n1,Zoë\n".encode("cp1252")) == [
        "csv.encoding cp1252 is a guess: the text is not UTF-8, and so it reads 'Zoë'; set another if that looks wrong"
    ]
    assert not notes("a,b\n1,Zoë\n")
    assert not notes("a,b\n1,Zoë\n".encode("utf-16"))


def test_a_field_that_refuses_becomes_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proposal is run over the sample: were a reading wrong, its field would fall back to text with a note."""
    from engine.core.inference import column
    from engine.core.inference.reading import Reading

    monkeypatch.setattr(column, "judge", lambda texts, label: Reading("bool" if label == "a" else "int"))
    made = proposal("a,b\n1,1\n2,2\n3,3\n")
    assert made.document["fields"] == [{"name": "a", "type": "string"}, {"name": "b", "type": "int", "required": True}]
    assert "a: 2 cells are refused as bool; proposed as string" in map(str, made.notes)


def test_cells_over_the_limit() -> None:
    """A cell that no type could hold is reported, as the rows that are broken are."""
    limits = Limits(cell_bytes=10)
    made = propose([sample("a,b,c\n1,x,z\n2," + "y" * 11 + ",z\n")], "m", limits)
    assert "b: 1 cell is refused whatever their type" in map(str, made.notes)


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.dates().map(lambda day: day.strftime("%d/%m/%Y")),
    st.datetimes().map(lambda at: at.strftime("%m/%d/%Y %I:%M %p")),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.integers(1_000_000_000, 2_000_000_000).map(str),
    st.uuids().map(str),
    st.booleans().map(str),
    st.recursive(st.integers() | st.text(max_size=3), st.lists, max_leaves=3).map(json.dumps),
    st.binary(min_size=12, max_size=20).map(lambda data: base64.b64encode(data).decode()),
    st.text(min_size=8, max_size=12).map(lambda text: base64.b64encode(text.encode("utf-8", "replace")).decode()),
)
KINDS = st.lists(CELLS, min_size=1, max_size=4).map(st.sampled_from)  # a column has a few texts, all of its own kind
NULLS = st.sampled_from(["", "", "NA", "n/a", "-", " ", "nan", "null"])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A CSV file of columns that are mostly of one kind each, some rows of it ragged or not UTF-8."""
    width, height = draw(st.integers(1, 4)), draw(st.integers(0, 30))
    odd = draw(st.sampled_from([0, 0, 1, 5]))
    columns = []
    for label in draw(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=width, max_size=width)
    ):
        one = CELLS.map(st.just)
        kind = draw(st.one_of(KINDS, one))
        cells = [draw(kind) for _ in range(height)]
        for _ in range(odd if height else 0):
            cells[draw(st.integers(0, height - 1))] = draw(NULLS | CELLS)
        columns.append([label, *cells])
    rows = [list(row) for row in zip(*columns, strict=True)]
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=draw(st.sampled_from(",;\t|")),
        quotechar=draw(st.sampled_from('""\'')),
        quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    for row in rows:
        writer.writerow(row + ["surplus"] * draw(st.sampled_from([0] * 20 + [1])))
    data = text.getvalue().encode()
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.sampled_from([b"\xff", b'"', b"\n", b"\r", b"'", b"\x00"])) + data[place:]
    return data


@settings(max_examples=examples(500))
@given(files())
def test_the_proposal_reads_its_sample(data: bytes) -> None:
    """Whatever a file holds, its proposal is valid and rejects no row but those that no mapping could read."""
    try:
        made = proposal(data)
    except FileError:
        return
    broken = sample(data).broken
    header = made.document.get("csv", {}).get("header", True)
    assert run(made.document, data).rows_rejected == len(broken)
    assert bool(broken) == any("will be rejected" in str(note) for note in made.notes)
    assert run(made.document, data).rows_read == len(broken) + len(sample(data).numbers) - header
    assert load_mapping(to_json_document(made.document).encode(), "m.json") == made.mapping
    assert load_mapping(to_toml_document(made.document).encode(), "m.toml") == made.mapping
    assert not [problem for problem in lint(made.mapping) if "formats" in problem.where]
    assert not any("\n" in str(note) for note in made.notes)


def test_documents_as_people_write_them() -> None:
    """JSON has a line a field, TOML a table a field; both hold the document, odd characters too."""
    made = proposal('a\x7f😀;"q""\n"\n1;2026/01/02\n').document
    assert to_json_document(made).splitlines()[5] == '    {"name": "a\x7f😀", "type": "int", "required": true},'
    assert json.loads(to_json_document(made)) == made
    assert tomllib.loads(to_toml_document(made)) == made
    assert '[[fields]]\nname = "a\\u007f😀"\ntype = "int"\nrequired = true\n' in to_toml_document(made)


@pytest.mark.parametrize(
    ("text", "name"),
    [("activity 2026.csv", "activity-2026.csv"), ("é", "mapping"), ("", "mapping"), ("a" * 200, "a" * 128)],
)
def test_mapping_id(text: str, name: str) -> None:
    """Any file name gives a valid id."""
    assert mapping_id(text) == name
    with pytest.raises(MappingError):
        propose([sample("a\n1\n")], "not an id", Limits())
