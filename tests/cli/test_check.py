"""``engine check`` finds what is wrong with a mapping, or will be, and shows what it makes of samples."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.cli.command import engine_here, write_mapping
from tests.test_patterntrial import BOMB

pytestmark = pytest.mark.one_build("free-threaded")


def test_a_sound_mapping_and_its_sample(tmp_path: Path) -> None:
    """Tests pass, the first rows are shown beside their source, and the rejects are counted by code."""
    write_mapping(tmp_path, tests=[{"row": {"id": "1"}, "expect": {"id": 1}}])
    (tmp_path / "a.csv").write_text("id,name\n1,Ada\nx,Bob\n3,Cy\n")
    done = engine_here("check", "people.json", "a.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 fields, 1 of 1 tests passed" in done.stdout
    assert "Ada" in done.stdout
    assert "type-error: not an integer" in done.stdout
    assert "3 rows: 1 rejected (33.33%)" in done.stdout


def test_a_failing_test_is_exit_1(tmp_path: Path) -> None:
    """A test of the mapping that does not hold is named with what came instead."""
    write_mapping(tmp_path, tests=[{"row": {"id": "1"}, "expect": {"id": 2}}])
    done = engine_here("check", "people.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "failed tests[0]: id is 1, not 2" in done.stdout


def test_a_bad_mapping_is_exit_2(tmp_path: Path) -> None:
    """Every problem of a mapping is a line on standard error with its place."""
    write_mapping(tmp_path, fields=[{"name": "a", "type": "integer"}, {"name": "b", "type": "int", "steps": ["trimm"]}])
    done = engine_here("check", "people.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "fields[0].type: no such type: 'integer' (did you mean 'int'?)" in done.stderr
    assert "fields[1].steps[0]: no such step: 'trimm' (did you mean 'trim'?)" in done.stderr


def test_a_pattern_that_takes_all_memory_is_exit_2(tmp_path: Path) -> None:
    """A client's file may be looked at: what its pattern would take is found out in another process."""
    write_mapping(tmp_path, fields=[{"name": "a", "type": "string", "pattern": BOMB}])
    done = engine_here("check", "people.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "people.json: fields[0].pattern: compiling the pattern takes" in done.stderr


def test_a_sample_without_the_columns_is_exit_1(tmp_path: Path) -> None:
    """A sample that the mapping cannot read is named with the reason, and warnings of the mapping come first."""
    write_mapping(tmp_path, fields=[{"name": "a", "type": "string", "pattern": "(x+)+"}])
    (tmp_path / "a.csv").write_text("b\n1\n")
    done = engine_here("check", "people.json", "a.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert "warning fields[0].pattern" in done.stdout
    assert "header-error: no column 'a'" in done.stdout


def test_a_decimal_narrower_than_the_sample_is_a_warning(tmp_path: Path) -> None:
    """A sample shows which digits a decimal has no room for, and the warning names the one that has."""
    write_mapping(tmp_path, fields=[{"name": "id", "type": "int"}, {"name": "price", "type": "decimal(4,2)"}])
    (tmp_path / "a.csv").write_text("id,price\n1,12.50\n2,1234.125\n3,x\n")
    done = engine_here("check", "people.json", "a.csv", cwd=tmp_path)
    assert done.returncode == 0
    warning = "warning fields[1].type: decimal(4,2) is too narrow for 1 cell (as 1234.125); decimal(7,3) holds them"
    assert warning in done.stdout


def test_a_compressed_sample(tmp_path: Path) -> None:
    """A compressed sample is shown as its text is; one that is cut short is a line with the byte where it ends."""
    write_mapping(tmp_path)
    file = gzip.compress(b"id,name\n1,Ada\nx,Bob\n3,Cy\n")
    (tmp_path / "a.csv.gz").write_bytes(file)
    done = engine_here("check", "people.json", "a.csv.gz", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Ada" in done.stdout
    assert "3 rows: 1 rejected (33.33%)" in done.stdout
    (tmp_path / "a.csv.gz").write_bytes(file[:-1])
    done = engine_here("check", "people.json", "a.csv.gz", cwd=tmp_path)
    assert done.returncode == 1
    assert f"failed a.csv.gz: compression-error: ends at byte {len(file) - 1}" in done.stdout
