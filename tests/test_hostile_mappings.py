"""Mappings that somebody means harm with give one clear error that names the place, or do no harm."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile import mappings
from tests.hostile.mappings import CASES, Outcome


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What came of each document, in one process that may take 2 GiB."""
    done = subprocess.run(
        [sys.executable, "-m", mappings.__name__],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {found[-1][0] if found else 'nothing'}: {done.stderr[-2_000:]}"
    return {name: Outcome(*rest) for name, *rest in found}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_mapping(name: str, outcomes: dict[str, Outcome]) -> None:
    """One line of bounded length that says where and what, or a mapping that compiles; in little time either way."""
    _, what = CASES[name]
    code, text, seconds = outcomes[name]
    assert code == ("mapping-error" if what else ""), text
    assert re.search(what, text)
    assert text.startswith("m.json: ") or not what
    assert "\n" not in text
    assert len(text) < 80_000
    assert seconds < 10
