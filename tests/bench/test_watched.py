"""Commands that are watched: processor time and memory of all their processes, and failures with their last words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.watched import CommandFailed, watch

pytestmark = pytest.mark.one_build("gil")

_CHILD = "import time; held = b'x' * (80 << 20); end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_children_count(tmp_path: Path) -> None:
    """What a child process takes is its parent's: processor time, and memory while both hold theirs."""
    run = f"subprocess.run([sys.executable, '-c', {_CHILD!r}])"
    code = f"import subprocess, sys; held = b'x' * (60 << 20); {run}; print(7)"
    took = watch([sys.executable, "-c", code], cwd=tmp_path)
    assert took.cpu >= 0.3
    assert took.wall >= 0.3
    assert 140 < took.peak_mb < 300
    assert took.said == "7\n"
    assert 0 <= took.others <= 1


def test_settings_of_the_engine_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller has set for the engine does not reach a contender; what is given for the run does."""
    monkeypatch.setenv("ENGINE_POOL__WORKERS", "7")
    code = "import os; print(*(name for name in os.environ if name.startswith('ENGINE_')))"
    assert watch([sys.executable, "-c", code], cwd=tmp_path, env={"ENGINE_A": "b"}).said.split() == ["ENGINE_A"]


def test_a_failure_has_its_status_and_last_words(tmp_path: Path) -> None:
    """A contender that fails is no fast contender."""
    with pytest.raises(CommandFailed, match=r"ended with 3: .*no such luck"):
        watch([sys.executable, "-c", "import sys; sys.stderr.write('no such luck'); sys.exit(3)"], cwd=tmp_path)
