"""The data generator: same bytes everywhere, exactly the errors it says, any size in little memory."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.data import COLUMNS, ROW_BYTES, Activity, Corrupted, activity_mapping, blocks, build, write
from tests.oracle import expect

pytestmark = pytest.mark.one_build("gil")

HARD = Activity(rows=9000, seed=7, corrupt=0.03, newlines=0.05, crlf=True, bom=True)


def test_same_description_same_bytes_on_every_build() -> None:
    """The bytes are pinned, so another build, version or machine that made others would fail here."""
    data, corrupted = build(HARD)
    assert hashlib.sha256(data).hexdigest() == "e52468f65d2eb8c5e397b79fa989062de9d86e6c64e90417764d04d590c237ed"
    assert (
        hashlib.sha256(repr(corrupted).encode()).hexdigest()
        == "c70e3ebc08904d9f62dfcd1e411e475472dec6693a3ba64fc1e98d22941c96e7"
    )


@pytest.mark.parametrize("other", [replace(HARD, seed=8), replace(HARD, first_id=2), replace(HARD, corrupt=0.0)])
def test_another_description_other_bytes(other: Activity) -> None:
    """Seed, first id and errors all matter."""
    assert build(other)[0] != build(HARD)[0]


@pytest.mark.parametrize(
    "activity",
    [
        HARD,
        replace(HARD, seed=2, crlf=False, bom=False),
        replace(HARD, corrupt=0.0),
        replace(HARD, rows=500, corrupt=1.0, newlines=0.5),
        Activity(rows=0),
        Activity(rows=1, corrupt=1.0),
        Activity(size=3_000_000, corrupt=0.01, newlines=0.01),
    ],
)
def test_planted_errors_are_the_rejects(activity: Activity) -> None:
    """The oracle rejects exactly the rows that were corrupted, at their rows and lines, each with its one error."""
    data, corrupted = build(activity)
    expected = expect(data, activity_mapping())
    found = [Corrupted(bad.row, bad.line, field, code) for bad in expected.rejects for field, code in bad.errors]
    assert found == corrupted
    if activity.rows is not None:
        assert expected.rows_read == activity.rows


def test_every_kind_of_error_is_planted() -> None:
    """A file of some size holds each error code that the generator knows."""
    assert {found.code for found in build(HARD)[1]} == {
        "type-error",
        "missing-value",
        "extra-cell",
        "missing-cell",
        "encoding-error",
    }


def test_size_is_reached_by_the_last_row() -> None:
    """A file asked for by size is at least that long, and without its last row it would be shorter."""
    for size in (1, 100, 5000, 2_000_000):
        data, _ = build(Activity(size=size))
        rows = data.splitlines(keepends=True)
        assert len(data) >= size
        assert len(rows) <= 2 or len(data) - len(rows[-1]) < size


def test_rows_are_what_clients_send() -> None:
    """Rows have ten columns and about 260 bytes; the awkward forms of each type are there, and so are nulls."""
    data, _ = build(Activity(rows=20_000))
    assert abs(len(data) / 20_000 - ROW_BYTES) < 15
    table = list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))
    assert tuple(table[0]) == COLUMNS
    assert [int(row["event_id"]) for row in table] == list(range(1, 20_001))
    cells = {name: {row[name] for row in table} for name in COLUMNS}
    assert all(len(cells[name]) > 1000 for name in ("user_id", "ts", "amount", "payload", "token"))
    assert "" in cells["amount"]
    assert "" in cells["comment"]
    assert any("," in text for text in cells["user_agent"])
    assert any('"' in text and not text.isascii() for text in cells["payload"] | cells["comment"])
    assert any(text.endswith("+02:00") for text in cells["ts"])
    assert Counter(row["is_bot"].lower() for row in table)["false"] > 10_000


def test_memory_does_not_grow_with_the_file() -> None:
    """Making ten times the bytes takes the same memory: only one block is held."""

    def peak(size: int) -> int:
        tracemalloc.start()
        made = sum(len(block.data) for block in blocks(Activity(size=size, corrupt=0.001)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert made >= size
        return most

    assert peak(30_000_000) < peak(3_000_000) * 1.1


def test_write_gives_what_build_gives(tmp_path: Path) -> None:
    """A file on disk is the same as in memory, and the caller hears of every block."""
    rows: list[int] = []
    corrupted = write(HARD, tmp_path / "a.csv", lambda block: rows.append(block.rows))
    assert ((tmp_path / "a.csv").read_bytes(), corrupted) == build(HARD)
    assert sum(rows) == HARD.rows
    assert len(rows) > 1


def test_command(tmp_path: Path) -> None:
    """The command writes files that differ, a mapping that fits and the list of corrupted rows."""
    arguments = ["--rows", "2000", "--files", "2", "--out", str(tmp_path), "--corrupt", "0.01", "--seed", "3"]
    done = subprocess.run([sys.executable, "-m", "bench.data", *arguments], capture_output=True, text=True, check=True)
    assert "2 files" in done.stdout
    mapping = json.loads((tmp_path / "activity.json").read_text())
    listed = [json.loads(line) for line in (tmp_path / "corrupted.jsonl").read_text().splitlines()]
    found = []
    for name in ("activity-0000.csv", "activity-0001.csv"):
        for bad in expect((tmp_path / name).read_bytes(), mapping).rejects:
            ((field, code),) = bad.errors
            found.append({"file": name, "row": bad.row, "line": bad.line, "field": field, "code": code})
    assert found == listed
    assert found


@pytest.mark.parametrize("amount", [[], ["--rows", "1", "--size", "1"], ["--rows", "1", "--corrupt", "2"]])
def test_wrong_usage(amount: list[str], tmp_path: Path) -> None:
    """Arguments that make no sense are exit status 2 and write nothing."""
    arguments = [sys.executable, "-m", "bench.data", "--out", str(tmp_path / "out"), *amount]
    assert subprocess.run(arguments, capture_output=True, check=False).returncode == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{}, {"rows": 1, "size": 1}, {"rows": 1, "newlines": -0.1}])
def test_wrong_descriptions(wrong: dict[str, float]) -> None:
    """A description must say how much, once, and shares lie between 0 and 1."""
    with pytest.raises(ValueError, match=r"rows or size|shares"):
        Activity(**wrong)  # type: ignore[arg-type]
