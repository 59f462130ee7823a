"""The peers make of a file what the reference makes of it, bad rows or not, in both formats."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.agreement import difference
from bench.contenders import TOOLS, Contender, Job, Tool, absent, contenders
from bench.peers.loop import Loop
from bench.pooled import write_corpus
from bench.served import ROOT
from bench.workloads import WORKLOADS, mapping_of
from engine.core.encoders.formats import Format

pytestmark = pytest.mark.one_build("gil")

_PEERS = {"duckdb_files": "duckdb", "polars_files": "polars", "pyarrow_hand": "pyarrow", "plain_python": "csv"}
_AS_TEXT = {"polars_files": ("payload", "tags")}  # JSON that it can only write as a string


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("peer", _PEERS)
def test_a_peer_agrees_with_the_reference(peer: str, workload: str, format_: Format, tmp_path: Path) -> None:
    """One output a file, good rows alone, every value the same, and a last line that counts them."""
    if importlib.util.find_spec(_PEERS[peer]) is None:
        pytest.skip(f"there is no {_PEERS[peer]} for this build; the benchmark runs it on another")
    corpora = [write_corpus(workload, share, 1, 200_000, tmp_path / f"in-{share}") for share in (0.0, 0.02)]
    files = [corpus.files[0] for corpus in corpora]
    command = [sys.executable, "-m", f"bench.peers.{peer}", "--workload", workload, "--format", format_]
    command += ["--threads", "1", "--output", str(tmp_path / "out"), *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["rows_written"] == sum(corpus.good for corpus in corpora)
    for source in files:
        Loop(workload, format_).run(source, tmp_path / "expected")
        output = tmp_path / "out" / f"{source.stem}.{format_}"
        as_text = _AS_TEXT.get(peer, ()) if format_ == "jsonl" else ()
        assert difference(output, format_, tmp_path / "expected", mapping_of(workload, format_), as_text) is None


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.key)
def test_a_contender_is_a_command_line(tool: Tool, tmp_path: Path) -> None:
    """Everybody is told the files, the format, the workers and where to write; who is absent says why."""
    job = Job("mixed", "jsonl", (tmp_path / "a.csv",), tmp_path / "out", tmp_path / "mapping.json")
    command = Contender(tool, 2).command(job)
    assert {str(tmp_path / "a.csv"), str(tmp_path / "out"), "2"} <= set(command)
    assert ("jsonl" in command) == (len(tool.formats) > 1)
    why = absent(tool)
    assert why is None or len(why) > 10


def test_contenders_are_chosen_by_key() -> None:
    """A tool's key gives one and two workers, a contender's key that one; a misspelt one ends the run."""
    assert [each.key for each in contenders(everybody=False, only=["plain", "pyarrow-2"])] == [
        "pyarrow-2",
        "plain-1",
        "plain-2",
    ]
    with pytest.raises(SystemExit, match="no such contender: plane"):
        contenders(everybody=False, only=["plane"])
