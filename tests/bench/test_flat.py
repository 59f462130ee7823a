"""The benchmark of memory against file size, and the store that it needs no room for."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.flat import Flat, measure_flat
from bench.hollow import Repeated, hollow_s3
from bench.peaks import family_peaks
from tests.cli.command import engine, write_mapping

pytestmark = pytest.mark.one_build("gil")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_a_run_is_checked_and_measured(kind: str) -> None:
    """A whole run of the engine reads all rows of a file that is nowhere, and its memory is that of an interpreter."""
    found = measure_flat(sys.executable, kind, 6_000_000)
    assert isinstance(found, Flat)
    assert found.text_bytes == pytest.approx(6_000_000, rel=0.01)
    assert (found.file_bytes < found.text_bytes / 2) == (kind == "gzip")
    assert found.rows > 20_000
    assert 50 << 10 < found.peak_kb < 2 << 20


def test_the_store_makes_what_it_says(tmp_path: Path) -> None:
    """An object's bytes are its head and its blocks; what the engine wrote is counted, and nothing is kept of it."""
    write_mapping(tmp_path)
    file = Repeated(gzip.compress(b"id,name\n"), gzip.compress(b"1,Ann\nx,Bob\n"), 50)
    assert len(b"".join(file.pieces())) == file.size
    with hollow_s3({"client/a.csv": file}) as s3:
        done = engine(
            "run", "people.json", "s3://client/a.csv", "--output", "s3://ours", "--report", "r.json",
            cwd=tmp_path, env=s3.env,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (entry,) = json.loads((tmp_path / "r.json").read_bytes())["files"]
        assert (entry["bytes_read"], entry["rows_written"], entry["rows_rejected"]) == (file.size, 50, 50)
        manifest = (tmp_path / "r.json").stat().st_size
        assert s3.received == entry["output"]["bytes"] + entry["rejects"]["bytes"] + manifest
        missing = engine("run", "people.json", "s3://client/b.csv", "--output", "s3://ours", cwd=tmp_path, env=s3.env)
        assert missing.returncode == 1
        assert "no such object" in missing.stderr


def test_peaks_of_children_count() -> None:
    """A child's memory is added to its parent's, and nobody else's is."""

    def peaks(own: int, of_child: int) -> list[int]:
        """In MiB, the parent's first, at a moment when both hold what they were told to."""
        child = f"import sys; held = b'x' * ({of_child} << 20); print(flush=True); sys.stdin.read()"
        command = f"held = b'x' * ({own} << 20); subprocess.run([sys.executable, '-c', {child!r}])"
        with subprocess.Popen(
            [sys.executable, "-c", f"import subprocess, sys; {command}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            found = family_peaks(process.pid)
            process.stdin.close()
            assert next(iter(found)) == process.pid
            return [peak >> 10 for peak in found.values()]

    small, large = peaks(1, 1), peaks(101, 201)
    assert [more - less for less, more in zip(small, large, strict=True)] == pytest.approx([100, 200], abs=10)
