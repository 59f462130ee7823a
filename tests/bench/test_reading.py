"""The benchmark of reading: contenders agree with csv.reader before a time counts, or are marked."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.csvfiles import FILES, CsvFile, make_file
from bench.peers.readers import PACKAGES, Source, digest, make_reader
from bench.reading import EXPECTED, difference
from bench.served import builds

pytestmark = pytest.mark.one_build("gil")

_SIZE, _CHUNK = 600_000, 65_536


def source_of(file: CsvFile, folder: Path) -> Source:
    path = folder / f"{file.name}.csv"
    path.write_bytes(file.data)
    return Source(str(path), file.data[: file.cuts[0] - 1].decode().split(","), file.cuts, file.escape, _CHUNK)


def records(file: CsvFile, data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True, escapechar=file.escape))


@pytest.mark.parametrize("name", sorted(set(FILES) - {"broken"}))
def test_files_are_cut_at_records(name: str) -> None:
    """Chunks begin and end with records, as csv.reader sees them, are full and no longer than asked for."""
    file = make_file(name, _SIZE, _CHUNK)
    assert len(file.data) == pytest.approx(_SIZE, rel=0.05)
    assert file.cuts[-1] == len(file.data)
    pieces = [records(file, file.data[start:end]) for start, end in pairwise([0, *file.cuts])]
    assert [cells for piece in pieces for cells in piece] == records(file, file.data)
    assert sum(map(len, pieces[1:])) == file.rows
    lengths = [end - start for start, end in pairwise(file.cuts)]
    assert all(_CHUNK - 2_000 < length <= _CHUNK for length in lengths[:-1])


def test_each_file_has_what_makes_it_hard() -> None:
    """No quote, newlines in every third row, one bare quote or broken row in a thousand, escapes in every third."""
    files = {name: make_file(name, _SIZE, _CHUNK) for name in FILES}
    assert b'"' in files["mixed"].data
    assert b'"' not in files["unquoted"].data
    assert sum(any("\n" in cell for cell in row) for row in records(files["newlines"], files["newlines"].data)) == (
        files["newlines"].rows // 3
    )
    for name, text in (("bare", b',5" pipe,'), ("broken", b',"great" value,')):
        assert files[name].data.count(text) == files[name].rows // 1000 > 1
    lines = files["escaped"].data.splitlines()[1:]
    assert sum(b'\\"' in line for line in lines) == pytest.approx(len(lines) / 3, rel=0.01)


def test_the_reference_skips_broken_rows_alone(tmp_path: Path) -> None:
    """csv.reader as a contender goes on after a row that it refuses, timed and checked alike."""
    file = make_file("broken", _SIZE, _CHUNK)
    source = source_of(file, tmp_path)
    good = [line for line in file.data.splitlines(keepends=True) if b'"great" value' not in line]
    expected = records(file, b"".join(good))[1:]
    found = [cells for columns in make_reader("csv").batches(source) for cells in zip(*columns, strict=True)]
    assert [[cell.as_py() for cell in cells] for cells in found] == expected
    assert make_reader("csv").read(source) == len(expected)


@pytest.mark.parametrize("name", FILES)
def test_the_engine_reads_what_csv_reader_reads(name: str, tmp_path: Path) -> None:
    """Every cell of every file, in chunks much smaller than the file; and what is timed counts the same rows."""
    source = source_of(make_file(name, _SIZE, _CHUNK), tmp_path)
    expected = digest(make_reader("csv").batches(source), source.labels)
    engine = make_reader("engine")
    assert difference(digest(engine.batches(source), source.labels), expected) is None
    assert engine.read(source) == expected["rows"]


@pytest.mark.parametrize("kind", PACKAGES)
@pytest.mark.parametrize("name", ["mixed", "unquoted", "newlines"])
def test_everybody_agrees_on_ordinary_files(name: str, kind: str, tmp_path: Path) -> None:
    """All contenders read the same cells, timed and checked alike, so their times can be compared."""
    pytest.importorskip(PACKAGES[kind], reason=f"no {kind} for this build; the command runs it on another")
    source = source_of(make_file(name, _SIZE, _CHUNK), tmp_path)
    expected = digest(make_reader("csv").batches(source), source.labels)
    reader = make_reader(kind)
    assert difference(digest(reader.batches(source), source.labels), expected) is None
    assert reader.read(source) == expected["rows"]


def test_one_other_cell_is_a_difference(tmp_path: Path) -> None:
    """A row, a byte, or bytes in another place are seen, and said."""
    file = make_file("mixed", 60_000, _CHUNK)
    source = source_of(file, tmp_path)

    def read(data: bytes) -> dict[str, Any]:
        Path(source.path).write_bytes(data)
        return digest(make_reader("csv").batches(source), source.labels)

    expected = read(file.data)
    assert difference(read(file.data), expected) is None
    head, row, rest = file.data.split(b"\n", 2)
    assert "rows, not" in (difference(read(head + b"\n" + rest), expected) or "")
    changed = row.replace(b"1,", b"11,", 1)
    assert "bytes of event_id, not" in (difference(read(b"\n".join([head, changed, rest])), expected) or "")
    changed = row.replace(b"1,", b"7,", 1)
    assert difference(read(b"\n".join([head, changed, rest])), expected) == "other cells in event_id"
    second, more = rest.split(b"\n", 1)
    assert difference(read(b"\n".join([head, second, row, more])), expected) is not None


@pytest.mark.slow
def test_the_command_reports_every_contender(tmp_path: Path) -> None:
    """Each contender has its figures on each build, ratios to both yardsticks of it, or why it has none."""
    path = tmp_path / "report.json"
    command = [sys.executable, "-m", "bench", "reading", "--only", "mixed", "--only", "bare"]
    command += ["--contender", "engine", "--contender", "polars"]
    command += ["--mb", "0.3", "--chunk", str(_CHUNK), "--rounds", "2", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_bytes())
    mixed, bare = report["files"]
    kinds = [name.split()[0] for name in report["contenders"]]
    assert sorted(kinds) == sorted(["engine", "arrow", "csv"] * len(builds()) + ["polars"])
    for measured in (mixed, bare):
        for each in measured["results"]:
            if each["cannot"]:
                assert (measured["file"], each["contender"]) == ("bare", "polars")
                continue
            assert len(each["runs"]) == 2
            assert min(each["ns_per_row"], each["cpu_ns_per_row"], each["mb_s"]) > 0
            assert set(each["times"]) == {"arrow", "csv"}
            if each["contender"] in each["times"]:
                assert each["times"][each["contender"]] == {"wall": 1, "cpu": 1}
    assert all(each["differs"] is None for each in mixed["results"])
    assert {name for name, _ in EXPECTED} == set(FILES)
    assert done.stdout.count("0.8 arrow") == done.stdout.count("0.7 csv") == len(builds())
